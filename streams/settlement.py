"""From an answer, or the lack of one, to the exchange that records it."""

from __future__ import annotations

from msgspec import UNSET, Raw

from schemas import envelopes, exchange as exchanges
from schemas.budget_errors import BudgetCheckFailed
from schemas.clock import Clock, rfc3339
from schemas.errors import (
    Cancelled,
    Expired,
    GatewayError,
    GuardrailUnavailable,
    Interrupted,
    InvalidRequest,
    RateLimited,
)
from schemas.exchange import ErrorInfo, Exchange, Outcome, Timings, Without
from schemas.replies import Completed, Failed, Started
from streams.costs import Prices, cost_of, no_prices, usage_of, with_savings
from streams.delivery import Delivery, StopReason
from streams.stages import Call

STOPPED: dict[StopReason, tuple[Outcome, type[GatewayError]]] = {
    "cancelled": ("cancelled", Cancelled),
    "expired": ("expired", Expired),
    "shutdown": ("failed", Interrupted),
}


# With these the gateway itself refuses what it was asked for, if no provider was called.
REFUSALS = (InvalidRequest, RateLimited, BudgetCheckFailed, GuardrailUnavailable)


class Result:
    """How a request ended: what the client is told last, and what is recorded."""

    __slots__ = (
        "_call",
        "body",
        "content_type",
        "error",
        "final",
        "outcome",
        "started",
        "status",
        "terminal",
        "unsent",
    )

    def __init__(self, call: Call) -> None:
        self._call = call
        self.started: Started | None = None
        self.status = 200
        self.content_type = envelopes.JSON
        self.body: list[bytes] = []  # all that the provider answered, in pieces
        self.unsent: list[bytes] = []  # its last pieces, not yet sent
        self.final = b""  # the end, sent when the outcome is recorded
        self.outcome: Outcome = "completed"
        self.error: GatewayError | None = None
        self.terminal: Completed | Failed = Completed()

    def begun(self, started: Started) -> None:
        self.started = started
        self.status, self.content_type = started.status, started.content_type

    def piece(self, data: bytes) -> None:
        self.body.append(data)
        self.unsent.append(data)

    def take(self) -> bytes:
        """All that was not sent yet."""
        unsent, self.unsent = self.unsent, []
        return unsent[0] if len(unsent) == 1 else b"".join(unsent)

    def completed(self, terminal: Completed) -> Result:
        self.terminal = terminal
        self.final = terminal.data
        return self

    def failed(self, terminal: Failed, outcome: Outcome, *, begun: bool) -> Result:
        """`begun`: the client has seen a part, so that the error must come in-band."""
        self.terminal, self.outcome, self.error = terminal, outcome, terminal.error
        if begun:
            self.final = terminal.event or self._call.in_band(terminal.error)
            return self
        self.status = terminal.status
        self.content_type = terminal.content_type
        dialect = self._call.request.dialect
        body = terminal.body  # an empty one is the provider's own, too
        if body is None:
            body = envelopes.error_body(dialect, terminal.error, terminal.status)
        self.final = body
        self.body, self.unsent = [], []
        return self

    def stopped(self, reason: StopReason, *, begun: bool) -> Result:
        outcome, error = STOPPED[reason]
        return self.failed(Failed(error(), error.status), outcome, begun=begun)

    @property
    def head(self) -> Started:
        """What stands on the first reply record."""
        started = self.started
        headers = started.http_headers if started else {}
        if isinstance(self.terminal, Failed) and self.terminal.http_headers:
            headers = self.terminal.http_headers
        provider, model = (started.provider, started.model) if started else ("", "")
        if started is None and self._call.attempts:
            provider, model = self._call.attempts[-1].provider, self._call.attempts[-1].model
        claim = started.claim if started and self.error is None else None
        return Started(self.status, self.content_type, provider, model, headers, claim=claim)


def settle(
    delivery: Delivery, call: Call, result: Result, times: Times, prices: Prices = no_prices
) -> Exchange:
    """The exchange of a finished request."""
    request, head = delivery.request, result.head
    provider = call.winner.instance if call.winner is not None else head.provider
    model = call.winner.model if call.winner is not None else head.model
    error = result.error
    guarded = call.guarded
    answer = b"".join([*result.body, result.final])
    usage = usage_of(request, result.terminal.usage, call.attempts, answer)
    return Exchange(
        request_id=request.request_id,
        outcome=_outcome(call, result),
        created_at=rfc3339(request.created),
        finished_at=rfc3339(times.finished),
        operation=request.operation,
        dialect=request.dialect,
        stream=call.streamed,
        source=request.source,
        user_path=request.user_path,
        request_model=call.envelope.model or None,
        status=result.status,
        delivery_attempt=delivery.attempt,
        kafka=delivery.position,
        timings=times.timings(request.created, call),
        request=exchanges.request_body(request)
        if guarded is None or guarded.body is None or request.claim is not None
        else exchanges.Body(Raw(guarded.body)),
        response=exchanges.claimed_body(head.claim, result.content_type)
        if head.claim is not None
        else exchanges.any_body(
            answer if guarded is None else guarded.answer(result.body, result.final, error),
            result.content_type,
        ),
        client=request.client,
        client_ip=request.client_ip,
        client_request_id=request.client_request_id,
        traceparent=request.traceparent if call.span is None else call.span.traceparent,
        provider=provider or None,
        rule=call.rule,
        response_model=result.terminal.response_model,
        finish_reason=(
            result.terminal.finish_reason if isinstance(result.terminal, Completed) else None
        ),
        usage=usage,
        cost=cost_of(usage, call.attempts, provider, model, prices),
        error=ErrorInfo(error.code, error.type, error.message) if error else None,
        attempts=tuple(call.attempts),
        cache=with_savings(call.cached, provider, model, prices),
        repeats=call.repeats,
        workflow=None if guarded is None else guarded.workflow.id,
        guardrails=() if guarded is None else tuple(guarded.verdicts),
        batch_id=request.line.batch if request.line else None,
        custom_id=request.line.custom_id if request.line else None,
        http_headers=head.http_headers or UNSET,
        without=without(call),
        keep=request.keep,
    )


def _outcome(call: Call, result: Result) -> Outcome:
    """Refused by the gateway itself: nobody was asked, neither for it nor for another whose answer it has."""
    shared = call.repeats is not None or (call.cached and call.cached.result == "coalesced")
    theirs = isinstance(result.terminal, Failed) and result.terminal.body is not None
    ours = not (call.attempts or shared or theirs)
    refused = ours and isinstance(result.error, REFUSALS)
    return "rejected" if refused and result.outcome == "failed" else result.outcome


def without(call: Call) -> tuple[Without, ...]:
    """What is not done with the exchange, by the key of the request or by its workflow."""
    features, bodies = call.features, call.request.without_bodies
    if features is None:
        return ("bodies",) if bodies else ()
    said: tuple[tuple[Without, bool], ...] = (
        ("audit", features.audit),
        ("bodies", not bodies),
        ("budget", features.budget),
        ("usage", features.usage),
    )
    return tuple(name for name, done in said if not done)


def head_of(exchange: Exchange) -> Started:
    """What stands on the first record of an answer that is told again."""
    headers = exchange.http_headers if isinstance(exchange.http_headers, dict) else {}
    content_type = exchange.response.content_type if exchange.response else envelopes.JSON
    return Started(
        exchange.status,
        content_type,
        exchange.provider or "",
        exchange.response_model or "",
        headers,
        claim=exchange.response.claim if exchange.response else None,
    )


class Times:
    """When things happened: wall clock for the record, monotonic for durations."""

    __slots__ = ("_clock", "_taken_up", "_upstream_ended", "finished")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._taken_up = clock.time()
        self._upstream_ended: float | None = None
        self.finished = self._taken_up

    def ended(self) -> None:
        """The upstream's answer is whole, or will never be."""
        self._upstream_ended = self._clock.monotonic()
        self.finished = self._clock.time()

    def timings(self, created: float, call: Call) -> Timings:
        begun, ended, first = call.upstream_started, self._upstream_ended, call.first_content
        return Timings(
            total=_since(created, self.finished),
            queued=_since(created, self._taken_up),
            upstream=None if begun is None or ended is None else round(ended - begun, 6),
            first_token=None if begun is None or first is None else round(first - begun, 6),
        )


def _since(start: float, end: float) -> float:
    """Never negative: clocks of two machines differ."""
    return round(max(0.0, end - start), 6)
