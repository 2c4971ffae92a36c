"""What a worker needs to know; `sluice/settings/` fills it in and documents each field."""

from __future__ import annotations

from msgspec import Struct


class StreamsConfig(Struct, frozen=True, kw_only=True):
    """Sizes are bytes, times are seconds."""

    instance_id: str | None = None  # KIP-345 group.instance.id; a restart then causes no rebalance
    concurrency: int = 512  # requests at once
    max_held: int = 512  # delivered and not started, of each lane
    max_held_bytes: int = 128 << 20
    batch_share: int = 10  # percent of places and starts while interactive requests wait
    tenant_share: int = 50  # percent of the places while another tenant waits
    session_timeout: float = 10.0
    heartbeat_interval: float = 2.0
    commit_interval: float = 0.3
    fetch_max_wait: float = 0.25
    pin_limit: int = 5_000  # offsets finished above a running one before it is moved forward
    shutdown_timeout: float = 30.0
    stall_timeout: float = 60.0  # lag without a delivery for so long ends the process
    idempotency_ttl: float = 86_400.0  # for which an answer is given again under its key
    idempotency_max_keys: int = 20_000  # that are known in each partition
    reply_topics: tuple[str, ...] = ()  # extra patterns beside llm.replies and llm.replies.*
    faust_datadir: str = "data/faust"
