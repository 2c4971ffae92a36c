"""Which batches this worker runs: those of which nobody else has the lock."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import structlog

from schemas.batch_folder import BatchFolder
from schemas.clock import Clock
from schemas.files import Files
from schemas.identity import partition_of, record_key
from schemas.requests import Request, to_headers
from schemas.tasks import Tasks
from streams.batches.config import BatchConfig
from streams.batches.run import Names, Run
from streams.log import Log

log = structlog.get_logger()

SWEEP = 3600.0  # seconds between two looks for what is kept no longer
_STOP_TIMEOUT = 5.0  # seconds for batches to come to a place where they can be left
_AFTER_FAILURE = 5.0  # seconds


class Coordinator:
    """Finds batches and runs them, any number at once."""

    def __init__(
        self,
        folder: BatchFolder,
        files: Files,
        producers: Log,
        lane: tuple[str, int],
        config: BatchConfig,
        clock: Clock,
    ) -> None:
        """`lane`: the topic of the lines, and its partitions."""
        self._folder = folder
        self._files = files
        self._log = producers
        self._topic, self._partitions = lane
        self._config = config
        self._clock = clock
        self._runs: dict[str, Run] = {}
        self._tasks = Tasks()
        self._woken = asyncio.Event()
        self.names: Names = lambda model, user_path: ()
        self._closed = False

    def wake(self) -> None:
        """There is a new one."""
        self._woken.set()

    async def run(self) -> None:
        """Look for batches, until it is cancelled."""
        swept = -SWEEP
        while True:
            try:
                await self._look()
                if self._clock.monotonic() - swept >= SWEEP:
                    swept = self._clock.monotonic()
                    await asyncio.to_thread(self._sweep)
            except OSError as error:
                log.warning("batches_unreadable", error=repr(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.look):
                    await self._woken.wait()
            self._woken.clear()

    def _sweep(self) -> None:
        now = self._clock.time()
        self._files.sweep(now)
        self._folder.sweep(now)

    async def _look(self) -> None:
        for name in await asyncio.to_thread(self._folder.open):
            if name in self._runs or self._closed:
                continue
            descriptor = await asyncio.to_thread(self._folder.lock, name)
            if descriptor is None:
                continue
            batch = await asyncio.to_thread(self._folder.load, name)
            if batch is None or self._closed:  # it ended a moment ago, or is not whole yet
                os.close(descriptor)
                continue
            run = Run(batch, self._folder, self._files, self._publish, self._config, self._clock)
            run.names = self.names
            self._runs[name] = run
            self._tasks.start(self._kept(name, run, descriptor), name=f"batch {name}")

    async def _kept(self, name: str, run: Run, descriptor: int) -> None:
        try:
            await run.run()
        except Exception as error:  # the edge: it begins again where it was
            log.exception("batch_failed", batch_id=name, error=repr(error))
            await asyncio.sleep(_AFTER_FAILURE)
        finally:
            del self._runs[name]
            os.close(descriptor)

    async def _publish(self, request: Request) -> None:
        key = record_key(request.request_id)
        await self._log.write(
            self._topic,
            request.body,
            key=key,
            headers=to_headers(request),
            partition=partition_of(key, self._partitions),
        )

    async def close(self) -> None:
        """Leave all of them to others."""
        self._closed = True
        for run in self._runs.values():
            run.closed = True
        await self._tasks.drain(_STOP_TIMEOUT)
        await self._tasks.abort()
