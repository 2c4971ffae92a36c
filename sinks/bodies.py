"""A body as it is stored: JSON as a sub-document, streams folded, long ones cut and marked. Pure."""

from __future__ import annotations

import base64
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from schemas.claims import Claim
from schemas.exchange import Body
from schemas.redaction import NOTHING, Redaction
from sinks.fold import fold

Format = Literal["json", "text", "base64", "claim"]
OBJECTS = ("json", "claim")  # whose body is a sub-document
# MongoDB holds 100 levels, of which the document around a body uses some.
MAX_DEPTH = 90
SHORT = 8192

_encode = msgspec.json.Encoder().encode
_decode_claim = msgspec.json.Decoder(Claim).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode = msgspec.json.Decoder().decode


class StoredBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`format` says what `body` is: a sub-document, or a string of text or base64."""

    format: Format
    content_type: str
    bytes: int  # as it was sent
    streamed: bool = False
    truncated: bool = False
    body: Raw | UnsetType = UNSET  # unset where bodies are not stored


def stored(body: Body, limit: int, redaction: Redaction = NOTHING) -> StoredBody:
    """The body as it goes into a document; of one longer than `limit` bytes the beginning.

    What rules are to hide is looked for in JSON, in a stream's once it is folded. Other bodies are left
    out where there are such rules: nobody can tell what stands in them.
    """
    format_, content, streamed = body.format, body.body, is_stream(body)
    if streamed and format_ == "text" and (folded := fold(_decode_text(content))) is not None:
        format_, content = "json", Raw(folded)
    if redaction.paths and format_ != "claim":
        shown = redaction.content_of(content) if format_ == "json" else None
        if shown is None:
            return without_content(body)
        content = shown
    whole = StoredBody(
        format=format_,
        content_type=body.content_type,
        bytes=size(body),
        streamed=streamed,
        body=content,
    )
    # A string is never longer than its JSON, so most are seen to be short without decoding them.
    if len(content) > limit or (format_ == "json" and _is_deep(content)):
        return as_text(whole, limit)
    return whole


def without_content(body: Body) -> StoredBody:
    """What kind of body it was and how long."""
    return StoredBody(
        format=body.format,
        content_type=body.content_type,
        bytes=size(body),
        streamed=is_stream(body),
    )


def as_text(body: StoredBody, limit: int) -> StoredBody:
    """The same as a string of at most `limit` bytes, for what cannot be held as a sub-document."""
    if body.body is UNSET:
        return body
    if body.format in OBJECTS:
        text, format_ = bytes(body.body).decode(), "text"
    else:
        text, format_ = _decode_text(body.body), body.format
    cut = _cut(text, limit // 4 * 4 if format_ == "base64" else limit)
    return replace(
        body,
        format=format_,
        body=Raw(_encode(cut)),
        truncated=body.truncated or len(cut) < len(text),
    )


def is_stream(body: Body) -> bool:
    return body.content_type.startswith("text/event-stream")


def size(body: Body) -> int:
    """The number of bytes that were sent."""
    if body.format == "claim":
        return _decode_claim(body.body).size or 0
    if body.format == "json":
        return len(body.body)
    text = _decode_text(body.body)
    if body.format == "base64":
        return len(base64.b64decode(text))
    return len(text) if text.isascii() else len(text.encode())


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit and (text.isascii() or len(text.encode()) <= limit):
        return text
    return text[:limit].encode()[:limit].decode(errors="ignore")


def _is_deep(content: Raw) -> bool:
    """Whether it is nested more than MAX_DEPTH levels."""
    raw = bytes(content)
    # Of a short body the brackets are counted first: that is faster than decoding it, of a long one slower.
    if len(raw) < SHORT and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    try:
        level: list[Any] = [_decode(raw)]
    except RecursionError:
        return True
    except msgspec.ValidationError:
        return False  # a number beyond any float, which text holds and Python does not
    for _ in range(MAX_DEPTH):
        children: list[Any] = []
        for node in level:
            children += node.values() if type(node) is dict else node
        level = [child for child in children if type(child) is dict or type(child) is list]
        if not level:
            return False
    return True
