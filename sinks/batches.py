"""Records of `llm.exchanges` as a batch of documents, and those that make none. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aiokafka import ConsumerRecord, TopicPartition
from msgspec import Struct

from schemas import headers as h
from schemas.exchange import REDELIVERED_TYPE, SCHEMA_VERSION, Exchange, decode
from schemas.kept import Kept, kept
from schemas.redaction import NOTHING, Redaction
from sinks.dead_letters import DeadLetter
from sinks.document import Document, document

CE_TYPE_REDELIVERED = (h.CE_TYPE, REDELIVERED_TYPE)


class Shown(Struct, frozen=True):
    """What of an exchange its document shows."""

    bodies: bool
    body_limit: int
    redaction: Redaction


class Batch:
    """What one poll gave: documents to store, dead letters, and the offsets to commit after both."""

    __slots__ = ("_records", "dead", "documents", "kept", "offsets")

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.kept: list[Kept] = []
        self.dead: list[DeadLetter] = []
        self.offsets: dict[TopicPartition, int] = {}
        self._records: list[ConsumerRecord] = []  # of the documents, same order

    def refuse(self, reasons: Mapping[str, str]) -> int:
        """Make dead letters of the documents that the store does not take; how many."""
        before = len(self.dead)
        for found, record in zip(self.documents, self._records, strict=True):
            if (reason := reasons.get(found.request_id)) is not None:
                self.dead.append(DeadLetter(record, "sinks.base.Refused", reason))
        return len(self.dead) - before

    def add(self, record: ConsumerRecord, shown: Shown) -> None:
        try:
            exchange = _exchange(record)
            found = document(
                exchange,
                bodies=shown.bodies,
                body_limit=shown.body_limit,
                redaction=shown.redaction,
            )
            answer = kept(exchange)
        except (ValueError, RecursionError) as error:  # msgspec's and UTF-8 errors are ValueErrors
            fqcn = f"{type(error).__module__}.{type(error).__qualname__}"
            self.dead.append(DeadLetter(record, fqcn, str(error)))
        else:
            self.documents.append(found)
            self._records.append(record)
            if answer is not None:
                self.kept.append(answer)


def batch(
    polled: Mapping[TopicPartition, Sequence[ConsumerRecord]],
    *,
    bodies: bool,
    body_limit: int,
    redaction: Redaction = NOTHING,
) -> Batch:
    """All records of a poll, in partition order. Records that are no exchanges are only passed over."""
    found, shown = Batch(), Shown(bodies, body_limit, redaction)
    for partition, records in polled.items():
        for record in _exchanges(records):
            found.add(record, shown)
        if records:
            found.offsets[partition] = records[-1].offset + 1
    return found


def _exchanges(records: Iterable[ConsumerRecord]) -> Iterable[ConsumerRecord]:
    return (record for record in records if CE_TYPE_REDELIVERED not in record.headers)


def _exchange(record: ConsumerRecord) -> Exchange:
    value: bytes | None = record.value
    if value is None:
        raise ValueError("the record has no value; an exchange's value is its JSON")
    if not value.isascii():
        value.decode()  # msgspec skips over bodies without looking at their characters
    exchange = decode(value)
    if exchange.schema_version > SCHEMA_VERSION:
        raise ValueError(
            f"schema version {exchange.schema_version} is newer than this sink's {SCHEMA_VERSION}"
        )
    return exchange
