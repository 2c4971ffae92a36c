"""What a worker knows of each provider."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from schemas.metrics import Metrics
from schemas.tasks import Tasks
from streams.routing.config import BreakerConfig
from streams.routing.health import HealthBook


def book(**limits: int) -> HealthBook:
    return HealthBook(BreakerConfig(failure_threshold=1), limits)


def test_each_model_of_each_instance_has_its_own() -> None:
    """A model that fails closes neither its neighbour nor itself elsewhere."""
    known = book()
    known.of("a", "m").breaker.failed(0.0)

    assert not known.of("a", "m").breaker.available(0.0)
    assert known.of("a", "n").breaker.available(0.0)
    assert known.of("b", "m").breaker.available(0.0)


def test_an_instance_may_have_its_own_breaker() -> None:
    """What its configuration says counts more than what is said of all."""
    known = HealthBook(BreakerConfig(failure_threshold=1), {}, {"b": BreakerConfig()})
    for instance in "ab":
        known.of(instance, "m").breaker.failed(0.0)

    assert not known.of("a", "m").breaker.available(0.0)
    assert known.of("b", "m").breaker.available(0.0)


def test_a_rest_is_never_shortened() -> None:
    """The longest that was asked for counts."""
    health = book().of("a", "m")
    health.rest(9.0)
    health.rest(4.0)

    assert health.resting_until == 9.0


def test_times_are_averaged_apart() -> None:
    """Streams by their first token, plain answers by the whole; new ones count for a fifth."""
    health = book().of("a", "m")
    assert health.latency(streamed=True) is None
    health.observe(1.0, streamed=True)
    health.observe(2.0, streamed=True)

    assert health.latency(streamed=True) == 1.2
    assert health.latency(streamed=False) is None


async def test_room() -> None:
    """An instance takes as many calls as its limit says; who waits goes on when one has ended."""
    known, tasks = book(a=1), Tasks()
    known.enter("a")
    known.enter("b")
    assert not known.has_room("a")
    assert known.has_room("b")
    waiting = [tasks.start(known.wait_for_room(), name="wait") for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    known.leave("a")
    await waiting[1]

    assert known.has_room("a")
    assert known.running("a") == 0


def test_breakers_are_shown() -> None:
    """0 closed, 1 open, for what was called."""
    metrics, known = Metrics(), book()
    known.shown_in(metrics)
    known.of("a", "m").breaker.failed(0.0)
    known.of("a", "n")
    families = text_string_to_metric_families(metrics.exposition().decode())
    (found,) = [family for family in families if family.name == "sluice_breaker_state"]

    assert {each.labels["model"]: each.value for each in found.samples} == {"m": 1.0, "n": 0.0}


def test_who_is_not_asked_as_usual() -> None:
    """An open breaker and a rest that is not over are told by name; what works is not."""
    known = book()
    known.of("a", "broken").breaker.failed(0.0)
    known.of("b", "tired").rest(10.0)
    known.of("c", "well")

    assert known.troubled(5.0) == {"a/broken": "open", "b/tired": "resting"}
    assert known.troubled(11.0) == {"a/broken": "open"}
