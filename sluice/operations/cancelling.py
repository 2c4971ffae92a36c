"""Ends requests over `llm.control`, and waits for what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from aiokafka import TopicPartition

from schemas import control, exchange as exchanges, headers as h
from schemas.clock import Clock
from schemas.control import Cancellation
from schemas.exchange import OUTCOME_TYPES, Exchange
from sluice.operations.log import Log
from sluice.operations.requests import SKEW, Standing


async def cancel(log: Log, request_id: str) -> None:
    """Ask the workers to end a request, whether it runs or comes later."""
    value, headers = control.encode(Cancellation(request_id, "requested"))
    await log.send(TopicPartition(log.topics.control, 0), value, None, headers)


async def outcome(log: Log, request_id: str, since: float) -> Exchange:
    """Its exchange, as soon as it is there; what is older than `since` is not looked at."""
    partitions = await log.partitions(log.topics.exchanges)
    extents = await log.extents(partitions, since)
    starts = {tp: offsets.start for tp, offsets in extents.items()}
    async with aclosing(log.follow(starts)) as records:
        async for record in records:
            kind = h.first(record.headers).get(h.CE_TYPE)
            if record.key == request_id.encode() and kind in OUTCOME_TYPES:
                return exchanges.decode(record.value)
    raise AssertionError("it follows for ever")


async def ended(
    log: Log, found: Sequence[Standing], wait: float, clock: Clock
) -> dict[str, str | None]:
    """End these; the outcome of each by its id, None if it has none within `wait` seconds."""
    outcomes: dict[str, str | None] = {}
    for each in found:
        if each.exchange is not None:
            outcomes[each.request_id] = f"had ended before: {each.exchange.outcome}"
            continue
        begun = clock.time() - SKEW
        await cancel(log, each.request_id)
        outcomes[each.request_id] = None
        try:
            async with asyncio.timeout(wait):
                outcomes[each.request_id] = (await outcome(log, each.request_id, begun)).outcome
        except TimeoutError:
            continue
    return outcomes
