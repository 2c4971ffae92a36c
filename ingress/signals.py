"""What this process says on `llm.control`: cancellations, and each second that it lives."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from typing import Literal

import structlog

from ingress.admission import Admission
from ingress.config import IngressConfig
from ingress.producer import RETRY_AFTER, Log
from schemas.clock import Clock
from schemas.control import Cancellation, Heartbeat, encode
from schemas.errors import LogUnavailable
from schemas.ids import new_id

log = structlog.get_logger()

INTERVAL = 1.0
MAX_PENDING = 10_000  # cancellations kept over an outage: a deadline ends the rest
Reason = Literal["disconnected", "unacknowledged", "requested"]


class Signals:
    """Sends what must be said as soon as it can be sent."""

    def __init__(
        self, config: IngressConfig, log_: Log, admission: Admission, clock: Clock
    ) -> None:
        self._slot = config.slot
        self._log = log_
        self._admission = admission
        self._clock = clock
        self._pending: deque[Cancellation] = deque(maxlen=MAX_PENDING)
        self._wake = asyncio.Event()
        self._boot_id = new_id(int(clock.time() * 1000), config.slot)
        self._host = socket.gethostname()
        self.stopping = False

    def cancel(self, request_id: str, reason: Reason) -> None:
        """Tell the workers to stop working on a request. Never blocks."""
        self._pending.append(Cancellation(request_id, reason))
        self._wake.set()

    async def cancel_now(self, request_id: str) -> None:
        """The same, on somebody's word: returns when the log has it, else LogUnavailable."""
        if not await self._log.signal(*encode(Cancellation(request_id, "requested"))):
            raise LogUnavailable(retry_after=RETRY_AFTER)

    async def run(self) -> None:
        """Send until cancelled. Never raises."""
        while True:
            await self._beat()
            await self._until_next_beat()

    async def _until_next_beat(self) -> None:
        until = self._clock.monotonic() + INTERVAL
        while (left := until - self._clock.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                return
            self._wake.clear()
            if not await self.flush():
                return

    async def flush(self) -> bool:
        """Send the pending cancellations; False if the log does not take them, and they are kept."""
        while self._pending:
            batch = [self._pending.popleft() for _ in range(min(64, len(self._pending)))]
            sent = await asyncio.gather(*(self._log.signal(*encode(item)) for item in batch))
            failed = [item for item, done in zip(batch, sent, strict=True) if not done]
            if failed:
                self._pending.extendleft(reversed(failed))
                return False
        return True

    async def _beat(self) -> None:
        beat = Heartbeat(
            role="ingress",
            boot_id=self._boot_id,
            host=self._host,
            pid=os.getpid(),
            time=self._clock.time(),
            stopping=self.stopping,
            slot=self._slot,
            running=self._admission.count,
        )
        if await self._log.signal(*encode(beat)):
            await self.flush()

    async def close(self) -> None:
        """Say that this process stops, and what is still to be cancelled; once, as far as the log takes it."""
        self.stopping = True
        await self._beat()
        if self._pending:
            log.warning("cancellations_unsent", count=len(self._pending))
