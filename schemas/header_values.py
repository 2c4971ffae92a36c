"""Values of a record's headers, understood; ValueError says what is wrong with one."""

from __future__ import annotations

import re

import msgspec

from schemas import headers as h

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]{1,128}")
_decode_headers = msgspec.json.Decoder(dict[str, str]).decode
_decode_models = msgspec.json.Decoder(tuple[str, ...]).decode


def text(headers: dict[str, bytes], name: str) -> str | None:
    """None if it is not there, or empty."""
    value = headers.get(name)
    return value.decode() if value else None


def flag(headers: dict[str, bytes], name: str) -> bool | None:
    """`true` or `false`; None if it is not there."""
    value = headers.get(name)
    if not value:
        return None
    if value not in (b"true", b"false"):
        raise ValueError(f"{name} must be true or false, not {value[:20]!r}")
    return value == b"true"


def models(headers: dict[str, bytes]) -> tuple[str, ...]:
    """Patterns of models' names; none if nothing is said."""
    value = headers.get(h.MODELS)
    if not value:
        return ()
    try:
        return _decode_models(value)
    except msgspec.DecodeError as error:
        raise ValueError(f"{h.MODELS} is no JSON list of texts: {error}") from error


def http_headers(headers: dict[str, bytes]) -> dict[str, str]:
    """Of the caller, to the provider; names and values that HTTP does not take are no request."""
    value = headers.get(h.HTTP_HEADERS)
    if not value:
        return {}
    try:
        found = _decode_headers(value)
    except msgspec.DecodeError as error:
        raise ValueError(f"{h.HTTP_HEADERS} is no JSON object of texts: {error}") from error
    for name, said in found.items():
        if not _HEADER_NAME.fullmatch(name) or not (said.isascii() and said.isprintable()):
            raise ValueError(f"{h.HTTP_HEADERS} holds no HTTP header: {name[:40]!r}")
    return found
