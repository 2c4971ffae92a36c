"""Signatures of thoughts: opaque to the caller, and checked when they come back."""

from __future__ import annotations

import base64
import binascii
import hashlib

_MARK = b"sim\0"
_DIGEST = 16  # bytes


def sign(text: str) -> str:
    """In base64, as every dialect takes it."""
    data = text.encode()
    return base64.b64encode(_MARK + _digest(data) + data).decode()


def opened(token: str) -> str | None:
    """The text that was signed; None if the token is not ours or was changed."""
    try:
        found = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return None
    digest, data = found[4 : 4 + _DIGEST], found[4 + _DIGEST :]
    if not found.startswith(_MARK) or digest != _digest(data):
        return None
    return data.decode()


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST, person=b"sluice-sim").digest()
