"""One candidate after the other, and one answer."""

import asyncio

import pytest

from schemas.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    RateLimited,
    StreamTruncated,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from schemas.replies import Chunk, Completed, Failed, Started
from schemas.tasks import Tasks
from streams.routing.config import BreakerConfig, RetryConfig
from tests.streams.stages.fakes import END, Gateway, fails, said

GONE = 999  # no answer


def whole(*words: str) -> list[object]:
    return [*said(*words), Completed(END)]


async def test_an_answer_passes_through() -> None:
    """One call, its replies in order, and how many calls it took in the head."""
    gateway = Gateway({"a/m": [whole("one", " two")]})
    started, *chunks, completed = await gateway.ask(stream=True)

    assert isinstance(started, Started)
    assert started.http_headers["sluice-attempts"] == "1"
    assert [type(chunk) for chunk in chunks] == [Chunk] * 3
    assert completed == Completed(END)
    assert gateway.providers.calls == ["a/m"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_is_retried_and_then_answered_by_the_next(stream: bool) -> None:
    """500 twice at the first: the second answers, and nothing of the first is seen."""
    gateway = Gateway({"a/m": [fails(UpstreamError(), 500)], "b/m": [whole("yes")]})
    started, *_, completed = await gateway.ask(stream=stream)

    assert gateway.providers.calls == ["a/m", "a/m", "b/m"]
    assert isinstance(started, Started)
    assert (started.provider, started.http_headers["sluice-attempts"]) == ("b", "3")
    assert isinstance(completed, Completed)
    assert gateway.metrics.counter("sluice_retries").value == 2
    assert gateway.metrics.counter("sluice_failovers").value == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(UpstreamUnreachable(), GONE), (UpstreamTimeout(), GONE), (StreamTruncated(), 200)],
)
async def test_who_does_not_answer_is_left_at_once(error: UpstreamError, status: int) -> None:
    """Refused, silent or cut: the next one, without a second call."""
    gateway = Gateway({"a/m": [fails(error, status)], "b/m": [whole("yes")]})

    assert await gateway.told() == "yes"
    assert gateway.providers.calls == ["a/m", "b/m"]


async def test_what_has_no_content_is_held_back() -> None:
    """A stream that breaks off after its role is as if it had never been."""
    gateway = Gateway({"a/m": [[*said(), Failed(StreamTruncated(), 502)]], "b/m": [whole("yes")]})
    replies = await gateway.ask(stream=True)

    assert sum(isinstance(reply, Started) for reply in replies) == 1
    assert isinstance(replies[-1], Completed)


async def test_a_plain_answer_is_seen_when_it_is_whole() -> None:
    """Pieces of one that breaks off are not seen, whatever they hold."""
    broken = [*said("half"), Failed(StreamTruncated(), 502)]
    gateway = Gateway({"a/m": [broken], "b/m": [whole("yes")]})
    replies = await gateway.ask(stream=False)

    assert b"half" not in b"".join(r.data for r in replies if isinstance(r, Chunk))


async def test_nobody_answers() -> None:
    """The last failure is told, with the number of calls; the budget is kept."""
    gateway = Gateway(
        {"a/m": [fails(UpstreamError(), 500)], "b/m": [fails(UpstreamError("no"), 503)]}
    )
    (failed,) = await gateway.ask(stream=True)

    assert isinstance(failed, Failed)
    assert (failed.error.message, failed.status) == ("no", 503)
    assert failed.http_headers["sluice-attempts"] == "4"
    assert gateway.providers.calls == ["a/m", "a/m", "b/m", "b/m"]


async def test_mistakes_are_told() -> None:
    """400 is asked of nobody else; a prompt that is too long is, by default."""
    mistake = Gateway({"a/m": [fails(InvalidRequest(), 400)], "b/m": [whole("yes")]})
    long = Gateway({"a/m": [fails(ContextLengthExceeded(), 400)], "b/m": [whole("yes")]})

    assert await mistake.told() == " !invalid_request"
    assert await long.told() == "yes"
    assert long.providers.calls == ["a/m", "b/m"]


async def test_a_limit_is_waited_for() -> None:
    """With a short Retry-After the same candidate answers after it, for other requests too."""
    retry = RetryConfig(retry_after_max=0.1)
    limited = fails(
        RateLimited(), 429, **{"x-ratelimit-remaining": "0", "x-ratelimit-reset": "50ms"}
    )
    gateway = Gateway({"a/m": [limited, whole("yes")]}, retry=retry)

    assert await gateway.told() == "yes"
    assert gateway.providers.calls == ["a/m", "a/m"]
    assert gateway.providers.limited == [("a", 0)]


async def test_a_long_limit_rests_the_candidate() -> None:
    """The next one answers; while it rests the first is not asked at all."""
    gateway = Gateway({"a/m": [fails(RateLimited(retry_after=60), 429)], "b/m": [whole("yes")]})

    assert await gateway.told() == "yes"
    assert await gateway.told() == "yes"
    assert gateway.providers.calls == ["a/m", "b/m", "b/m"]


async def test_a_limit_is_told_to_those_who_come_later() -> None:
    """While the only candidate rests nobody is sent to it: 429 with the seconds that are left."""
    gateway = Gateway({"a/m": [fails(RateLimited(retry_after=60), 429)]})
    await gateway.ask(stream=True)
    (failed,) = await gateway.ask(stream=True)

    assert isinstance(failed, Failed)
    assert (failed.status, failed.error.code) == (429, "rate_limit_exceeded")
    assert failed.error.retry_after in (59, 60)
    assert gateway.providers.calls == ["a/m"]


async def test_another_key_is_used_at_once() -> None:
    """An instance with a second key is asked again with that one."""
    gateway = Gateway({"a/m": [fails(RateLimited(retry_after=60), 429), whole("yes")]})
    gateway.providers.keys["a"] = 2

    assert await gateway.told() == "yes"


async def test_an_open_breaker_is_passed_over() -> None:
    """A candidate that failed too often is not asked; with nobody else there is 503 and a time."""
    breaker = BreakerConfig(failure_threshold=1)
    two = Gateway(
        {"a/m": [fails(UpstreamUnreachable(), GONE)], "b/m": [whole("yes")]}, breaker=breaker
    )
    assert [await two.told(), await two.told()] == ["yes", "yes"]
    assert two.providers.calls == ["a/m", "b/m", "b/m"]

    one = Gateway({"a/m": [fails(UpstreamTimeout(), GONE)]}, breaker=breaker)
    await one.ask(stream=True)
    (failed,) = await one.ask(stream=True)
    assert isinstance(failed, Failed)
    assert (failed.status, failed.error.code) == (503, "upstream_unavailable")
    assert failed.error.retry_after == 1
    assert one.providers.calls == ["a/m"]


async def test_a_deadline_ends_the_attempts() -> None:
    """What cannot begin in time is not begun."""
    gateway = Gateway({"a/m": [fails(UpstreamError(), 500)], "b/m": [whole("yes")]})

    assert await gateway.told(deadline=1.0) == " !upstream_error"
    assert gateway.providers.calls == ["a/m"]


async def test_a_full_instance() -> None:
    """Calls beyond the limit go to the next candidate; without one they wait."""
    two = Gateway({"a/m": [whole("a")], "b/m": [whole("b")]}, max_concurrency={"a": 1})
    two.health.enter("a")
    assert await two.told() == "b"

    one, tasks = Gateway({"a/m": [whole("a")]}, max_concurrency={"a": 1}), Tasks()
    one.health.enter("a")
    waiting = tasks.start(one.told(), name="wait")
    await asyncio.sleep(0.01)
    assert one.providers.calls == []
    one.health.leave("a")
    assert await waiting == "a"


async def test_who_stops_reading_ends_the_call() -> None:
    """Closing the handler ends the call, frees its place, and says nothing of the provider."""
    gateway = Gateway({"a/m": [whole("one", "two")]}, breaker=BreakerConfig(failure_threshold=1))
    call = await _begun(gateway)
    await call.aclose()

    assert gateway.providers.open == 0
    assert gateway.health.running("a") == 0
    assert gateway.health.of("a", "m").breaker.state == "closed"


async def _begun(gateway: Gateway):  # type: ignore[no-untyped-def]  # a generator
    await gateway.ask(stream=True)
    assert gateway.call is not None
    replies = gateway.stage(gateway.call)
    assert isinstance(await anext(replies), Started)
    return replies
