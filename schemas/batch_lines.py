"""A request that is a line of a batch which the gateway runs itself."""

from __future__ import annotations

import re

from msgspec import Struct

from schemas import headers as h
from schemas.headers import Headers

_ID = re.compile(r"batch_sluice_[0-9a-f]{32}")


class BatchLine(Struct, frozen=True):
    """Of which batch a request is a line. In its record these are headers."""

    batch: str
    number: int  # in its input file, from 1
    custom_id: str
    again: bool = False  # its record may stand in the log twice


def is_batch_id(name: str) -> bool:
    """Whether it is a batch of the gateway's own."""
    return _ID.fullmatch(name) is not None


def to_headers(line: BatchLine) -> Headers:
    """The headers of a line's record."""
    found = [
        (h.BATCH, line.batch.encode()),
        (h.BATCH_LINE, b"%d" % line.number),
        (h.CUSTOM_ID, line.custom_id.encode()),
    ]
    if line.again:
        found.append((h.BATCH_AGAIN, b"true"))
    return found


def from_headers(headers: dict[str, bytes]) -> BatchLine | None:
    """The line that a record is, if it is one; ValueError says what is wrong with it."""
    if not (name := headers.get(h.BATCH)):
        return None
    batch, number = name.decode(), headers.get(h.BATCH_LINE, b"")
    if not is_batch_id(batch):
        raise ValueError(f"{h.BATCH} is no batch's id: {batch[:60]!r}")
    if not (number.isdigit() and len(number) < 10):
        raise ValueError(f"{h.BATCH_LINE} is no line's number: {number[:20]!r}")
    custom_id = headers.get(h.CUSTOM_ID, b"").decode()
    return BatchLine(batch, int(number), custom_id, headers.get(h.BATCH_AGAIN) == b"true")
