"""Topic settings: Kafka's names and defaults, which of them mean something here, their checks."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.broker.errors import Code, KafkaError

DEFAULTS: dict[str, str] = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "delete.retention.ms": "86400000",
    "file.delete.delay.ms": "60000",
    "flush.messages": "9223372036854775807",
    "flush.ms": "9223372036854775807",
    "index.interval.bytes": "4096",
    "max.compaction.lag.ms": "9223372036854775807",
    "max.message.bytes": "1048588",
    "message.timestamp.after.max.ms": "3600000",
    "message.timestamp.before.max.ms": "9223372036854775807",
    "message.timestamp.type": "CreateTime",
    "min.cleanable.dirty.ratio": "0.5",
    "min.compaction.lag.ms": "0",
    "min.insync.replicas": "1",
    "preallocate": "false",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
    "segment.bytes": str(64 << 20),
    "segment.index.bytes": "10485760",
    "segment.jitter.ms": "0",
    "segment.ms": "604800000",
    "unclean.leader.election.enable": "false",
}
_LOWEST = {"retention.ms": -1, "retention.bytes": -1, "segment.bytes": 1 << 20, "segment.ms": 1}
_CODECS = {"producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"}
_RATIO, _FLAGS = "min.cleanable.dirty.ratio", {"preallocate", "unclean.leader.election.enable"}


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """The settings that the log heeds: times in ms, sizes in bytes, -1 for no limit."""

    max_message_bytes: int = 1_048_588
    segment_bytes: int = 64 << 20
    segment_ms: int = 604_800_000
    retention_ms: int = 604_800_000
    retention_bytes: int = -1
    delete: bool = True
    compact: bool = False
    delete_retention_ms: int = 86_400_000
    min_compaction_lag_ms: int = 0
    min_dirty_ratio: float = 0.5


def topic_config(own: dict[str, str | None]) -> TopicConfig:
    """The settings of a topic with `own` ones; KafkaError(INVALID_CONFIG) names a bad one."""
    for name, value in own.items():
        if value is None or name not in DEFAULTS:
            raise KafkaError(Code.INVALID_CONFIG, f"Unknown topic config name: {name}")
        _check(name, value)
    full = DEFAULTS | {name: value for name, value in own.items() if value is not None}
    policy = {word.strip() for word in full["cleanup.policy"].split(",")}
    return TopicConfig(
        max_message_bytes=int(full["max.message.bytes"]),
        segment_bytes=int(full["segment.bytes"]),
        segment_ms=int(full["segment.ms"]),
        retention_ms=int(full["retention.ms"]),
        retention_bytes=int(full["retention.bytes"]),
        delete="delete" in policy,
        compact="compact" in policy,
        delete_retention_ms=int(full["delete.retention.ms"]),
        min_compaction_lag_ms=int(full["min.compaction.lag.ms"]),
        min_dirty_ratio=float(full[_RATIO]),
    )


def _check(name: str, value: str) -> None:
    if name == "cleanup.policy":
        good = {word.strip() for word in value.split(",")} <= {"delete", "compact"}
    elif name == "compression.type":  # batches stay as their producer made them
        good = value in _CODECS
    elif name == "message.timestamp.type":  # the broker's own times are not offered
        good = value == "CreateTime"
    elif name in _FLAGS:
        good = value in ("true", "false")
    elif name == _RATIO:
        good = _number(value, float) is not None and 0 <= float(value) <= 1
    else:
        number = _number(value, int)
        good = number is not None and _LOWEST.get(name, 0) <= number < 1 << 63
    if not good:
        raise KafkaError(Code.INVALID_CONFIG, f"Invalid value {value} for configuration {name}")


def _number(value: str, kind: type[int] | type[float]) -> float | int | None:
    try:
        return kind(value)
    except ValueError:
        return None
