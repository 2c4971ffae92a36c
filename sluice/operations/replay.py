"""Runs recorded requests again, on another model. Nothing of it reaches those who asked first: the
requests are new ones of our own, whose answers go to a shadow topic."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from aiokafka import TopicPartition
from msgspec import Raw, Struct

from schemas import exchange as exchanges, headers as h
from schemas.clock import Clock
from schemas.exchange import OUTCOME_TYPES, Exchange
from schemas.headers import Headers
from schemas.identity import partition_of
from schemas.ids import new_id
from schemas.replies import Address
from schemas.requests import DIALECTS, Request, to_headers
from schemas.tasks import Tasks
from sluice.operations.cancelling import cancel
from sluice.operations.differences import Verdict, verdict
from sluice.operations.log import Log, Progress, untold
from sluice.operations.recorded import SOURCE

GRACE = 10.0  # seconds that a worker has to say that the deadline has passed
_members = msgspec.json.Decoder(dict[str, Raw]).decode
# No kept answer may stand in for a call, and no answer of it may be kept.
UNCACHED = (h.CACHE, b"no-cache, no-store")


class Terms(Struct, frozen=True, kw_only=True):
    """How requests are run again."""

    model: str
    shadow: str  # topic of the answers
    run: str  # names the run: ends their source
    concurrency: int = 4
    timeout: float = 600.0  # seconds for each
    user_path: str = SOURCE
    drop_params: bool = False


class Pair(Struct, frozen=True):
    """A recorded exchange and what came of it now."""

    before: Exchange
    request_id: str  # of the second
    after: Exchange | None  # None: no outcome came

    @property
    def verdict(self) -> Verdict:
        return verdict(self.before, self.after)


def again(before: Exchange, terms: Terms, name: str, now: float) -> Request:
    """The request once more, as one of ours."""
    body = _members(before.request.content())
    if before.dialect == "openai_responses":
        body = {k: v for k, v in body.items() if k != "background"} | {"store": Raw(b"false")}
    in_body = "model" in body  # else it stood in the path
    if in_body:
        body["model"] = Raw(msgspec.json.encode(terms.model))
    return Request(
        request_id=name,
        body=msgspec.json.encode(body),
        dialect=next(each for each in DIALECTS if each == before.dialect),
        source=f"{SOURCE}/{terms.run}",
        user_path=terms.user_path,
        created=now,
        deadline=now + terms.timeout,
        reply_to=Address(terms.shadow, 0),
        model=None if in_body else terms.model,
        stream=None if in_body else before.stream,
        drop_params=terms.drop_params,
    )


class Replay:
    """One run."""

    def __init__(self, log: Log, terms: Terms, clock: Clock) -> None:
        self._log = log
        self._terms = terms
        self._clock = clock
        self._open: dict[bytes, asyncio.Future[Exchange]] = {}
        self._places: Sequence[TopicPartition] = ()

    async def run(self, recorded: Sequence[Exchange], progress: Progress = untold) -> list[Pair]:
        """Each of them once. Ended early, it asks for the end of what still runs."""
        topics, tasks = self._log.topics, Tasks()
        self._places = await self._log.partitions(topics.requests)
        partitions = await self._log.partitions(topics.exchanges)
        ends = {tp: each.stop for tp, each in (await self._log.extents(partitions)).items()}
        room = asyncio.Semaphore(self._terms.concurrency)

        async def one(before: Exchange) -> Pair:
            async with room:
                pair = await self._one(before)
                progress(1)
                return pair

        reading: asyncio.Task[None] = tasks.start(self._read(ends), name="replay outcomes")
        running: asyncio.Task[list[Pair]] = tasks.start(
            _all([one(each) for each in recorded]), name="replay"
        )
        try:
            await asyncio.wait((reading, running), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                await reading  # it ends by an error only
            return await running
        finally:
            still_open = [*self._open]
            await tasks.abort()
            for request_id in still_open:
                await cancel(self._log, request_id.decode())

    async def _one(self, before: Exchange) -> Pair:
        now = self._clock.time()
        name = new_id(int(now * 1000))
        request = again(before, self._terms, name, now)
        request_id = f"{request.source}/{name}"
        key = request_id.encode()
        self._open[key] = asyncio.get_running_loop().create_future()
        try:
            to = self._places[partition_of(key, len(self._places))]
            headers: Headers = [*to_headers(request), UNCACHED]
            await self._log.send(to, request.body, key, headers)
            async with asyncio.timeout(self._terms.timeout + GRACE):
                return Pair(before, request_id, await self._open[key])
        except TimeoutError:
            await cancel(self._log, request_id)
            return Pair(before, request_id, None)
        finally:
            del self._open[key]

    async def _read(self, starts: dict[TopicPartition, int]) -> None:
        async with aclosing(self._log.follow(starts)) as records:
            async for record in records:
                waiting = self._open.get(record.key or b"")
                kind = h.first(record.headers).get(h.CE_TYPE)
                if waiting is not None and not waiting.done() and kind in OUTCOME_TYPES:
                    waiting.set_result(exchanges.decode(record.value))


async def _all(works: list[Coroutine[Any, Any, Pair]]) -> list[Pair]:
    return list(await asyncio.gather(*works))
