"""Events of a provider's stream: what is read of them."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.dialects.openai_responses.failures import failure
from schemas.errors import UpstreamError


class StreamEvent(Struct, gc=False):
    """What is read of one; members that its kind has not keep their defaults."""

    type: str = ""
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: str = ""
    logprobs: list[Raw] | None = None
    annotation: Raw = Raw()
    item: Raw = Raw()
    response: Raw = Raw()
    error: Raw = Raw()


class _Typed(Struct, gc=False):
    type: str = ""


_event = msgspec.json.Decoder(StreamEvent).decode
_typed = msgspec.json.Decoder(_Typed).decode


def read_event(data: bytes, known: frozenset[str]) -> StreamEvent | None:
    """The event in `data`; None if nothing is to be read of it. GatewayError if it is an error or
    malformed. `known`: the kinds that are read; any other may have any shape."""
    try:
        event = _event(data)
    except msgspec.ValidationError as error:
        _check(data, known, error)
        return None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from error
    if event.type in known:
        return event
    if event.type == "error" or (not event.type and event.error):
        raise failure(data)[0]
    return None


def _check(data: bytes, known: frozenset[str], error: msgspec.ValidationError) -> None:
    """An event of another shape must be of a kind that is not read."""
    try:
        kind = _typed(data).type
    except (msgspec.DecodeError, RecursionError):
        raise _malformed(error) from error
    if kind == "error":
        raise failure(data)[0]
    if kind in known or not kind:
        raise _malformed(error) from error


def _malformed(error: Exception) -> UpstreamError:
    return UpstreamError(f"The provider sent an event that cannot be read: {error}.")
