"""Ids of tool calls and names of tools within the letters that the Messages API takes."""

from __future__ import annotations

import base64
import binascii
import re

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_OUTSIDE = re.compile(r"[^a-zA-Z0-9_-]")
_ENCODED = "b64_"
MAX_NAME = 128


def to_wire(call_id: str) -> str:
    """The id as it is if the API takes it (`^[a-zA-Z0-9_-]+$`), else in base64."""
    if _ID.fullmatch(call_id) and not call_id.startswith(_ENCODED):
        return call_id
    coded = base64.urlsafe_b64encode(call_id.encode(errors="replace"))
    return _ENCODED + coded.decode().rstrip("=")


def from_wire(wire_id: str) -> str:
    """The id that `to_wire` was given."""
    if not wire_id.startswith(_ENCODED):
        return wire_id
    coded = wire_id.removeprefix(_ENCODED)
    try:
        found = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
    except (binascii.Error, ValueError):
        return wire_id
    return found if to_wire(found) == wire_id else wire_id


def wire_names(names: tuple[str, ...]) -> dict[str, str]:
    """Names that the API does not take, each with one that it takes and that no other tool has."""
    taken = {name for name in names if _NAME.fullmatch(name)}
    found: dict[str, str] = {}
    for name in names:
        if name in taken or name in found:
            continue
        base = _OUTSIDE.sub("_", name)[:MAX_NAME] or "_"
        wire, number = base, 1
        while wire in taken:
            number += 1
            wire = f"{base[: MAX_NAME - 8]}_{number}"
        taken.add(wire)
        found[name] = wire
    return found
