"""Thoughts of other providers in a conversation that goes on at one of this dialect.

A caller sends back what it was given, whichever provider gave it. Encrypted content of another maker
is refused here, and an id that we have made is looked for in vain: such items are left out.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import Members
from providers.canonical.tokens import unseal
from providers.dialects.openai_responses.carrier import DIALECT


class _Item(Struct, gc=False):
    type: str | None = None
    id: str | None = None
    encrypted_content: str | None = None


_items = msgspec.json.Decoder(list[Raw]).decode
_item = msgspec.json.Decoder(_Item).decode
_encode = msgspec.json.Encoder().encode
_OURS = re.compile(r"rs_.+_\d+", re.DOTALL)  # as `write` makes them


def without_foreign_thoughts(members: Members) -> Members:
    """The same object if there are none."""
    try:
        given = _items(members.get("input", b"[]"))
        kept = [raw for raw in given if not _foreign(raw)]
    except (msgspec.DecodeError, RecursionError):
        return members  # a text, or what the provider will refuse
    if len(kept) == len(given):
        return members
    return {**members, "input": Raw(_encode(kept))}


def _foreign(raw: Raw) -> bool:
    if b'"reasoning"' not in bytes(raw):
        return False
    item = _item(raw)
    if item.type != "reasoning":
        return False
    if item.encrypted_content is None:
        return item.id is not None and _OURS.fullmatch(item.id) is not None
    return unseal(item.encrypted_content, DIALECT).origin != DIALECT
