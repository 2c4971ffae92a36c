"""`llm.exchanges` as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from schemas import headers as h
from schemas.exchange import SHOWN_TYPES
from sluice.operations.log import Log, Record


class Begin(Struct, frozen=True):
    """Where a tail begins: at a time, or with the last so many."""

    since: float | None = None  # epoch seconds
    last: int = 0
    follow: bool = True  # go on with what comes


async def exchanges(log: Log, begin: Begin) -> AsyncGenerator[Record, None]:
    """Records of exchanges, the oldest first; to be iterated under `aclosing`.

    Order is that of the partitions: between two of them only as exact as they are read together.
    """
    partitions = await log.partitions(log.topics.exchanges)
    extents = await log.extents(partitions, begin.since)
    ends = {tp: offsets.stop for tp, offsets in extents.items()}
    if begin.since is None:
        extents = {tp: offsets[-begin.last :] for tp, offsets in extents.items() if begin.last}
    elif begin.follow:
        ends, extents = {tp: offsets.start for tp, offsets in extents.items()}, {}
    past: list[Record] = []
    async with aclosing(log.records(extents)) as batches:
        async for batch in batches:
            past += filter(_is_exchange, batch)
    past.sort(key=lambda record: record.timestamp)
    for record in past if begin.since is not None else past[-begin.last :]:
        yield record
    if not begin.follow:
        return
    async with aclosing(log.follow(ends)) as records:
        async for record in records:
            if _is_exchange(record):
                yield record


def _is_exchange(record: Record) -> bool:
    return h.first(record.headers).get(h.CE_TYPE) in SHOWN_TYPES and record.value is not None
