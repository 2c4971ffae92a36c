"""One batch, from its validation to its end. Whoever runs it holds its lock, and may be killed anywhere.

What is in the log is known so: before lines are put there, it is written down which (`Batch.piece`); a
line whose result is there has ended; the last piece, if nobody knows whether the log has it, is put there
again under the same ids and marked, and a worker looks for a result before it calls such a line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from fnmatch import fnmatchcase

import structlog
from msgspec.structs import replace

from schemas.batch_folder import BatchFolder
from schemas.batches import Batch, LineError, Piece, Status, Tokens
from schemas.clock import Clock
from schemas.errors import ModelAccessDenied
from schemas.faultpoints import reach
from schemas.files import Files
from schemas.requests import Request
from streams.batches.config import BatchConfig
from streams.batches.lines import Line, Unusable, request_id, slices, understood
from streams.batches.outputs import added, write_outputs
from streams.batches.results import Reading
from streams.batches.validation import Limits, Stopped, check

log = structlog.get_logger()

Publish = Callable[[Request], Awaitable[object]]
"""Puts a request into the batch lane; returns when the log has it."""

Names = Callable[[str, str], tuple[str, ...]]
"""A model as it is asked for, and a user path, to the other names that it goes by."""

SAVE = 1.0  # seconds between two notes of how far it is
MOST_IDLE = 1.0  # seconds between two looks when nothing comes in


class Run:
    """Works on one batch."""

    def __init__(
        self,
        batch: Batch,
        folder: BatchFolder,
        files: Files,
        publish: Publish,
        config: BatchConfig,
        clock: Clock,
    ) -> None:
        self._batch = batch
        self._folder = folder
        self._files = files
        self._publish = publish
        self._config = config
        self._clock = clock
        self._source = folder.input(batch.id)
        self._reading = Reading(folder.parts(batch.id))
        self._idle = config.poll
        self._saved = 0.0  # monotonic
        self._expired = False  # a line of it was too late
        self.names: Names = lambda model, user_path: ()
        self.closed = False  # somebody else is to go on with it

    async def run(self) -> None:
        """Returns when it has ended, or is to be left. OSError."""
        batch = self._batch
        if batch.ended:  # killed before it was closed
            await asyncio.to_thread(self._folder.close, batch.id)
            return
        if batch.status == "validating" and not await self._validated():
            return
        batch.completed = batch.failed = 0  # they are counted again
        batch.tokens = Tokens()
        await asyncio.to_thread(self._advance)
        if batch.piece is not None and not batch.piece.sent:
            await self._again(batch.piece)
        if batch.status == "in_progress":
            await self._submit()
        await self._wait()
        if self.closed:
            await self._save()  # the next one need not wonder whether the log has the last piece
        else:
            await self._end()

    # -- validation

    async def _validated(self) -> bool:
        """Whether its lines are to be called."""
        batch = self._batch
        limits = Limits(self._config.max_requests, self._config.max_line)
        try:
            found = await check(self._source, batch, limits, lambda: not self.closed)
        except Stopped:
            return False
        found.errors = found.errors or self._denied(found.model or "")
        if found.errors:
            batch.errors = found.errors
            await self._finished("failed")
            return False
        batch.total, batch.lines, batch.model = found.total, found.lines, found.model
        batch.status, batch.in_progress_at = "in_progress", self._now()
        await self._save()
        return True

    def _denied(self, model: str) -> tuple[LineError, ...]:
        """Its one model, if its key may ask for it by none of its names."""
        batch = self._batch
        names = (model, *self.names(model, batch.user_path))
        if not batch.models or any(fnmatchcase(n, each) for each in batch.models for n in names):
            return ()
        message = f"This API key may not use `{model[:200]}`."
        return (LineError(ModelAccessDenied.code, message, None, "body.model"),)

    # -- submission

    async def _submit(self) -> None:
        """Put all lines into the log, never more at once than may be there."""
        piece, most = self._batch.piece, self._config.max_line
        begin, line = (piece.end, piece.last) if piece is not None else (0, 0)
        async with aclosing(slices(self._source, most, begin, line)) as found:
            async for lines in found:
                while self._outstanding + len(lines) > max(self._config.in_flight, len(lines)):
                    if self.closed or self._over():
                        return
                    await self._tick()
                if self.closed or self._over():
                    return
                await self._put(lines)

    async def _put(self, lines: list[Line]) -> None:
        batch = self._batch
        made = int(self._clock.time() * 1000)
        batch.piece = Piece(lines[0].begin, lines[-1].end, lines[0].number, lines[-1].number, made)
        batch.submitted += len(lines)
        await self._save()
        reach("streams.batch_planned")
        await self._publish_all([self._request(line, made) for line in lines])
        reach("streams.batch_submitted")
        batch.piece.sent = True

    async def _again(self, piece: Piece) -> None:
        """The last lines: the log may have all of them, some, or none."""
        requests: list[Request] = []
        most = self._config.max_line
        async with aclosing(slices(self._source, most, piece.begin, piece.first - 1)) as found:
            async for lines in found:
                requests += [
                    self._request(line, piece.made, again=True)
                    for line in lines
                    if line.number <= piece.last and line.number not in self._reading.marks
                ]
                if lines[-1].number >= piece.last:
                    break
        log.info("batch_resumed", batch_id=self._batch.id, again=len(requests))
        await self._publish_all(requests)
        piece.sent = True

    async def _publish_all(self, requests: list[Request]) -> None:
        await asyncio.gather(*(self._publish(each) for each in requests))

    def _request(self, line: Line, made: int, *, again: bool = False) -> Request:
        try:
            found, request = understood(line, self._batch)
        except Unusable as error:
            raise OSError(f"the input file was changed: {error}") from error
        return replace(
            request,
            line=replace(found, again=again),
            request_id=request_id(found.batch, found.number, made),
            created=made / 1000,
            deadline=float(self._batch.expires_at),
            drop_params=self._config.drop_params,
        )

    # -- progress

    @property
    def _outstanding(self) -> int:
        return self._batch.submitted - self._reading.marks.count

    def _complete(self) -> bool:
        batch = self._batch
        return batch.submitted == batch.total and self._outstanding <= 0

    def _over(self) -> bool:
        """Whether no more of it is to be called."""
        return self._batch.cancelling_at is not None or self._now() >= self._batch.expires_at

    async def _tick(self) -> None:
        """Wait a moment, and see what came in."""
        await asyncio.sleep(self._idle)
        if await asyncio.to_thread(self._advance):
            self._idle = self._config.poll
        else:
            self._idle = min(self._idle * 1.5, MOST_IDLE)
        batch = self._batch
        if batch.cancelling_at is None:
            wished = await asyncio.to_thread(self._folder.cancelled_at, batch.id)
            if wished is not None:
                batch.status, batch.cancelling_at = "cancelling", wished
                await self._save()
        if self._clock.monotonic() - self._saved >= SAVE:
            await self._save()

    def _advance(self) -> int:
        """Count what came in; how many."""
        batch, before = self._batch, self._reading.marks.count
        for result in self._reading.all():
            self._expired = self._expired or result.expired
            batch.completed += result.succeeded
            batch.failed += not result.succeeded
            batch.tokens = added(batch.tokens, result.tokens)
        return self._reading.marks.count - before

    async def _wait(self) -> None:
        """For the rest of the results. When it is cancelled or over, what waits is not called, what runs
        is stopped, and both say so."""
        while not self.closed and not self._over() and not self._complete():
            await self._tick()
        until = self._clock.monotonic() + self._config.cancel_grace
        while self._outstanding > 0 and self._clock.monotonic() < until and not self.closed:
            await self._tick()

    # -- the end

    async def _end(self) -> None:
        batch = self._batch
        end: Status = "completed"
        if batch.cancelling_at is not None:
            end = "cancelled"
        elif self._expired or not self._complete():
            end = "expired"
        source = None if self._complete() else self._source
        if batch.status != "cancelling":
            batch.status = "finalizing"
        batch.finalizing_at = batch.finalizing_at or self._now()
        await self._save()
        found = await asyncio.to_thread(
            write_outputs, self._files, batch, self._folder.parts(batch.id), source, self._now()
        )
        batch.output_file_id, batch.error_file_id = found.output_file_id, found.error_file_id
        batch.completed, batch.failed, batch.tokens = found.completed, found.failed, found.tokens
        reach("streams.batch_written")
        await self._finished(end)

    async def _finished(self, status: Status) -> None:
        batch, now = self._batch, self._now()
        batch.status, batch.piece = status, None
        match status:
            case "completed":
                batch.completed_at = now
            case "failed":
                batch.failed_at = now
            case "expired":
                batch.expired_at = now
            case "cancelled":
                batch.cancelled_at = now
            case _:
                raise AssertionError(status)
        await self._save()
        await asyncio.to_thread(self._folder.close, batch.id)
        log.info(
            "batch_ended",
            batch_id=batch.id,
            status=status,
            completed=batch.completed,
            failed=batch.failed,
        )

    async def _save(self) -> None:
        self._saved = self._clock.monotonic()
        await asyncio.to_thread(self._folder.save, self._batch)

    def _now(self) -> int:
        return int(self._clock.time())
