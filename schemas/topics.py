"""The table of topics: what each carries, how it is keyed, how long it is kept."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

MAX_MESSAGE_BYTES = 16 << 20
# An exchange holds a request and its answer, each up to MAX_MESSAGE_BYTES, escaped where not JSON.
MAX_EXCHANGE_BYTES = 64 << 20
HOUR_MS = 3_600_000


class Topic(Struct, frozen=True):
    """One topic as `sluice topics create` makes it."""

    name: str
    partitions: int
    config: dict[str, str]
    summary: str  # one sentence, also in docs/kafka.md


class Topics(Struct, frozen=True):
    """Names of all topics. `prefix` is `llm.`, except where several gateways share a cluster."""

    prefix: str = "llm."

    @property
    def requests(self) -> str:
        return self.prefix + "requests"

    @property
    def batch(self) -> str:
        return self.prefix + "requests.batch"

    @property
    def lanes(self) -> tuple[str, str]:
        """The topics of requests: one consumer reads both."""
        return self.requests, self.batch

    @property
    def replies(self) -> str:
        return self.prefix + "replies"

    @property
    def exchanges(self) -> str:
        return self.prefix + "exchanges"

    @property
    def idempotency(self) -> str:
        return self.prefix + "idempotency"

    @property
    def control(self) -> str:
        return self.prefix + "control"

    @property
    def config(self) -> str:
        return self.prefix + "config"

    @property
    def dead_letters(self) -> str:
        return self.prefix + "dead-letters"

    def group(self, role: str) -> str:
        """The consumer group of a role (`streams`, `sinks.mongodb`)."""
        return self.prefix + role


class Retention(Struct, frozen=True):
    """How long each topic keeps its records, in milliseconds."""

    requests_ms: int = 48 * HOUR_MS
    replies_ms: int = HOUR_MS
    exchanges_ms: int = 48 * HOUR_MS
    idempotency_ms: int = 24 * HOUR_MS
    control_ms: int = HOUR_MS
    dead_letters_ms: int = 30 * 24 * HOUR_MS


def table(topics: Topics, partitions: int, reply_partitions: int, keep: Retention) -> list[Topic]:
    """Every topic. Both lanes of requests, the exchanges and the idempotency keys have equal partition
    counts: an outcome stands in the partition of the same number as its request, and so does its key."""

    def topic(
        name: str, count: int, retention_ms: int, summary: str, largest: int = MAX_MESSAGE_BYTES
    ) -> Topic:
        config = {"retention.ms": str(retention_ms), "max.message.bytes": str(largest)}
        return Topic(name, count, config, summary)

    def compacted(name: str, count: int, retention_ms: int, summary: str) -> Topic:
        found = topic(name, count, retention_ms, summary)
        return replace(found, config={"cleanup.policy": "compact,delete", **found.config})

    return [
        topic(
            topics.requests,
            partitions,
            keep.requests_ms,
            "Requests: the client's body, byte for byte.",
        ),
        topic(
            topics.batch,
            partitions,
            keep.requests_ms,
            "Requests that can wait: they get a tenth of a worker while others are there.",
        ),
        topic(
            topics.replies,
            reply_partitions,
            keep.replies_ms,
            "Answers in pieces; a partition an ingress process.",
        ),
        topic(
            topics.exchanges,
            partitions,
            keep.exchanges_ms,
            "Outcomes with both bodies: the audit truth.",
            MAX_EXCHANGE_BYTES,
        ),
        compacted(
            topics.idempotency,
            partitions,
            keep.idempotency_ms,
            "Idempotency keys, each with the outcome that answers it.",
        ),
        topic(topics.control, 1, keep.control_ms, "Cancellations and heartbeats."),
        Topic(
            topics.config,
            1,
            {
                "cleanup.policy": "compact",
                "retention.ms": "-1",
                # Who starts sees of two writes at once which was first, and mends what compaction would not.
                "min.compaction.lag.ms": str(24 * HOUR_MS),
                "max.message.bytes": str(1 << 20),
            },
            "Keys, budgets and all else that is governed while the gateway runs; the newest of each.",
        ),
        topic(
            topics.dead_letters,
            1,
            keep.dead_letters_ms,
            "Records that are no request, with the reason.",
            MAX_EXCHANGE_BYTES,
        ),
    ]
