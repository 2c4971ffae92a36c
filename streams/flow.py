"""Which partitions are read at the moment: by our limits, and not by Faust's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from typing_extensions import override

POLL = 1.0  # seconds for which one look for records waits
# The same while a topic is held back: a look that waits does not see that it goes on again.
POLL_HELD_BACK = 0.05


class Flow(driver.Consumer):
    """A consumer of which single topics can be held back."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._room = asyncio.Event()
        self._held_back: set[str] = set()  # topics of which enough is in hand

    @override
    def on_buffer_full(self, tp: TP) -> None:
        """Faust's own back-pressure stands still for whole seconds; ours is in `inflight.py`."""

    @override
    def on_buffer_drop(self, tp: TP) -> None:
        """See on_buffer_full."""

    @override
    async def verify_all_partitions_active(self) -> None:
        """See verify_event_path; without this, Faust still makes a task a partition to do nothing."""

    @override
    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's detector takes long calls for a livelock; the watchdog in `app.py` does this."""

    @override
    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Called by Faust after every assignment, too: what is held back stays so."""
        super().resume_partitions({tp for tp in tps if tp.topic not in self._held_back})
        self._room.set()

    @override
    def pause_partitions(self, tps: Iterable[TP]) -> None:
        super().pause_partitions(tps)
        self._room.clear()

    def hold_back(self, topic: str) -> None:
        """Deliver nothing more of a topic, whatever partitions of it come, until `go_on`."""
        self._held_back.add(topic)
        self.pause_partitions({tp for tp in self._assigned() if tp.topic == topic})

    def go_on(self, topic: str) -> None:
        """Deliver a topic again, at once."""
        self._held_back.discard(topic)
        self.resume_partitions({tp for tp in self._assigned() if tp.topic == topic})

    async def _records(self) -> AsyncIterator[tuple[TP, Any]]:
        """The next records; none while everything is paused."""
        if not self.flow_active:
            await self.can_resume_flow.wait()
        active = self._get_active_partitions()
        if not active:  # Faust sleeps a second here; resume_partitions wakes us
            async with asyncio.timeout(1.0):
                await self._room.wait()
            return
        timeout = POLL_HELD_BACK if self._held_back else POLL
        records = await self._getmany(active_partitions=set(active), timeout=timeout)
        for tp, record in self.scheduler.iterate(records or {}):
            # A record of a partition that was paused meanwhile is delivered all the same: the
            # fetcher would not give it again.
            if not self.flow_active:
                return
            yield tp, record

    def _assigned(self) -> set[TP]:
        try:
            return {TP(*tp) for tp in self.assignment()}
        except ConsumerNotStarted:
            return set()
