"""The admin API of the log, for the ingress."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.kafka import KafkaConfig
from schemas.operating import Operations
from sluice.operations.desk import DeadLetterDesk, Reader, RequestDesk
from sluice.operations.replays import ReplayDesk
from sluice.process import Context
from sluice.settings import redaction


@asynccontextmanager
async def desks(context: Context, kafka: KafkaConfig, slot: int) -> AsyncIterator[Operations]:
    """Who answers operators, while the block runs. Nothing is connected before somebody asks."""
    reader = Reader(kafka, context.clock)
    replays = ReplayDesk(context.settings, reader, slot)
    try:
        yield Operations(
            DeadLetterDesk(reader), RequestDesk(reader, redaction.rules(context.settings)), replays
        )
    finally:
        await replays.close()
