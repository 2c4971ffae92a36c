"""The workers as their heartbeats on `llm.control` show them: who lives, and how long the queue is."""

from __future__ import annotations

import msgspec
from aiokafka import ConsumerRecord

from schemas.clock import Clock
from schemas.control import CacheReport, Heartbeat, decode

ALIVE = 5.0  # seconds after its last heartbeat that a worker counts as alive


class Workers:
    """What is known of the workers. `expected_wait` is kept ready: every request asks for it."""

    __slots__ = ("_clock", "_seen", "caches", "expected_wait")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, Heartbeat]] = {}
        self.caches: dict[
            str, CacheReport
        ] = {}  # by worker, the last one, also of those that are gone
        self.expected_wait = 0.0  # seconds that a request published now would wait

    def receive(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Take a record of `llm.control`; anything but a worker's heartbeat is passed over."""
        try:
            control = decode(record.value or b"")
        except msgspec.DecodeError:
            return  # not ours to judge: the topic is written by every role and version
        if isinstance(control, Heartbeat) and control.role == "streams":
            self._seen[control.boot_id] = (self._clock.monotonic(), control)
            if control.cache is not None:
                self.caches[control.cache.worker] = control.cache
            self.refresh()

    def refresh(self) -> None:
        """Forget workers that have fallen silent and work out the wait again."""
        now = self._clock.monotonic()
        self._seen = {
            boot: (seen, beat) for boot, (seen, beat) in self._seen.items() if now - seen < ALIVE
        }
        self.expected_wait = _expected_wait([beat for _, beat in self._seen.values()])

    def serving(self) -> int:
        """How many workers have partitions and are not stopping."""
        self.refresh()
        return sum(1 for _, beat in self._seen.values() if beat.partitions and not beat.stopping)


def _expected_wait(beats: list[Heartbeat]) -> float:
    """Queue over throughput (Little's law); 0 while either is unknown, as then nothing is proven."""
    queue = sum(beat.lag + beat.queued for beat in beats)
    throughput = sum(beat.running / beat.service_time for beat in beats if beat.service_time > 0)
    return queue / throughput if queue and throughput else 0.0
