"""Dead letters as they are read: the record that died, where it stood and why it died. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from schemas import headers as h
from schemas.clock import rfc3339, within_calendar
from schemas.headers import Headers
from schemas.requests import Position, request_id_of
from schemas.topics import Topics

OURS = (
    h.DLT_EXCEPTION_FQCN,
    h.DLT_EXCEPTION_MESSAGE,
    h.DLT_ORIGINAL_TOPIC,
    h.DLT_ORIGINAL_PARTITION,
    h.DLT_ORIGINAL_OFFSET,
    h.DLT_ORIGINAL_TIMESTAMP,
)
Kind = Literal["request", "exchange", "unknown"]


class Letter(Struct, frozen=True, kw_only=True):
    """One record of `llm.dead-letters`."""

    number: int  # its offset there, which is its name
    at: float  # epoch seconds: when it was written
    kind: Kind  # what the record was that died
    exception: str  # class of the error
    reason: str
    origin: Position | None  # where it stood
    made: float  # epoch seconds: when it was written there
    request_id: str
    key: bytes | None
    value: bytes | None
    headers: Headers  # its own, without those that say why it died


def letter(
    number: int, written: float, record: tuple[Headers, bytes | None, bytes | None], topics: Topics
) -> Letter:
    """The letter in a record (headers, key, value) that stands at `number`."""
    headers, key, value = record
    own, said = _taken_apart(headers)
    origin = _origin(said)
    kind = _kind(origin, topics)
    return Letter(
        number=number,
        at=written,
        kind=kind,
        exception=said.get(h.DLT_EXCEPTION_FQCN, b"").decode(errors="replace"),
        reason=said.get(h.DLT_EXCEPTION_MESSAGE, b"").decode(errors="replace"),
        origin=origin,
        made=_made(said, written),
        request_id=_request_id(kind, own, key, origin),
        key=key,
        value=value,
        headers=own,
    )


def _taken_apart(headers: Headers) -> tuple[Headers, dict[str, bytes]]:
    """The record's own headers, and those of its death: they come last, whatever it had itself."""
    own, said = [], {}
    for name, value in reversed(headers):
        if name in OURS and name not in said:
            said[name] = value
        else:
            own.append((name, value))
    return own[::-1], said


def _origin(said: dict[str, bytes]) -> Position | None:
    try:
        return Position(
            said[h.DLT_ORIGINAL_TOPIC].decode(),
            h.integer(said[h.DLT_ORIGINAL_PARTITION]),
            h.integer(said[h.DLT_ORIGINAL_OFFSET]),
        )
    except (KeyError, ValueError):
        return None


def _kind(origin: Position | None, topics: Topics) -> Kind:
    if origin is None:
        return "unknown"
    if origin.topic == topics.exchanges:
        return "exchange"
    lane = origin.topic.startswith(f"{topics.requests}.")
    return "request" if lane or origin.topic == topics.requests else "unknown"


def _made(said: dict[str, bytes], written: float) -> float:
    try:
        milliseconds = h.integer(said[h.DLT_ORIGINAL_TIMESTAMP])
    except (KeyError, ValueError):
        return written
    return milliseconds / 1000 if milliseconds > 0 else written


def _request_id(kind: Kind, own: Headers, key: bytes | None, origin: Position | None) -> str:
    if kind == "request" and origin is not None:
        return request_id_of(h.first(own), origin)
    return (key or b"").decode(errors="replace")  # an exchange's key is its request's id


# -- as it is shown


class Line(Struct, frozen=True):
    """A letter in a list."""

    number: int
    at: str
    kind: Kind
    exception: str
    reason: str
    request_id: str
    topic: str | None
    partition: int | None
    offset: int | None
    bytes: int


class Shown(Struct, frozen=True):
    """A letter with all that stands in it. Bytes that are no text are in base64, behind `base64:`."""

    letter: Line
    key: str | None
    headers: Sequence[tuple[str, str]]
    body: Raw  # JSON as it is, anything else as a text


def line(found: Letter) -> Line:
    """What a list says of it."""
    origin = found.origin
    return Line(
        found.number,
        rfc3339(within_calendar(found.at)),
        found.kind,
        found.exception,
        found.reason,
        found.request_id,
        origin.topic if origin else None,
        origin.partition if origin else None,
        origin.offset if origin else None,
        len(found.value or b""),
    )


def shown(found: Letter) -> Shown:
    """All of it."""
    return Shown(
        line(found),
        None if found.key is None else text(found.key),
        [(name, text(value)) for name, value in found.headers],
        _body(found.value),
    )


def text(data: bytes) -> str:
    """Bytes to be read by people."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(data).decode()}"


def _body(value: bytes | None) -> Raw:
    if value is None:
        return Raw(b"null")
    try:
        value.decode()
        return msgspec.json.decode(value, type=Raw).copy()
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return Raw(msgspec.json.encode(text(value)))
