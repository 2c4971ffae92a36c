"""The innermost handler: one call of one provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from msgspec.structs import replace

from providers.base import Answered, Decoder, Dialogue, Opaque, Target, UpstreamRequest
from providers.passed_on import passed_on, relayed
from providers.transport import Transport, UpstreamResponse
from schemas.clock import Clock, rfc3339
from schemas.envelopes import JSON
from schemas.errors import GatewayError, ModelAccessDenied, PreviousResponseNotFound
from schemas.exchange import Attempt
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.requests import Request
from schemas.tracing import Tracer
from schemas.usage import Usage
from streams.metering import CallsInFlight
from streams.stages import Call, Replies
from streams.tracing import ProviderSpan

ERROR_BODY_BYTES = 1 << 20
_PREVIOUS = b"previous_response_id"
DROPPED_PARAMS = "sluice-dropped-params"


class Targets(Protocol):
    """Who knows where to send a request; `sluice` hands one in."""

    def resolve(self, model: str, user_path: str) -> Target:
        """By a model's name; ModelNotFound, or ModelAccessDenied if it is not for that user path."""
        ...

    def instance(self, name: str) -> Target:
        """By an instance's or a vendor's name; InvalidRequest."""
        ...

    def allows(self, instance: str, model: str, user_path: str) -> bool:
        """Whether that model of that instance may be called from there."""
        ...


class Recalls(Protocol):
    """Who knows what went before a request that continues another; `sluice` hands one in."""

    async def request_for(self, request: Request, target: Target) -> Request:
        """The request as the target can answer it; GatewayError."""
        ...

    async def retold(self, request: Request) -> Request | None:
        """The same in full, after the target has not found what it continues; GatewayError."""
        ...


class Caller:
    """Calls what a model name resolves to, or the provider that a relayed request names; a Handler."""

    def __init__(
        self,
        targets: Targets,
        converse: Callable[[Request, Target], Dialogue | Answered],
        transport: Transport,
        clock: Clock,
        metrics: Metrics,
        recall: Recalls | None = None,
    ) -> None:
        """`recall` makes a request whole that continues another, as far as the target needs it."""
        self.tracer: Tracer | None = None  # None: nothing is traced
        self._targets = targets
        self._converse = converse
        self._transport = transport
        self._clock = clock
        self._metrics = metrics
        self._in_flight = CallsInFlight(metrics)
        self._recall = recall

    def _target(self, call: Call) -> Target:
        if call.target is not None:
            return call.target
        if (relay := call.request.relay) is None:
            return self._targets.resolve(call.envelope.model, call.request.user_path)
        found = replace(self._targets.instance(relay.provider), model=call.envelope.model)
        if found.model and not self._targets.allows(
            found.instance, found.model, call.request.user_path
        ):
            raise ModelAccessDenied(param="model")
        return found

    async def __call__(self, call: Call) -> Replies:
        try:
            target = self._target(call)
            request = call.request
            if self._recall is not None:
                request = await self._recall.request_for(request, target)
            dialogue = self._converse(request, target)
        except GatewayError as error:
            yield Failed(error, error.status)
            return
        if isinstance(dialogue, Answered):
            yield Started(200, JSON, target.instance, target.model, dialogue.http_headers)
            yield Completed(dialogue.body)
            return
        continues = request.dialect == "openai_responses" and _PREVIOUS in request.body
        asked = self._continued if continues else self._asked
        async with aclosing(asked(call, target, dialogue)) as replies:
            async for reply in replies:
                yield reply

    async def _continued(self, call: Call, target: Target, dialogue: Dialogue) -> Replies:
        """The same of a request that continues another, which its provider may have lost."""
        lost: Failed | None = None
        async with aclosing(self._asked(call, target, dialogue)) as replies:
            async for reply in replies:
                if isinstance(reply, Failed) and isinstance(reply.error, PreviousResponseNotFound):
                    lost = reply
                else:
                    yield reply
        if lost is None:
            return
        again = await self._again(call.request, target)
        if again is None:
            yield lost
            return
        async with aclosing(self._asked(call, target, again)) as replies:
            async for reply in replies:
                yield reply

    async def _again(self, request: Request, target: Target) -> Dialogue | None:
        """What to say to a provider that has not found what the request continues; None: nothing."""
        if self._recall is None:
            return None
        try:
            whole = await self._recall.retold(request)
            found = None if whole is None else self._converse(whole, target)
        except GatewayError:
            return None  # the provider's own word on it is the answer
        return None if isinstance(found, Answered) else found

    async def _asked(self, call: Call, target: Target, dialogue: Dialogue) -> Replies:
        attempt = _Attempt(call, target, self._clock)
        in_flight = self._in_flight.begun(call, target)
        try:
            sent = self._sent(attempt, dialogue)
            # What is relayed does not say whether it is a stream.
            expected = call.streamed and call.request.relay is None
            async with self._transport.send(sent, content_expected=expected) as response:
                attempt.status = response.status
                if not 200 <= response.status < 300:
                    body = await response.read(ERROR_BODY_BYTES)
                    failure = dialogue.failure(response.status, response.headers, body)
                    attempt.note(failure)
                    yield failure
                    return
                if call.request.relay is not None:
                    call.streamed = not response.content_type.startswith(JSON)
                yield _started(attempt, response, dialogue)
                decoder = dialogue.decoder(response.content_type)
                call.abort = decoder.abort
                async with aclosing(_decoded(response, decoder)) as replies:
                    async for reply in replies:
                        attempt.note(reply)
                        if expected and attempt.first_content is not None:
                            response.content_seen()
                            expected = False
                        yield reply
        except GatewayError as error:
            attempt.note(failure := Failed(error, error.status))
            yield failure
        finally:
            self._in_flight.ended(in_flight)
            self._note(attempt)

    def _sent(self, attempt: _Attempt, dialogue: Dialogue) -> UpstreamRequest:
        sent, target = dialogue.sent, attempt.target
        if target.endpoint.proxy is not None:
            sent = replace(sent, proxy=target.endpoint.proxy)
        if self.tracer is None:
            return sent
        attempt.span = ProviderSpan(self.tracer, attempt.call, target, sent)
        return attempt.span.carried(sent)

    def _note(self, attempt: _Attempt) -> None:
        attempt.close()
        provider = attempt.target.instance
        status = str(attempt.status or "none")
        self._metrics.counter("sluice_upstream_calls", provider, status).inc()
        self._metrics.histogram("sluice_upstream_duration_seconds", provider).observe(
            attempt.duration
        )
        if (first := attempt.first_content) is not None:
            self._metrics.histogram("sluice_first_token_seconds", provider).observe(
                first - attempt.begun
            )


def _started(attempt: _Attempt, response: UpstreamResponse, dialogue: Dialogue) -> Started:
    media_type = dialogue.media_type(response.content_type)
    if attempt.span is not None:
        attempt.span.begun(media_type)
    return Started(
        response.status,
        media_type,
        attempt.target.instance,
        attempt.target.model,
        _http_headers(attempt.call.request, response, dialogue),
        _length(response),
    )


def _length(response: UpstreamResponse) -> int | None:
    """Bytes of the body, if the provider has said so."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else None


def _http_headers(
    request: Request, response: UpstreamResponse, dialogue: Dialogue
) -> dict[str, str]:
    if request.relay is not None:
        return relayed(response.headers)
    headers = passed_on(response.headers)
    if dialogue.dropped:
        headers[DROPPED_PARAMS] = ", ".join(dialogue.dropped)
    return headers


async def _decoded(response: UpstreamResponse, decoder: Decoder) -> AsyncGenerator[Reply, None]:
    """The replies in a body. A cut that comes after the answer was whole does no harm."""
    cut: GatewayError | None = None
    try:
        async for data in response:
            for reply in decoder.feed(data):
                yield reply
                if isinstance(reply, Failed):
                    return
            if decoder.done:
                await response.drain()
                break
    except GatewayError as error:
        cut = error
    if cut is not None and isinstance(decoder, Opaque):
        yield decoder.cut(cut)
        return
    end = decoder.finish()
    if isinstance(end, Failed) and cut is not None:
        end = Failed(cut, cut.status, event=decoder.abort(cut), usage=end.usage)
    yield end


class _Attempt:
    """Notes for the exchange."""

    def __init__(self, call: Call, target: Target, clock: Clock) -> None:
        self.call = call
        self.target = target
        self.status: int | None = None
        self.begun = clock.monotonic()
        self.duration = 0.0
        self._started_at = rfc3339(clock.time())
        self._clock = clock
        self._error: str | None = None
        self._usage: Usage | None = None
        self.first_content: float | None = None  # monotonic seconds
        self.span: ProviderSpan | None = None  # while it is traced
        if call.upstream_started is None:
            call.upstream_started = self.begun

    def note(self, reply: Reply) -> None:
        if isinstance(reply, Chunk):
            if self.first_content is None and reply.content:
                self.first_content = self._clock.monotonic()
                if self.call.first_content is None:
                    self.call.first_content = self.first_content
        elif isinstance(reply, Failed):
            self._error = reply.error.code
            self._usage = reply.usage
        if self.span is not None:
            self.span.note(reply)

    def close(self) -> None:
        self.duration = round(self._clock.monotonic() - self.begun, 6)
        if self.span is not None:
            first = self.first_content
            self.span.end(self.status, self.duration, None if first is None else first - self.begun)
        self.call.attempts.append(
            Attempt(
                self.target.instance,
                self.target.model,
                self._started_at,
                self.duration,
                self.status,
                self._error,
                self._usage,
            )
        )
