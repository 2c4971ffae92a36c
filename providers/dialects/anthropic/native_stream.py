"""Streams that pass through: whole events as they came, the few things of interest read."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.dialects.anthropic.failure import failed_in_band
from providers.dialects.anthropic.stop import to_finish
from providers.dialects.anthropic.usage import Counts, parse_counts, to_usage
from providers.sse import Events, EventTooLarge, payload, terminated
from schemas.envelopes import error_event
from schemas.errors import GatewayError, StreamTruncated, UpstreamError
from schemas.replies import Chunk, Completed, Failed, Reply
from schemas.usage import Usage


class _Delta(Struct, gc=False):
    stop_reason: str | None = None


class _Message(Struct, gc=False):
    model: str | None = None
    usage: Raw = Raw()


class _Event(Struct, gc=False):
    type: str = ""
    delta: _Delta | None = None
    message: _Message | None = None
    usage: Raw = Raw()


_event = msgspec.json.Decoder(_Event).decode
_any = msgspec.json.Decoder(Raw).decode
_CONTENT = ("content_block_delta", "content_block_start")
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_MAX_END = 64 << 10  # bytes kept behind `message_stop`; a provider has nothing to say there


class StreamDecoder:
    """Folds an event stream. Whole means that `message_stop` was seen, or at least the stop reason, which
    comes when all content was there."""

    __slots__ = ("_counts", "_end", "_events", "_failed", "_finish_reason", "_model")

    def __init__(self) -> None:
        self._events = Events()
        self._counts: Counts = {}
        self._finish_reason: str | None = None
        self._model: str | None = None
        self._end = b""  # `message_stop` and what came behind it
        self._failed: Failed | None = None

    @property
    def done(self) -> bool:
        """`message_stop` was seen, or the stream has failed."""
        return bool(self._end) or self._failed is not None

    def feed(self, data: bytes) -> Iterable[Reply]:
        """One Chunk with the whole events that `data` completes, or none; a Failed may follow it."""
        if self.done:
            if len(self._end) + len(data) <= _MAX_END:
                self._end += data
            return ()
        try:
            events = self._events.feed(data)
        except EventTooLarge:
            text = "The provider sent an event of more than 16 MiB."
            return (self._fail(UpstreamError(text)),)
        return self._take(events) if events else ()

    def finish(self) -> Completed | Failed:
        """Completed if the stream is whole, else what went wrong."""
        tail = b""
        if not self.done and (rest := self._events.rest()):
            tail = self._last(terminated(rest))
        if self._failed is not None:
            return self._failed
        if not self._end and self._finish_reason is None:
            return self._fail(StreamTruncated())
        end = tail + (self._end or _STOP)
        return Completed(end, self._finish_reason, self._usage(), self._model)

    def abort(self, error: GatewayError) -> bytes:
        return error_event("anthropic", error)

    def _take(self, events: list[bytes]) -> list[Reply]:
        kept: list[bytes] = []
        content = False
        for position, event in enumerate(events):
            data = payload(event)
            kind = self._read(data) if data else ""
            if self._failed is not None:
                break
            if kind == "message_stop":
                self._end = b"".join((*events[position:], self._events.rest()))
                break
            kept.append(event)
            content = content or kind in _CONTENT
        replies: list[Reply] = []
        if kept:
            replies.append(Chunk(b"".join(kept), content))
        if self._failed is not None:
            replies.append(self._failed)
        return replies

    def _read(self, data: bytes) -> str:
        """The type of an event; notes its model, counts, reason and error."""
        try:
            event = _event(data)
        except msgspec.ValidationError:
            return self._unusual(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._malformed(error)
        kind = event.type
        if kind == "content_block_delta":
            return kind
        if kind == "error":
            self._failed = replace(
                failed_in_band(data), usage=self._usage(), response_model=self._model
            )
        elif kind == "message_start" and event.message is not None:
            self._model = event.message.model
            self._count(event.message.usage)
        elif kind == "message_delta":
            self._count(event.usage)
            if event.delta is not None and event.delta.stop_reason is not None:
                self._finish_reason = to_finish(event.delta.stop_reason).reason
        return kind

    def _count(self, raw: Raw) -> None:
        """Counts are sums; what a later event leaves out stays as it was."""
        if raw:
            later = parse_counts(raw)
            self._counts.update((name, value) for name, value in later.items() if value is not None)

    def _usage(self) -> Usage | None:
        return to_usage(self._counts) if self._counts else None

    def _unusual(self, data: bytes) -> str:
        """JSON of a shape that we do not know: passed on as content, nothing read."""
        try:
            _any(data)
        except (msgspec.DecodeError, RecursionError) as error:
            return self._malformed(error)
        return "content_block_delta"

    def _malformed(self, error: Exception) -> str:
        self._fail(UpstreamError(f"The provider sent an event that is not valid JSON: {error}."))
        return ""

    def _last(self, event: bytes) -> bytes:
        """The last event if only its blank line is missing; what was cut inside is left out."""
        data = payload(event)
        try:
            _any(data)
        except (msgspec.DecodeError, RecursionError):
            return b""
        if self._read(data) == "message_stop":
            self._end = event
            return b""
        return event

    def _fail(self, error: GatewayError) -> Failed:
        self._failed = Failed(error, error.status, usage=self._usage(), response_model=self._model)
        return self._failed
