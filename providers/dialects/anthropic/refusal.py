"""A caller's mistake in a nested body, named by its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from schemas.errors import InvalidRequest


@contextmanager
def refused_as(place: str) -> Iterator[None]:
    """Errors of decoding become InvalidRequest; `place` is where the decoded piece stands."""
    try:
        yield
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        where = (place + path.rstrip("`")).lstrip(".") or _missing(reason)
        text = f"`{where}`: {reason[0].lower()}{reason[1:]}." if where else f"{reason}."
        raise InvalidRequest(text, param=where or None) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        where = f"`{place}`" if place else "The body"
        raise InvalidRequest(f"{where} cannot be read: {error}.", param=place or None) from error


def _missing(reason: str) -> str:
    """The field in "Object missing required field `model`"."""
    return reason.rsplit("`", 2)[-2] if "missing required field" in reason else ""
