"""What operators ask over HTTP, done by the library of the commands: `schemas.operating`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

import msgspec
from aiokafka.errors import KafkaError
from msgspec.structs import replace

from schemas import redaction
from schemas.clock import Clock
from schemas.errors import InvalidRequest, LogUnavailable, NotFound
from schemas.kafka import KafkaConfig
from schemas.operating import Letters, Redrive
from schemas.redaction import NOTHING, Redaction
from sluice.operations import cancelling, dlq, log as logs
from sluice.operations.dlq import Wanted
from sluice.operations.letters import Line, line, shown
from sluice.operations.log import Log
from sluice.operations.redrive import done
from sluice.operations.requests import Search, Sought, Standing, told
from sluice.operations.times import when
from sluice.topics import TopicsError, describe_error

PLACES = 4  # readers of the log at once
RETRY_AFTER = 2  # seconds
_encode = msgspec.json.Encoder().encode


@contextmanager
def said_in_http() -> Iterator[None]:
    """What can be wrong with the log or with what was asked, as a GatewayError."""
    try:
        yield
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    except TopicsError as error:
        raise LogUnavailable(str(error), retry_after=RETRY_AFTER) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise LogUnavailable(describe_error(error), retry_after=RETRY_AFTER) from error


class Reader:
    """Opens the log for a few at once."""

    def __init__(self, kafka: KafkaConfig, clock: Clock) -> None:
        self.kafka = kafka
        self.clock = clock
        self._places = asyncio.Semaphore(PLACES)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Log]:
        """InvalidRequest and LogUnavailable stand for what goes wrong in the block."""
        async with self._places:
            with said_in_http():
                async with logs.opened(self.kafka) as log:
                    yield log

    def time(self, text: str | None) -> float | None:
        """Epoch seconds."""
        with said_in_http():
            return None if text is None else when(text, self.clock.time())


class DeadLetterDesk:
    """`sluice dlq`."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def _wanted(self, said: Letters) -> Wanted:
        since, until = self._reader.time(said.since), self._reader.time(said.until)
        return Wanted(said.letters, said.reason, since, until)

    async def overview(self, wanted: Letters, limit: int) -> bytes:
        meant = self._wanted(wanted)
        last: deque[Line] = deque(maxlen=limit)
        async with self._reader.opened() as log, aclosing(dlq.letters(log, meant)) as found:
            async for each in found:
                last.append(line(each))
        return _encode({"letters": list(last)})

    async def show(self, name: str) -> bytes:
        last = None
        meant = Wanted((name,))
        async with self._reader.opened() as log, aclosing(dlq.letters(log, meant)) as found:
            async for each in found:
                last = shown(each)
        if last is None:
            raise NotFound(f"There is no dead letter {name[:100]}.")
        return _encode(last)

    async def redrive(self, wanted: Redrive) -> bytes:
        meant = self._wanted(wanted)
        async with self._reader.opened() as log:
            async with aclosing(dlq.letters(log, meant)) as found:
                letters = [each async for each in found]
            if not letters:
                raise NotFound("There are no such dead letters.")
            known = await dlq.outcomes(log, letters, await dlq.outcomes_extent(log, letters))
            steps = dlq.plans(letters, known, self._reader.clock, force=wanted.force)
            if not wanted.dry_run:
                steps = [await dlq.redrive(log, step) for step in steps]
        return _encode({"dry_run": wanted.dry_run, "letters": [done(step) for step in steps]})


class RequestDesk:
    """`sluice requests`."""

    def __init__(self, reader: Reader, hidden: Redaction = NOTHING) -> None:
        self._redaction = hidden
        self._reader = reader

    async def show(self, name: str, since: str | None, *, bodies: bool) -> bytes:
        async with self._reader.opened() as log:
            found = await self._found(log, name, since)
        return _encode({"requests": [told(self._shown(each), bodies=bodies) for each in found]})

    async def cancel(self, name: str, since: str | None, wait: float) -> bytes:
        async with self._reader.opened() as log:
            found = await self._found(log, name, since)
            ended = await cancelling.ended(log, found, wait, self._reader.clock)
        requests = [{"request_id": each, "outcome": outcome} for each, outcome in ended.items()]
        return _encode({"requests": requests})

    def _shown(self, found: Standing) -> Standing:
        if found.exchange is None:
            return found
        return replace(found, exchange=redaction.shown(found.exchange, self._redaction))

    async def _found(self, log: Log, name: str, since: str | None) -> list[Standing]:
        search = Search(log, Sought(name, self._reader.time(since)), self._reader.clock)
        if not (found := await search.run(await search.extents())):
            raise NotFound(f"No request {name[:100]} is in the log.")
        return found
