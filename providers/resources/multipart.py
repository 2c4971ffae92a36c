"""Fields of a multipart body (RFC 7578), found and left out without touching the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb';[ \t]*name="([^"]*)"', re.IGNORECASE)


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
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-disposition:") and (found := _NAME.search(line)):
                yield found[1].decode(errors="replace"), raw, value
                break
