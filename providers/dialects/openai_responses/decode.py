"""Reading a caller's JSON: every mistake in it is an InvalidRequest that names the place."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Raw

from providers.canonical.request import Members
from schemas.errors import InvalidRequest

T = TypeVar("T")

members = msgspec.json.Decoder(Members)
raws = msgspec.json.Decoder(list[Raw])
encode = msgspec.json.Encoder().encode
NULL = Raw(b"null")


def decoded(decoder: msgspec.json.Decoder[T], raw: bytes | Raw, where: str) -> T:
    """What `decoder` finds; InvalidRequest names `where` and the member below it."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        below = path.removesuffix("`").removeprefix("...")
        place = (where + below).lstrip(".") or "body"
        raise invalid(place, f"{reason[:1].lower()}{reason[1:]}") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error


def invalid(place: str, reason: str) -> InvalidRequest:
    """A mistake at a place of the body."""
    return InvalidRequest(f"`{place}`: {reason}.", param=place)


def given(raw: Raw | None) -> bool:
    """Whether a member is there and not null."""
    return raw is not None and len(bytes(raw)) > 0 and bytes(raw) != b"null"


def others(found: Members, known: frozenset[str], prefix: str) -> Members:
    """Members that are not known, under their dotted names; nulls say nothing."""
    return {prefix + name: raw for name, raw in found.items() if name not in known and given(raw)}
