"""What an embedded broker is told at its start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """The broker's settings; the defaults are right for a gateway on one machine."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0  # 0: the one of the last start, or a free one below 32768
    bootstrap_file: Path | None = None  # receives "host:port" once the broker listens
    fsync_ms: int = -1  # -1: never; 0: before every acknowledgement; else the interval
    request_memory_bytes: int = 64 * MIB  # large requests that are being read, all connections
    response_memory_bytes: int = 64 * MIB  # responses that slow readers have not taken yet
    tail_memory_bytes: int = 32 * MIB  # newest batches, kept for consumers that keep up
    max_request_bytes: int = 100 * MIB  # Kafka's socket.request.max.bytes
    max_connections: int = 1000
    stalled_request_s: float = 10.0  # without progress and while others wait for its memory
    rebalance_delay_ms: int = 0  # Kafka's group.initial.rebalance.delay.ms
    min_session_ms: int = 6_000  # Kafka's group.min.session.timeout.ms and its maximum
    max_session_ms: int = 1_800_000
    offsets_retention_minutes: int = 10_080
    producer_expiry_ms: int = 86_400_000
    retention_interval_s: float = 30.0
    expiry_interval_s: float = 600.0
