"""The claim check: a body that is too large for a record stands in a file, and the record says in which.

CloudEvents calls the reference `dataref`; the digest is written as RFC 9530 has it.
https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/dataref.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from schemas import headers as h

# Of a body: what a record of `MAX_MESSAGE_BYTES` carries beside its headers.
RECORD_BYTES = 15 << 20
# A file's name and nothing that leads out of the folder; hidden files are not bodies.
_REF = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_DIGEST = re.compile(r"sha-256=:[A-Za-z0-9+/]{43}=:")


class Claim(Struct, frozen=True, omit_defaults=True):
    """A body in the folder that all roles share. Without size and digest nothing is checked."""

    dataref: str  # the file's name there
    size: int | None = None  # bytes
    digest: str | None = None  # `sha-256=:…:`


class Part(Struct, frozen=True):
    """A field of a multipart body."""

    name: str
    start: int  # of the line of its border
    end: int  # where the next border's line begins
    value: bytes  # its first KiB


class Stored(Struct, frozen=True):
    """The body of a claim check as a worker has found it."""

    path: Path
    size: int  # bytes
    parts: tuple[Part, ...] = ()  # if it is an upload in several parts


def to_headers(claim: Claim) -> Iterator[tuple[str, str | None]]:
    """Names and values of the record's headers; None: it has not got that one."""
    yield h.DATAREF, claim.dataref
    yield h.CONTENT_LENGTH, None if claim.size is None else str(claim.size)
    yield h.CONTENT_DIGEST, claim.digest


def from_headers(headers: dict[str, bytes]) -> Claim | None:
    """The claim check of a record, if it is one; ValueError says what is wrong with it."""
    if not (ref := headers.get(h.DATAREF)):
        return None
    dataref = ref.decode()
    if not _REF.fullmatch(dataref):
        raise ValueError(f"{h.DATAREF} is no file's name in SPOOL_DIR: {dataref[:60]!r}")
    size, digest = headers.get(h.CONTENT_LENGTH), headers.get(h.CONTENT_DIGEST)
    if size is not None and not (size.isdigit() and len(size) < 20):
        raise ValueError(f"{h.CONTENT_LENGTH} is no number of bytes: {size[:20]!r}")
    if digest is not None and not _DIGEST.fullmatch(digest.decode()):
        raise ValueError(f"{h.CONTENT_DIGEST} is no sha-256=:…: digest: {digest[:60]!r}")
    return Claim(dataref, None if size is None else int(size), digest.decode() if digest else None)
