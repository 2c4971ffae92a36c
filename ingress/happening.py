"""One line of what a watcher sees, of each request that is taken in and each exchange that ends."""

from __future__ import annotations

import msgspec
from aiokafka import ConsumerRecord
from msgspec import Struct

from ingress.shown import Shown
from schemas import headers as h
from schemas.clock import rfc3339
from schemas.exchange import SHOWN_TYPES, Attempt, Cached, ErrorInfo, Timings
from schemas.requests import Position, request_id_of
from schemas.usage import Usage


class Started(Struct, frozen=True):
    """A request that stands in the log."""

    request_id: str
    created_at: str  # RFC 3339
    topic: str
    operation: str
    user_path: str
    model: str | None
    stream: bool
    client: str | None


class Finished(Shown, frozen=True, kw_only=True):
    """An exchange, without its bodies. `kafka` is where it stands whole."""

    request_id: str
    timings: Timings
    usage: Usage | None
    cache: str | None
    attempts: int
    error: str | None  # its code
    kafka: Position


Seen = Started | Finished


class _Asked(Struct):
    model: str | None = None
    stream: bool | None = None


class _Head(Shown, frozen=True, kw_only=True):
    """What is read of an exchange: its bodies are passed over."""

    request_id: str
    timings: Timings
    usage: Usage | None = None
    error: ErrorInfo | None = None
    attempts: tuple[Attempt, ...] = ()
    cache: Cached | None = None


_asked = msgspec.json.Decoder(_Asked)
_head = msgspec.json.Decoder(_Head)


def started(record: ConsumerRecord[bytes, bytes]) -> Started | None:
    """None if it is none of ours, or a copy that was moved forward."""
    found = h.first(record.headers)
    if h.REQUEST_ID in found or record.value is None:
        return None
    try:
        asked = _asked.decode(record.value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        asked = _Asked()  # a body that is no JSON, or stands elsewhere
    place = Position(record.topic, record.partition, record.offset)
    return Started(
        request_id_of(found, place),  # as its exchange will have it
        rfc3339(record.timestamp / 1000),
        record.topic,
        (_text(found.get(h.CE_TYPE)) or "").removeprefix("llm.request."),
        _text(found.get(h.USER_PATH)) or "/kafka",
        _text(found.get(h.MODEL)) or asked.model,
        bool(asked.stream) or found.get(h.STREAM) == b"true",
        _text(found.get(h.CLIENT)),
    )


def finished(record: ConsumerRecord[bytes, bytes]) -> Finished | None:
    """None if it is no exchange."""
    if h.first(record.headers).get(h.CE_TYPE) not in SHOWN_TYPES or record.value is None:
        return None
    try:
        head = _head.decode(record.value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Finished(
        **{name: getattr(head, name) for name in Shown.__struct_fields__},
        request_id=head.request_id,
        timings=head.timings,
        usage=head.usage,
        cache=None if head.cache is None else head.cache.result,
        attempts=len(head.attempts),
        error=None if head.error is None else head.error.code,
        kafka=Position(record.topic, record.partition, record.offset),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
