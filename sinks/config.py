"""What a sink process needs to know; `sluice/settings/` fills it in and documents each field."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.redaction import STANDARD, Redaction

StorageType = Literal["mongodb", "postgresql", "sqlite", "jsonl"]


class SinkConfig(Struct, frozen=True, kw_only=True):
    """Times are seconds, sizes bytes."""

    storage_type: StorageType = "sqlite"
    mongodb_url: str | None = None
    mongodb_database: str = "sluice"
    postgres_url: str | None = None
    postgres_max_conns: int = 10
    sqlite_path: str = "data/sluice.db"
    jsonl_path: str = "data/exchanges.jsonl"
    bodies: bool = True  # LOGGING_ENABLED: store bodies and headers
    body_limit: int = 1 << 20  # a longer body is cut and marked
    redaction: Redaction = STANDARD  # what of bodies and headers is hidden
    retention_days: int = 30  # 0 keeps for ever
    usage_retention_days: int = 400  # of the sums by hour and day
    batch_size: int = 500
    batch_wait: float = 0.2
    session_timeout: float = 10.0
    instance_id: str | None = None  # KIP-345 group.instance.id; a restart then causes no rebalance
