"""The workers as their heartbeats show them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ingress.control import ALIVE, Workers
from schemas.control import Cancellation, Control, Heartbeat, encode


class Hand:
    """A clock moved by hand."""

    now = 100.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


def record(control: Control) -> Any:
    return SimpleNamespace(value=encode(control)[0])


def beat(boot: str, **fields: Any) -> Heartbeat:
    known: dict[str, Any] = {"role": "streams", "partitions": (0,)}
    return Heartbeat(boot_id=boot, host="h", pid=1, time=0.0, **(known | fields))


def test_workers_count_while_they_beat() -> None:
    """Those with partitions and not stopping, for five seconds after the last word."""
    clock = Hand()
    workers = Workers(clock)

    workers.receive(record(beat("a")))
    workers.receive(record(beat("b", partitions=())))
    workers.receive(record(beat("c", stopping=True)))
    workers.receive(record(beat("d", role="sinks")))

    assert workers.serving() == 1
    clock.now += ALIVE
    assert workers.serving() == 0


@pytest.mark.parametrize(
    ("beats", "wait"),
    [
        ([], 0.0),
        ([{"lag": 100}], 0.0),
        ([{"lag": 100, "running": 10, "service_time": 0.0}], 0.0),
        ([{"lag": 100, "running": 0, "service_time": 2.0}], 0.0),
        ([{"lag": 80, "queued": 20, "running": 10, "service_time": 2.0}], 20.0),
        ([{"lag": 100, "running": 10, "service_time": 2.0}] * 2, 20.0),
        ([{"batch_lag": 50_000, "batch_queued": 9, "running": 10, "service_time": 2.0}], 0.0),
        (
            [{"lag": 100, "running": 10, "service_time": 2.0}, {"running": 5, "service_time": 1.0}],
            10.0,
        ),
    ],
)
def test_the_wait_is_queue_over_throughput(beats: list[dict[str, Any]], wait: float) -> None:
    """Over all workers together; nothing is claimed while either is unknown. What
    waits in the batch lane is in nobody's way."""
    workers = Workers(Hand())

    for number, fields in enumerate(beats):
        workers.receive(record(beat(str(number), **fields)))

    assert workers.expected_wait == wait


def test_other_records_are_passed_over() -> None:
    """Cancellations, and bytes of some later version."""
    workers = Workers(Hand())

    workers.receive(record(Cancellation("id", "disconnected")))
    workers.receive(cast("Any", SimpleNamespace(value=b"\xff")))
    workers.receive(cast("Any", SimpleNamespace(value=None)))

    assert workers.serving() == 0
