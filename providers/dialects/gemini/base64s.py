"""Bytes in JSON. Protobuf reads both alphabets of base64, with padding or without, and Google's SDK
for Python sends the one that is safe in URLs; other dialects know the standard one only."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from providers.canonical.tokens import Token, seal, unseal

_TO_STANDARD = str.maketrans("-_", "+/")


def standard(text: str) -> str:
    """In the standard alphabet, padded."""
    if "-" in text or "_" in text:
        text = text.translate(_TO_STANDARD)
    return text + "=" * (-len(text) % 4) if len(text) % 4 else text


def sealed(token: str, origin: str | None, id: str | None = None) -> str:  # noqa: A002  # its name
    """A token as a `thoughtSignature`; another dialect's as base64 of its sealed text."""
    if origin is None or origin == "gemini":
        return token
    return b64encode(seal(Token(origin, token, id), "gemini").encode()).decode()


def unsealed(signature: str) -> Token:
    """The token in a `thoughtSignature`."""
    try:
        text = b64decode(standard(signature), validate=True).decode()
    except (binascii.Error, ValueError):
        return Token("gemini", signature)
    found = unseal(text, "gemini")
    return found if found.origin != "gemini" else Token("gemini", signature)
