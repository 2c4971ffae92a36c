"""Reading a caller's JSON: every mistake in it is an InvalidRequest that names the place."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Raw

from providers.canonical.request import Members
from schemas.errors import InvalidRequest

T = TypeVar("T")

members = msgspec.json.Decoder(Members)


def utf8(body: bytes) -> bytes:
    """A body in UTF-8: msgspec skips over strings that it does not need without looking at them."""
    try:
        if not body.isascii():
            body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not UTF-8: byte {error.start}.") from error
    return body


def decoded(decoder: msgspec.json.Decoder[T], raw: bytes | Raw, where: str) -> T:
    """What `decoder` finds; InvalidRequest names `where` and the member below it."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        below = path.removesuffix("`").removeprefix("...")
        place = (where + below).lstrip(".") or _missing(reason)
        raise invalid(place, f"{reason[:1].lower()}{reason[1:]}") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error


def _missing(reason: str) -> str:
    """The field in "Object missing required field `model`"."""
    return reason.rsplit("`", 2)[-2] if "missing required field" in reason else "body"


def invalid(place: str, reason: str) -> InvalidRequest:
    """A mistake at a place of the body."""
    return InvalidRequest(f"`{place}`: {reason}.", param=place)


def given(raw: Raw | None) -> Raw | None:
    """A member that is there and not null."""
    return raw if raw is not None and bytes(raw) not in (b"", b"null") else None


def others(found: Members, known: frozenset[str], prefix: str = "") -> Members:
    """Members that are not known, under their dotted names; nulls say nothing."""
    if found.keys() <= known:
        return {}
    return {
        prefix + name: raw
        for name, raw in found.items()
        if name not in known and given(raw) is not None
    }
