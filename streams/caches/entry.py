"""A kept answer: what it holds, its bytes, and which ones are meant when some are to be forgotten."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
from msgspec import Struct

from schemas.usage import Usage

_MAGIC = b"sluice1"
_DIGEST = 16
_FIXED = 600  # bytes of an entry in memory beside its texts


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a question, whole: as a caller gets it that did not ask for a stream."""

    key: str
    body: bytes
    stored_at: float  # epoch seconds
    expires_at: float  # epoch seconds
    provider: str = ""  # instance
    model: str = ""  # as the provider knows it
    finish_reason: str | None = None
    response_model: str | None = None
    usage: Usage | None = None  # of the call that is saved
    seconds: float = 0.0  # that this call took
    user_path: str = "/"
    request_model: str = ""  # as it was asked for
    tags: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return len(self.body) + len(self.user_path) + sum(map(len, self.tags)) + _FIXED


class Selection(Struct, frozen=True):
    """Which entries are meant: those that have all that is said here; all, if nothing is."""

    key: str | None = None
    tag: str | None = None
    model: str | None = None  # as asked for, as its provider knows it, or `instance/model`
    user_path: str | None = None  # this one and those below
    before: float | None = None  # epoch seconds: what was kept later is not meant

    def takes(self, entry: Entry) -> bool:
        return (
            self.key in (None, entry.key)
            and (self.tag is None or self.tag in entry.tags)
            and self.model
            in (None, entry.request_model, entry.model, f"{entry.provider}/{entry.model}")
            and (self.user_path is None or _below(entry.user_path, self.user_path))
            and (self.before is None or entry.stored_at <= self.before)
        )


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


class Corrupt(Exception):
    """These bytes are no entry, or not the one that was written."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


def encode(entry: Entry) -> bytes:
    """Bytes that say themselves whether they are whole."""
    payload = _encode(entry)
    return _MAGIC + _digest(payload) + payload


def decode(value: bytes, key: str | None) -> Entry:
    """The entry of that key, None: of any; Corrupt if the bytes are not it."""
    start = len(_MAGIC) + _DIGEST
    payload = value[start:]
    if not value.startswith(_MAGIC) or value[len(_MAGIC) : start] != _digest(payload):
        raise Corrupt("the bytes are not those that were written")
    try:
        found = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # of another version of ours
        raise Corrupt(str(error)) from error
    if key not in (None, found.key):
        raise Corrupt("it is the answer to another question")
    return found


def _digest(payload: bytes) -> bytes:
    return blake2b(payload, digest_size=_DIGEST).digest()
