"""A caller's mistake in a nested body, named by its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from schemas.errors import InvalidRequest

MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@contextmanager
def refused_as(place: str) -> Iterator[None]:
    """Errors of decoding become InvalidRequest; `place` is where the decoded piece stands."""
    try:
        yield
    except MALFORMED as error:
        raise refusal(error, place) from error


def refusal(error: Exception, place: str) -> InvalidRequest:
    """What to tell of one of MALFORMED."""
    if isinstance(error, msgspec.ValidationError):
        reason, _, path = str(error).partition(" - at `$")
        where = (place + path.rstrip("`")).lstrip(".") or _missing(reason)
        text = f"`{where}`: {reason[0].lower()}{reason[1:]}." if where else f"{reason}."
        return InvalidRequest(text, param=where or None)
    what = f"`{place}`" if place else "The body"
    return InvalidRequest(f"{what} cannot be read: {error}.", param=place or None)


def _missing(reason: str) -> str:
    """The field in "Object missing required field `model`"."""
    return reason.rsplit("`", 2)[-2] if "missing required field" in reason else ""
