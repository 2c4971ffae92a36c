"""Responses that the gateway makes in the background, under the name that it has told their callers."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from providers.base import Decoder
from providers.sse import payload
from schemas.errors import GatewayError
from schemas.replies import Chunk, Completed, Failed, Reply

_BLANK = re.compile(rb"\r?\n\r?\n")


class _Named(Struct):
    id: str | None = None


class _Event(Struct):
    response: _Named | None = None


_named = msgspec.json.Decoder(_Named).decode
_event = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.Encoder().encode


class Renamed:
    """Folds as `inner` does, and puts our name wherever the provider's stands.

    Its own name for a Response is a long random text: what is equal to it, in quotes, is it.
    """

    __slots__ = ("_inner", "_ours", "_theirs")

    def __init__(self, inner: Decoder, name: str) -> None:
        self._inner = inner
        self._ours: bytes = _encode(name)
        self._theirs: bytes | None = None

    @property
    def done(self) -> bool:
        return self._inner.done

    def feed(self, data: bytes) -> Iterable[Reply]:
        return [self._renamed(reply) for reply in self._inner.feed(data)]

    def finish(self) -> Completed | Failed:
        return self._end(self._inner.finish())

    def abort(self, error: GatewayError) -> bytes:
        return self._put(self._inner.abort(error))

    def _renamed(self, reply: Reply) -> Reply:
        if isinstance(reply, Chunk):
            return replace(reply, data=self._put(reply.data))
        return self._end(reply) if isinstance(reply, Completed | Failed) else reply

    def _end(self, end: Completed | Failed) -> Completed | Failed:
        if isinstance(end, Completed):
            return replace(end, data=self._put(end.data))
        body = end.body if end.body is None else self._put(end.body)
        event = end.event if end.event is None else self._put(end.event)
        return replace(end, body=body, event=event)

    def _put(self, data: bytes) -> bytes:
        if self._theirs is None:
            self._theirs = _name_in(data)
        return data if self._theirs is None else data.replace(self._theirs, self._ours)


def _name_in(data: bytes) -> bytes | None:
    """The name of the Response in a whole answer, or in the first event of a stream, as JSON."""
    try:
        if data.lstrip().startswith(b"{"):
            name = _named(data).id
        else:
            first = payload(_BLANK.split(data, 1)[0] + b"\n\n")
            found = _event(first or b"{}").response
            name = found.id if found is not None else None
    except (msgspec.DecodeError, RecursionError):
        return None
    return _encode(name) if name else None
