"""Thoughts of other dialects' providers in a conversation that goes on at one of this dialect.

A caller sends back what it was given, whichever provider gave it. Tokens of another maker are of no
use here, and OpenAI refuses members that it does not know: the thoughts of such a message are left out.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import Members
from providers.canonical.tokens import unseal
from providers.dialects.openai_chat.details import DIALECT, FIELDS

_DETAILS = "reasoning_details"


class _Entry(Struct):
    signature: str | None = None
    data: str | None = None


_messages = msgspec.json.Decoder(list[Members]).decode
_entries = msgspec.json.Decoder(list[_Entry]).decode
_encode = msgspec.json.Encoder().encode


def without_foreign_thoughts(members: Members) -> Members:
    """The same object if there are none."""
    try:
        given = _messages(members.get("messages", b"[]"))
        kept = [_kept(message) for message in given]
    except (msgspec.DecodeError, RecursionError):
        return members  # the provider will say what is wrong with it
    if all(before is after for before, after in zip(given, kept, strict=True)):
        return members
    return {**members, "messages": Raw(_encode(kept))}


def _kept(message: Members) -> Members:
    raw = message.get(_DETAILS)
    if raw is None or bytes(raw) == b"null":
        return message
    sealed = (entry.signature or entry.data or "" for entry in _entries(raw))
    if all(unseal(text, DIALECT).origin == DIALECT for text in sealed):
        return message
    left_out = {_DETAILS, *FIELDS}
    return {name: value for name, value in message.items() if name not in left_out}
