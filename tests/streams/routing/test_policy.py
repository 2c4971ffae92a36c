"""The table of docs/routing.md, row by row."""

import pytest

from schemas.errors import (
    ContentFiltered,
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    KeyRefused,
    ModelNotFound,
    RateLimited,
    StreamTruncated,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from streams.routing.config import RetryConfig, Trigger
from streams.routing.policy import Failure, Next, counts_against, follow

CONFIG = RetryConfig(max_retries=3, initial_backoff=1.0, max_backoff=3.0, retry_after_max=5.0)


def step(
    error: GatewayError,
    status: int | None,
    *,
    calls: int = 1,
    others: bool = True,
    retries: int = 0,
    triggers: frozenset[Trigger] = frozenset(),
) -> Next:
    told = None if error.retry_after is None else float(error.retry_after)
    failure = Failure(error, status, calls, int(others), told)
    return follow(failure, retries, CONFIG, triggers, 0.0)


def test_a_short_retry_after_is_waited_for() -> None:
    """429 with Retry-After up to RETRY_AFTER_MAX: the same candidate again, after that time."""
    assert step(RateLimited(retry_after=5), 429) == Next("again", 5.0, 5.0)
    assert step(RateLimited(retry_after=5), 429, calls=2, retries=1) == Next("next", 0.0, 5.0)


def test_another_key_is_tried_at_once() -> None:
    """A limit holds for one key; the instance's others are asked without a wait, and it does not rest."""
    failure = Failure(RateLimited(), 429, 1, 1, 60.0, free_key=True)

    assert follow(failure, 0, CONFIG, frozenset(), 0.0) == Next("again")
    assert follow(failure, 3, CONFIG, frozenset(), 0.0) == Next("next")


def test_an_overload_that_says_how_long_is_waited_for() -> None:
    """503 with Retry-After: at least so long, and not at all if it is too long."""
    assert step(UpstreamError(retry_after=4), 503) == Next("again", 4.0)
    assert step(UpstreamError(retry_after=60), 503) == Next("next")


@pytest.mark.parametrize(("others", "expected"), [(True, "next"), (False, "stop")])
def test_a_long_retry_after_is_not(others: bool, expected: str) -> None:
    """A longer one: the next candidate, and this one rests for all requests as long as it asked."""
    found = step(RateLimited(retry_after=60), 429, others=others)

    assert found == Next(expected, 0.0, 60.0)  # type: ignore[arg-type]  # one of its literals


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
def test_a_passing_failure_is_retried_at_the_same_then_at_the_next(status: int) -> None:
    """Once more at the same candidate, then at the next one at once."""
    error = UpstreamTimeout() if status in (408, 504) else UpstreamError()

    assert step(error, status) == Next("again", 1.0)
    assert step(error, status, calls=2, retries=1) == Next("next")
    assert step(error, status, calls=2, retries=1, others=False) == Next("again", 2.0)


def test_429_without_retry_after_backs_off() -> None:
    """Without a Retry-After the wait is the exponential one."""
    assert step(RateLimited(), 429) == Next("again", 1.0)


def test_waits_grow_up_to_the_longest() -> None:
    """1, 2, then 3 seconds, which is RETRY_MAX_BACKOFF; then the budget is spent."""
    found = [step(UpstreamError(), 500, others=False, retries=retries) for retries in range(4)]

    assert [each.wait for each in found] == [1.0, 2.0, 3.0, 0.0]
    assert found[3].step == "stop"


def test_jitter_takes_a_share_of_the_wait() -> None:
    """Full jitter makes any wait down to none of it; half of it keeps half."""
    failure = Failure(UpstreamError(), 500, 1, 0)
    half = RetryConfig(initial_backoff=1.0, jitter=0.5)

    assert follow(failure, 0, CONFIG, frozenset(), 0.75).wait == 0.25
    assert follow(failure, 0, half, frozenset(), 1.0).wait == 0.5


def test_a_refused_connection_leaves_at_once() -> None:
    """The next candidate without a wait; backing off only if there is none."""
    assert step(UpstreamUnreachable(), None) == Next("next")
    assert step(UpstreamUnreachable(), None, others=False) == Next("again", 1.0)


def test_a_silent_route_is_not_asked_again() -> None:
    """No headers, no first token, silence: the next candidate, or the end if there is none."""
    assert step(UpstreamTimeout(), None) == Next("next")
    assert step(UpstreamTimeout(), 200) == Next("next")
    assert step(UpstreamTimeout(), 200, others=False).step == "stop"


def test_a_broken_stream_moves_on() -> None:
    """A stream that was cut or malformed before any content: the next candidate."""
    assert step(StreamTruncated(), 200) == Next("next")
    assert step(StreamTruncated(), 200, others=False) == Next("again", 1.0)


@pytest.mark.parametrize(
    ("error", "status", "trigger"),
    [
        (ContextLengthExceeded(), 400, "context_length"),
        (ContentFiltered(), 400, "content_filter"),
        (KeyRefused(), 401, "unauthorized"),
        (ModelNotFound(), 404, "model_not_found"),
        (InvalidRequest(), 422, "invalid"),
    ],
)
def test_what_no_repetition_mends(error: GatewayError, status: int, trigger: Trigger) -> None:
    """Never retried at the same candidate; another one is asked only where that is configured."""
    assert step(error, status) == Next("stop")
    assert step(error, status, triggers=frozenset({trigger})) == Next("next")
    assert step(error, status, triggers=frozenset({trigger}), others=False) == Next("stop")
    assert not counts_against(error, status)


def test_the_budget_is_the_requests() -> None:
    """After the last retry nobody is asked a second time; who was not asked yet is asked once."""
    assert step(UpstreamUnreachable(), None, retries=3).step == "next"
    assert step(UpstreamUnreachable(), None, retries=3, others=False).step == "stop"


def test_calls_are_spared_for_those_who_were_not_asked_yet() -> None:
    """With as many candidates left as retries, nobody is asked twice."""
    failure = Failure(UpstreamError(), 500, 1, 3)

    assert follow(failure, 0, CONFIG, frozenset(), 0.0) == Next("next")
    assert follow(failure, 0, RetryConfig(max_retries=4), frozenset(), 0.5).step == "again"


def test_what_tells_of_a_providers_health() -> None:
    """Its failures and silences count, its answers to mistakes and its rate limits do not."""
    assert counts_against(UpstreamError(), 500)
    assert counts_against(StreamTruncated(), 200)
    assert counts_against(UpstreamUnreachable(), None)
    assert not counts_against(RateLimited(), 429)
