"""Fields of a multipart body (RFC 7578), found and left out without touching the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import pairwise
from typing import BinaryIO

from providers.file_body import FileBody, Span
from schemas.claims import Part, Stored

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb';[ \t]*name="([^"]*)"', re.IGNORECASE)


_VALUE = 1024  # bytes of a field's value that are looked at in a file
_HEAD = 8192  # bytes in which the head of a part ends
_PIECE = 1 << 20  # bytes


def field(body: bytes, content_type: str, name: str) -> str | None:
    """The value of the first field of that name; None if there is none."""
    for found, _, value in _parts(body, content_type):
        if found == name:
            return value.decode(errors="replace")
    return None


def without(body: bytes, content_type: str, names: Iterable[str]) -> bytes:
    """The body without the fields of those names."""
    left_out = frozenset(names)
    parts = list(_parts(body, content_type))
    if not any(name in left_out for name, _, _ in parts):
        return body
    border = b"--" + (_boundary(content_type) or b"")
    kept = [border + b"\r\n" + raw + b"\r\n" for name, raw, _ in parts if name not in left_out]
    return b"".join(kept) + border + b"--\r\n"


def index(content: bytes | BinaryIO, content_type: str) -> tuple[Part, ...]:
    """Where the parts of a body lie; none if it has none. A file is read, a piece at a time: may block."""
    file = BytesIO(content) if isinstance(content, bytes) else content
    if (boundary := _boundary(content_type)) is None:
        return ()
    border = b"--" + boundary
    found: list[Part] = []
    starts = list(_borders(file, border))
    for start, end in pairwise(starts):
        file.seek(start)
        head, _, value = file.read(min(end - start, _HEAD)).partition(b"\r\n\r\n")
        if head[len(border) : len(border) + 2] == b"--":
            return tuple(found)
        if (name := _name(head)) is not None:
            found.append(Part(name, start, end, value[:_VALUE].removesuffix(b"\r\n")))
    file.seek(starts[-1] + len(border) if starts else 0)
    return tuple(found) if file.read(2) == b"--" else ()  # else it is cut off: who knows its parts?


def _borders(file: BinaryIO, border: bytes) -> Iterator[int]:
    """Where lines begin that begin with a border."""
    mark = b"\r\n" + border
    held, at = b"\r\n", -2  # what was read and not looked at, and where it begins
    while data := file.read(_PIECE):
        held += data
        looked = 0
        while (found := held.find(mark, looked)) >= 0:
            yield at + found + 2
            looked = found + 1
        dropped = max(looked, len(held) - len(mark) + 1)
        held, at = held[dropped:], at + dropped


def field_in(stored: Stored, name: str) -> str | None:
    """The value of the first field of that name in a file; None if there is none."""
    for part in stored.parts:
        if part.name == name:
            return part.value.decode(errors="replace")
    return None


def file_without(stored: Stored, names: Iterable[str]) -> FileBody:
    """What stands in a file without the fields of those names."""
    left_out = frozenset(names)
    spans = []
    at = 0
    for part in stored.parts:
        if part.name in left_out:
            spans.append(Span(at, part.start))
            at = part.end
    spans.append(Span(at, stored.size))
    return FileBody(stored.path, tuple(span for span in spans if span.end > span.start))


def made(boundary: str, fields: dict[str, str], name: str, content: bytes) -> bytes:
    """A body of plain fields and one file called `name`."""
    border = f"--{boundary}\r\n"
    text = "".join(
        f'{border}Content-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in fields.items()
    )
    head = (
        f'{border}Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    return (text + head).encode() + content + f"\r\n--{boundary}--\r\n".encode()


def _boundary(content_type: str) -> bytes | None:
    if not content_type.lower().startswith("multipart/form-data"):
        return None
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2]).encode() if found else None


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, bytes and value of each part."""
    boundary = _boundary(content_type)
    if boundary is None:
        return
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        if piece.startswith(b"--"):
            return
        raw = piece.lstrip(b" \t").removeprefix(b"\r\n")
        head, _, value = raw.partition(b"\r\n\r\n")
        if (name := _name(head)) is not None:
            yield name, raw, value


def _name(head: bytes) -> str | None:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-disposition:") and (found := _NAME.search(line)):
            return found[1].decode(errors="replace")
    return None
