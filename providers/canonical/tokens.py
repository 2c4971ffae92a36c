"""Opaque tokens on their way through a caller that speaks another dialect than their maker.

A provider's signature or encrypted thought must come back to it unchanged, through a field that the
caller's SDK keeps: it travels there as `<dialect>:<id>:<token>`, the id empty if there is none.
"""

from __future__ import annotations

from msgspec import Struct

DIALECTS = frozenset({"openai_chat", "openai_responses", "anthropic", "gemini"})


class Token(Struct, frozen=True):
    """A token and the dialect whose provider made it."""

    origin: str
    token: str
    id: str | None = None


def seal(token: Token, dialect: str) -> str:
    """How `token` is written in `dialect`: bare if it is of its own."""
    if token.origin == dialect:
        return token.token
    return f"{token.origin}:{token.id or ''}:{token.token}"


def unseal(text: str, dialect: str) -> Token:
    """The token in a field of `dialect`."""
    origin, colon, rest = text.partition(":")
    if colon and origin in DIALECTS:
        found, colon, token = rest.partition(":")
        if colon:
            return Token(origin, token, found or None)
    return Token(dialect, text)
