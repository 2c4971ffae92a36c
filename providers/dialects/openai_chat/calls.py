"""Calls of tools in messages and deltas: of OpenAI, and as its imitators write them."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct


class Function(Struct, gc=False):
    name: str | None = None
    # A text of JSON; some providers give the object itself.
    arguments: Raw = Raw()


class Custom(Struct, gc=False):
    name: str | None = None
    input: str | None = None


class Call(Struct, gc=False):
    """A call, or a piece of one: nothing of it is there for sure."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: Raw = Raw()


class _Google(Struct):
    thought_signature: str | None = None


class _Extra(Struct):
    google: _Google | None = None


TEXT = msgspec.json.Decoder(str)
_extra = msgspec.json.Decoder(_Extra | None).decode


def arguments_of(raw: Raw) -> str:
    """The text of the arguments; msgspec.DecodeError or UnicodeDecodeError if it is none."""
    given = bytes(raw)
    if given.startswith(b'"'):
        return TEXT.decode(given)
    return "" if given in (b"", b"null") else given.decode()


def signature_of(raw: Raw) -> str | None:
    """Google's signature of a call: https://ai.google.dev/gemini-api/docs/openai."""
    if not bytes(raw):
        return None
    try:
        found = _extra(raw)
    except (msgspec.DecodeError, RecursionError):
        return None  # another vendor's content
    return found.google.thought_signature if found and found.google else None


def extra_content(token: str) -> dict[str, object]:
    """The member that holds a call's signature."""
    return {"google": {"thought_signature": token}}
