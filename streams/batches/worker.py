"""What a worker does with a line beside answering it: whether it may start, and that its result is kept."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import structlog
from msgspec.structs import replace

from schemas.batch_folder import BatchFolder
from schemas.batch_lines import BatchLine
from schemas.clock import Clock
from schemas.exchange import Exchange
from schemas.requests import Request
from streams.batches.config import BatchConfig
from streams.batches.results import Reading, append, encoded, result_of

log = structlog.get_logger()

_BELIEVED = 0.5  # seconds for which what was seen of a batch is taken for true
_RETRY = 1.0  # seconds
_REMEMBERED = 1000  # batches


class Lines:
    """The lines of batches in one worker."""

    def __init__(
        self, folder: BatchFolder, config: BatchConfig, boot_id: str, clock: Clock
    ) -> None:
        self._folder = folder
        self._config = config
        self._name = f"{boot_id}.results"
        self._clock = clock
        self._seen: dict[
            str, tuple[float, bool]
        ] = {}  # by batch: until when, and whether it is open
        self._pending: list[tuple[Path, bytes, asyncio.Future[None]]] = []
        self._writing = asyncio.Lock()
        self._known: dict[str, Reading] = {}
        self._reading = asyncio.Lock()

    def is_open(self, line: BatchLine) -> bool:
        """Whether it may be called: its batch is neither cancelled nor over."""
        now = self._clock.monotonic()
        until, found = self._seen.get(line.batch, (0.0, False))
        if now >= until:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            found = self._folder.is_open(line.batch)
            self._seen[line.batch] = (now + _BELIEVED, found)
        return found

    def begun(self, request: Request) -> Request:
        """The request with the deadline that its call has from now on."""
        mine = self._clock.time() + self._config.call_timeout
        return replace(request, deadline=min(mine, request.deadline or mine))

    async def has_result(self, line: BatchLine) -> bool:
        """Whether it has ended. To be asked of a line that may stand in the log twice."""
        async with self._reading:
            known = self._known.get(line.batch)
            if known is None:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                known = self._known[line.batch] = Reading(self._folder.parts(line.batch))
            await asyncio.to_thread(_advance, known)
        return line.number in known.marks

    async def put(self, line: BatchLine, deadline: float | None, exchange: Exchange) -> None:
        """Returns when its result is on the disk, however long that takes. `deadline`: when its batch
        is over, in epoch seconds."""
        in_time = deadline is None or self._clock.time() < deadline
        data = encoded(result_of(line, exchange, in_time=in_time))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((self._folder.parts(line.batch) / self._name, data, done))
        async with self._writing:
            if not done.done():
                await self._write()
        await done

    async def _write(self) -> None:
        """Everything that waits, at once: one fsync for all of them."""
        pending, self._pending = self._pending, []
        results: dict[Path, list[bytes]] = {}
        for path, data, _ in pending:
            results.setdefault(path, []).append(data)
        for path, found in results.items():
            await asyncio.to_thread(_written, path, found)
        for _, _, done in pending:
            done.set_result(None)


def _advance(known: Reading) -> None:
    for _ in known.all():
        pass


def _written(path: Path, results: list[bytes]) -> None:
    """However long the disk takes none; blocks. Of a batch that is over nobody reads them."""
    while True:
        try:
            return append(path, results)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("batch_results_unwritten", path=str(path), error=repr(error))
        time.sleep(_RETRY)
