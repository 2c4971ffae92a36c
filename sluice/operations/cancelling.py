"""Ends requests over `llm.control`, and waits for what became of them."""

from __future__ import annotations

from contextlib import aclosing

from aiokafka import TopicPartition

from schemas import control, exchange as exchanges, headers as h
from schemas.control import Cancellation
from schemas.exchange import OUTCOME_TYPES, Exchange
from sluice.operations.log import Log


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
