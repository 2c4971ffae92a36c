"""The stores that there are, by `STORAGE_TYPE`. A new one is a file beside this and a line in here."""

from __future__ import annotations

from collections.abc import Callable

from schemas.clock import Clock
from sinks.base import Sink
from sinks.config import SinkConfig, StorageType
from sinks.jsonl import JsonLinesSink
from sinks.sqlite import SQLiteSink


def _mongodb(config: SinkConfig, clock: Clock) -> Sink:
    from sinks.mongodb import MongoDBSink  # a store that is not used shall cost no memory

    return MongoDBSink(config, clock)


def _postgresql(config: SinkConfig, clock: Clock) -> Sink:
    from sinks.postgresql import PostgreSQLSink

    return PostgreSQLSink(config, clock)


SINKS: dict[StorageType, Callable[[SinkConfig, Clock], Sink]] = {
    "mongodb": _mongodb,
    "postgresql": _postgresql,
    "sqlite": SQLiteSink,
    "jsonl": JsonLinesSink,
}
