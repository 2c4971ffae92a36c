"""All processes of the gateway by their heartbeats, and how fast the topics grow."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiokafka import ConsumerRecord, TopicPartition
from msgspec import Struct

from schemas.clock import Clock
from schemas.control import Heartbeat, decode

ALIVE = 5.0  # seconds after its last heartbeat that a process counts as alive


class TopicFlow(Struct, frozen=True):
    """One topic: `written` records ever, `rate` of them a second since the last look."""

    name: str
    partitions: int
    written: int
    rate: float | None  # None at the first look
    lag: int | None  # of those who must read it; None: of that nobody speaks


class Process(Struct, frozen=True):
    """One process, by its last heartbeat."""

    heartbeat: Heartbeat
    age: float  # seconds since it came


class Flow(Struct, frozen=True):
    """The picture of the gateway now."""

    time: float  # epoch seconds
    topics: tuple[TopicFlow, ...]
    processes: tuple[Process, ...]


class Processes:
    """Takes heartbeats, tells the flow."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[str, tuple[float, Heartbeat]] = {}
        self._before: tuple[float, dict[str, int]] | None = None

    def receive(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Take a record of `llm.control`; what is no heartbeat is passed over."""
        try:
            control = decode(record.value or b"")
        except msgspec.DecodeError:
            return
        if isinstance(control, Heartbeat):
            self._beats[control.boot_id] = (self._clock.monotonic(), control)

    def forget(self) -> None:
        """What was known is old."""
        self._beats.clear()
        self._before = None

    def flow(self, ends: Mapping[TopicPartition, int]) -> Flow:
        """The picture, with the end of each partition."""
        now = self._clock.monotonic()
        self._beats = {boot: found for boot, found in self._beats.items() if now - found[0] < ALIVE}
        written: dict[str, int] = {}
        partitions: dict[str, int] = {}
        for tp, end in ends.items():
            written[tp.topic] = written.get(tp.topic, 0) + end
            partitions[tp.topic] = partitions.get(tp.topic, 0) + 1
        before, self._before = self._before, (now, written)
        lags = self._lags()
        topics = tuple(
            TopicFlow(name, partitions[name], end, _rate(before, now, name, end), lags(name))
            for name, end in written.items()
        )
        order = sorted(self._beats.values(), key=lambda found: (found[1].role, found[1].boot_id))
        processes = tuple(Process(beat, round(now - seen, 1)) for seen, beat in order)
        return Flow(self._clock.time(), topics, processes)

    def _lags(self) -> _Lags:
        beats = [beat for _, beat in self._beats.values()]
        workers = [beat for beat in beats if beat.role == "streams"]
        sinks = [beat for beat in beats if beat.role == "sinks"]
        return _Lags(
            {
                ".batch": sum(beat.batch_lag for beat in workers) if workers else None,
                "requests": sum(beat.lag for beat in workers) if workers else None,
                "exchanges": sum(beat.lag for beat in sinks) if sinks else None,
            }
        )


class _Lags:
    """By the end of a topic's name: its beginning is a prefix that may be set."""

    def __init__(self, known: dict[str, int | None]) -> None:
        self._known = known

    def __call__(self, topic: str) -> int | None:
        return next((lag for end, lag in self._known.items() if topic.endswith(end)), None)


def _rate(
    before: tuple[float, dict[str, int]] | None, now: float, name: str, end: int
) -> float | None:
    if before is None or name not in before[1] or now <= before[0]:
        return None
    return round((end - before[1][name]) / (now - before[0]), 1)
