"""`Idempotency-Key`: whose it is, what was asked under it, and what is remembered of it. Pure.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import json
from hashlib import blake2b

import msgspec
from msgspec import Struct

from schemas.envelopes import JSON
from schemas.requests import Request

RECORD_TYPE = b"llm.idempotency.kept"
MAX_CHARS = 255
# How the answer travels is no part of what is asked: who repeats a stream may want it whole.
_TRAVELS = frozenset({"stream", "stream_options"})
_encode = msgspec.json.Encoder(order="deterministic").encode


class Key(Struct, frozen=True):
    """A caller's key as a worker uses it."""

    name: bytes  # of its owner's; hexadecimal
    partition: int
    fingerprint: str  # of what is asked; hexadecimal


class Kept(Struct, frozen=True):
    """What `llm.idempotency` says of a key: which outcome answers it, and how long."""

    request_id: str
    fingerprint: str
    offset: int  # of the exchange, in the partition of the same number
    expires: float  # epoch seconds


_decode = msgspec.json.Decoder(Kept).decode


def encode(kept: Kept) -> bytes:
    """JSON."""
    return _encode(kept)


def decode(value: bytes) -> Kept:
    """msgspec.DecodeError if it is none."""
    return _decode(value)


def to_header(key: Key, expires: float) -> bytes:
    """What an outcome says of the key that it answers."""
    return b"%b %b %.3f" % (key.name, key.fingerprint.encode(), expires)


def from_header(value: bytes, request_id: bytes, offset: int) -> tuple[bytes, Kept]:
    """The key's name, and what is kept of it: the outcome at `offset`."""
    name, fingerprint, expires = value.split()
    return name, Kept(request_id.decode(), fingerprint.decode(), offset, float(expires))


def name_of(key: str, client: str | None, user_path: str) -> bytes:
    """A key in its owner's name: it says nothing of another owner's."""
    owned = _encode((client, user_path, key))
    return blake2b(owned, digest_size=16).hexdigest().encode()


def key_of(request: Request, partition: int) -> Key | None:
    """The key of a request; None if it has none."""
    if request.idempotency_key is None:
        return None
    name = name_of(request.idempotency_key, request.client, request.user_path)
    return Key(name, partition, fingerprint(request))


def fingerprint(request: Request) -> str:
    """Equal for requests that ask the same, however their JSON is spelt and their answer is to travel."""
    relay = request.relay
    beside = (
        request.operation,
        request.dialect,
        request.model,
        (relay.provider, relay.method, relay.path) if relay is not None else None,
    )
    digest = blake2b(_encode(beside), digest_size=16)
    digest.update(_asked(request))
    return digest.hexdigest()


def _asked(request: Request) -> bytes:
    body = request.body
    if request.claim is not None:
        return (request.claim.digest or request.claim.dataref).encode()
    if request.content_type.startswith("multipart/"):
        # A client that sends its form again separates the parts by another word.
        _, _, boundary = request.content_type.partition("boundary=")
        boundary = boundary.partition(";")[0].strip().strip('"')
        return body.replace(boundary.encode(), b"") if boundary else body
    if not request.content_type.startswith(JSON):
        return body
    try:
        found = json.loads(body)
        if isinstance(found, dict):
            found = {name: value for name, value in found.items() if name not in _TRAVELS}
        return _encode(found)
    except (ValueError, RecursionError, OverflowError):
        return body
