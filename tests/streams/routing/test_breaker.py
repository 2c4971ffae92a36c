"""The breaker's life, with time moved by hand."""

import pytest

from streams.routing.breaker import Breaker
from streams.routing.config import BreakerConfig

CONFIG = BreakerConfig(failure_threshold=3, success_threshold=2, first_probe=1.0, timeout=4.0)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(CONFIG)
    for _ in range(3):
        assert breaker.enter(now)
        breaker.failed(now)
    return breaker


def test_only_failures_in_a_row_open_it() -> None:
    """A success in between begins the count anew."""
    breaker = Breaker(CONFIG)
    for failed in (True, True, False, True, True):
        breaker.enter(0.0)
        if failed:
            breaker.failed(0.0)
        else:
            breaker.succeeded()

    assert breaker.state == "closed"


def test_an_open_one_lets_nothing_through_until_the_probe() -> None:
    """After the third failure nothing passes for a second, then exactly one call."""
    breaker = opened()

    assert not breaker.enter(0.99)
    assert breaker.retry_in(0.25) == 0.75
    assert breaker.enter(1.0)
    assert not breaker.enter(1.0)


def test_probes_come_ever_later_up_to_the_timeout() -> None:
    """Failed probes follow after 1, 2, 4, 4 seconds."""
    breaker, now, waits = opened(), 0.0, []
    for _ in range(4):
        waits.append(breaker.retry_in(now))
        now += breaker.retry_in(now)
        assert breaker.enter(now)
        breaker.failed(now)

    assert waits == [1.0, 2.0, 4.0, 4.0]


def test_enough_good_probes_close_it_and_the_first_interval_counts_again() -> None:
    """Two good probes, one after the other, close it; a later outage is probed after one second."""
    breaker = opened()
    breaker.enter(1.0)
    breaker.failed(1.0)
    breaker.enter(3.0)
    breaker.succeeded()
    assert breaker.state == "half_open"
    assert breaker.enter(3.0)
    breaker.succeeded()
    assert breaker.state == "closed"

    for _ in range(3):
        breaker.enter(9.0)
        breaker.failed(9.0)
    assert breaker.retry_in(9.0) == 1.0


def test_an_abandoned_probe_says_nothing() -> None:
    """When the caller of a probe goes away, the next call is the probe."""
    breaker = opened()
    breaker.enter(1.0)
    breaker.abandoned()

    assert breaker.state == "half_open"
    assert breaker.enter(1.0)


@pytest.mark.parametrize("failures", [1, 100])
def test_a_threshold_of_zero_turns_it_off(failures: int) -> None:
    """With CIRCUIT_BREAKER_FAILURE_THRESHOLD=0 it never opens."""
    breaker = Breaker(BreakerConfig(failure_threshold=0))
    for _ in range(failures):
        breaker.failed(0.0)

    assert breaker.available(0.0)


def test_calls_that_ran_when_it_opened_say_nothing_more() -> None:
    """Fifty requests that fail together make one outage of one second, not of thirty; one that still
    ends well closes nothing."""
    breaker = Breaker(CONFIG)
    for _ in range(50):
        assert breaker.enter(0.0)
    for _ in range(50):
        breaker.failed(0.0)
    assert breaker.retry_in(0.0) == 1.0
    breaker.succeeded()

    assert breaker.state == "open"
    assert not breaker.available(0.5)


def test_a_long_answer_does_not_hold_up_the_next_probe() -> None:
    """A probe that answers lets the next one through before its stream has ended."""
    breaker = opened()
    breaker.enter(1.0)
    assert not breaker.available(1.0)
    breaker.answering()

    assert breaker.available(1.0)
    assert breaker.state == "half_open"
