"""The picture of the gateway, by heartbeats and the ends of partitions."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from msgspec.structs import replace

from ingress.processes import ALIVE, Processes
from schemas.control import Heartbeat, encode
from tests.streams.fakes import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


WORKER = Heartbeat("streams", "w1", "host", 1, 0.0, partitions=(0,), lag=4, batch_lag=7)
SINK = Heartbeat("sinks", "s1", "host", 2, 0.0, partitions=(0,), lag=2)


class Record:
    def __init__(self, value: bytes) -> None:
        self.value = value


def heard(processes: Processes, *beats: Heartbeat) -> None:
    for beat in beats:
        record: Any = Record(encode(beat)[0])
        processes.receive(record)


def ends(requests: int, exchanges: int) -> dict[TopicPartition, int]:
    return {
        TopicPartition("x.requests", 0): requests,
        TopicPartition("x.requests", 1): requests,
        TopicPartition("x.requests.batch", 0): 0,
        TopicPartition("x.exchanges", 0): exchanges,
    }


def test_rates_are_of_the_time_between_two_looks(clock: Clock) -> None:
    """The first look knows none; the second divides what was written by the seconds since."""
    processes = Processes(clock)
    first = processes.flow(ends(10, 0))
    clock.now += 2.0
    second = processes.flow(ends(15, 8))

    assert [each.rate for each in first.topics] == [None, None, None]
    found = {each.name: each for each in second.topics}
    assert (found["x.requests"].rate, found["x.requests"].written) == (5.0, 30)
    assert (found["x.exchanges"].rate, found["x.requests.batch"].rate) == (4.0, 0.0)


def test_lag_is_of_those_who_must_read(clock: Clock) -> None:
    """Of requests the workers', of exchanges the sinks'; with nobody to tell of it, none."""
    processes = Processes(clock)
    assert {each.lag for each in processes.flow(ends(1, 1)).topics} == {None}
    heard(processes, WORKER, replace(WORKER, boot_id="w2", lag=1), SINK)

    found = {each.name: each.lag for each in processes.flow(ends(1, 1)).topics}

    assert found == {"x.requests": 5, "x.requests.batch": 14, "x.exchanges": 2}


def test_who_falls_silent_is_gone(clock: Clock) -> None:
    """A process counts as alive for some seconds after its last heartbeat."""
    processes = Processes(clock)
    heard(processes, WORKER)
    clock.now += ALIVE - 1
    heard(processes, SINK)
    assert [each.age for each in processes.flow({}).processes] == [0.0, ALIVE - 1]
    clock.now += 1.5

    assert [each.heartbeat.role for each in processes.flow({}).processes] == ["sinks"]


def test_other_records_are_passed_over(clock: Clock) -> None:
    """The control topic is written by every role and version."""
    processes = Processes(clock)
    for value in (b"", b"{}", b"\xff", b'{"type":"of another version"}'):
        record: Any = Record(value)
        processes.receive(record)

    assert processes.flow({}).processes == ()
