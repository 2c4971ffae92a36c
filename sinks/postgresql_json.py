"""A document as PostgreSQL can hold it: its text and its `jsonb` have no NUL. Pure."""

from __future__ import annotations

import base64
import re

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import replace

from sinks.bodies import OBJECTS, StoredBody, as_text
from sinks.columns import Value, row
from sinks.document import Document, to_json

# The escape itself, not a backslash before "u0000".
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
MAX_TEXT = 600  # characters, of up to four bytes each; an index takes 2704 bytes
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_encode = msgspec.json.Encoder().encode
_decode_text = msgspec.json.Decoder(str).decode


def values(found: Document) -> tuple[Value, ...]:
    """The values of all columns.

    A body with a NUL in it is kept as text or, if it is text, as base64; elsewhere the character is
    replaced.
    """
    raw = to_json(found)
    if b"\\u0000" in raw and _NUL.search(raw):
        raw = to_json(_hidden(found))
        raw = _NUL.sub(rb"\1\\ufffd", raw)
    columns = (_text(value) if type(value) is str else value for value in row(found))
    return (*columns, raw.decode())


def _text(value: str) -> str:
    """What callers name may be longer than an index takes; the document has all of it."""
    return value[:MAX_TEXT].replace("\0", _REPLACEMENT)


def _hidden(found: Document) -> Document:
    answer = found.response
    return replace(
        found,
        request=_without_nul(found.request),
        response=None if answer is None else _without_nul(answer),
    )


def _without_nul(body: StoredBody) -> StoredBody:
    if body.body is UNSET or not _NUL.search(bytes(body.body)):
        return body
    if body.format in OBJECTS:
        return as_text(body, len(body.body))  # the escape as it was sent, in which no NUL is
    text = _decode_text(body.body)
    encoded = base64.b64encode(text.encode()).decode()
    return replace(body, format="base64", body=Raw(_encode(encoded)))
