"""From an answer to its exchange."""

from typing import Any

import pytest

from schemas.bodies import Envelope
from schemas.budget_errors import BudgetExceeded
from schemas.envelopes import error_body, error_event
from schemas.errors import (
    GatewayError,
    GuardrailBlocked,
    Interrupted,
    ModelAccessDenied,
    RateLimited,
)
from schemas.exchange import Attempt, Cached, Exchange
from schemas.replies import Completed, Failed, Started
from schemas.requests import DIALECTS, Dialect, Request
from schemas.workflows import Features
from streams.delivery import parse
from streams.settlement import Result, Times, settle
from streams.stages import Call
from tests.streams.fakes import Clock, record


def call(dialect: Dialect = "openai_chat") -> Call:
    return Call(Request(request_id="r", body=b"{}", dialect=dialect), Envelope("m"))


def test_times_are_measured_and_never_negative() -> None:
    """Queued from the producer's clock, the call from ours; a producer ahead of us costs no sense."""
    clock = Clock()
    times, delivery = Times(clock), parse(record(1, "a"))
    asked = Call(delivery.request, delivery.envelope)
    asked.upstream_started = clock.now + 1
    asked.first_content = clock.now + 3
    clock.now += 5
    times.ended()
    timings = times.timings(clock.now - 7, asked)

    assert (timings.total, timings.queued, timings.upstream, timings.first_token) == (7, 2, 4, 2)
    assert times.timings(clock.now + 100, asked).total == 0


def test_a_failure_before_the_call_names_the_attempted_provider() -> None:
    """What was tried last, when nothing was started."""
    delivery = parse(record(1, "a"))
    asked = Call(delivery.request, delivery.envelope)
    asked.attempts.append(Attempt("east", "m", "2026-01-01T00:00:00Z", 0.1, None, "x"))
    result = Result(asked).failed(Failed(Interrupted(), 502), "failed", begun=False)
    exchange = settle(delivery, asked, result, Times(Clock()))

    assert exchange.provider == "east"
    assert exchange.status == 502


@pytest.mark.parametrize("begun", [True, False])
def test_the_providers_own_error_event_is_kept(begun: bool) -> None:
    """In-band as an event, before the beginning as the body."""
    result = Result(call())
    result.begun(Started(200, "text/event-stream", "sim", "m"))
    failed = Failed(Interrupted(), 502, b'{"error":1}', b'data: {"error":1}\n\n')
    result.failed(failed, "failed", begun=begun)

    assert result.final == (b'data: {"error":1}\n\n' if begun else b'{"error":1}')


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_error_of_ours_is_told_in_the_callers_dialect(dialect: Dialect) -> None:
    """Before the beginning as a body, later as the event by which the answer's own writer ends."""
    failed, asked = Failed(Interrupted(), 502), call(dialect)
    before = Result(asked).failed(failed, "failed", begun=False)
    unwritten = Result(asked).failed(failed, "failed", begun=True)
    asked.abort = lambda error: b"event: " + error.code.encode()
    written = Result(asked).failed(failed, "failed", begun=True)

    assert before.final == error_body(dialect, failed.error)
    assert unwritten.final == error_event(dialect, failed.error)
    assert written.final == b"event: stream_interrupted"


def test_pieces_are_taken_once() -> None:
    """What was sent is not sent again with the end."""
    result = Result(call())
    result.piece(b"a")
    assert result.take() == b"a"
    result.piece(b"b")
    result.piece(b"c")

    assert result.take() == b"bc"
    assert result.take() == b""
    assert result.completed(Completed(b"d")).final == b"d"
    assert result.body == [b"a", b"b", b"c"]


def settled(error: GatewayError, **known: Any) -> Exchange:
    """The exchange of a request that ended with an error."""
    delivery = parse(record(1, "a"))
    asked = Call(delivery.request, delivery.envelope)
    for name, value in known.items():
        setattr(asked, name, value)
    failed = Failed(error, error.status)
    result = Result(asked).failed(failed, "failed", begun=False)
    return settle(delivery, asked, result, Times(Clock()))


@pytest.mark.parametrize(
    "error",
    [BudgetExceeded(), RateLimited(), GuardrailBlocked(), ModelAccessDenied()],
    ids=lambda error: str(error.code),
)
def test_what_the_gateway_refuses_is_rejected(error: GatewayError) -> None:
    """Nobody was asked; the same error of a provider, or of another's call, is a failure."""
    attempt = Attempt("east", "m", "2026-01-01T00:00:00Z", 0.1, 400, "x")
    assert settled(error).outcome == "rejected"
    assert settled(error, attempts=[attempt]).outcome == "failed"
    assert settled(error, cached=Cached("coalesced", "k")).outcome == "failed"
    assert settled(error, repeats="other").outcome == "failed"
    assert settled(Interrupted()).outcome == "failed"


def test_what_a_workflow_leaves_out_stands_in_the_exchange() -> None:
    """By the features of the workflow, and by the key of the request."""
    features = Features(audit=False, usage=False, budget=False, cache=False)
    assert settled(Interrupted(), features=features).without == ("audit", "budget", "usage")
    request = Request(request_id="r", body=b"{}", without_bodies=True)
    assert settled(Interrupted(), request=request).without == ("bodies",)
    assert settled(Interrupted(), features=Features()).without == ()
