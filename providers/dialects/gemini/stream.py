"""Streamed answers: whole events passed through as they came, the few things of interest read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Raw

from providers.dialects.gemini.seen import Response, Seen
from providers.failure import failed_in_band
from providers.sse import Events, EventTooLarge, payload, terminated
from schemas.envelopes import error_event
from schemas.errors import GatewayError, StreamTruncated, UpstreamError
from schemas.replies import Chunk, Completed, Failed, Reply

_response = msgspec.json.Decoder(Response).decode
_any = msgspec.json.Decoder(Raw).decode

Effect = Literal["content", "no content", "drop"]


class StreamDecoder:
    """Folds an event stream. It has no terminal event; the event that makes it whole is held back
    until the body has ended, so that an answer that cannot be recorded does not look whole."""

    __slots__ = ("_events", "_failed", "_held", "_seen")

    def __init__(self, candidates: int = 1) -> None:
        self._events = Events()
        self._seen = Seen(candidates)
        self._held: list[bytes] = []  # events from the one on that made the answer whole
        self._failed: Failed | None = None

    @property
    def done(self) -> bool:
        return self._failed is not None

    def feed(self, data: bytes) -> Iterable[Reply]:
        """One Chunk with the whole events that `data` completes, or none; a Failed may follow it."""
        if self._failed is not None:
            return ()
        try:
            events = self._events.feed(data)
        except EventTooLarge:
            text = "The provider sent an event of more than 16 MiB."
            return (self._fail(UpstreamError(text)),)
        return self._take(events) if events else ()

    def finish(self) -> Completed | Failed:
        """Completed if the stream is whole, else what went wrong."""
        if self._failed is None and (rest := self._events.rest()):
            self._last(rest)
        if self._failed is not None:
            return self._failed
        if not self._seen.whole:
            return self._fail(StreamTruncated())
        return self._seen.completed(b"".join(self._held))

    def abort(self, error: GatewayError) -> bytes:
        return error_event("gemini", error)

    def _take(self, events: list[bytes]) -> list[Reply]:
        kept: list[bytes] = []
        content = False
        for event in events:
            data = payload(event)
            effect: Effect = self._read(data) if data else "no content"
            if self._failed is not None:
                break
            if self._held or self._seen.whole:
                self._held.append(event)
            else:
                kept.append(event)
                content = content or effect == "content"
        replies: list[Reply] = []
        if kept:
            replies.append(Chunk(b"".join(kept), content))
        if self._failed is not None:
            replies.append(self._failed)
        return replies

    def _read(self, data: bytes) -> Effect:
        """What an event is to the caller; notes its finish reasons, usage, model and error."""
        try:
            response = _response(data)
        except msgspec.ValidationError:
            return self._unusual(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._malformed(error)
        if response.failed:
            self._failed = self._seen.with_counts(failed_in_band(data))
            return "drop"
        return "content" if self._seen.note(response) else "no content"

    def _unusual(self, data: bytes) -> Effect:
        """JSON of a shape that we do not know: passed on as content, nothing read."""
        try:
            _any(data)
        except (msgspec.DecodeError, RecursionError) as error:
            return self._malformed(error)
        return "content"

    def _malformed(self, error: Exception) -> Effect:
        self._fail(UpstreamError(f"The provider sent an event that is not valid JSON: {error}."))
        return "drop"

    def _last(self, rest: bytes) -> None:
        """The last event if only its blank line is missing; what was cut inside is left out."""
        event = terminated(rest)
        data = payload(event)
        if not data:
            if not rest.strip(b"\r\n"):
                self._held.append(rest)
            return
        try:
            _any(data)
        except (msgspec.DecodeError, RecursionError):
            return
        self._read(data)
        self._held.append(event)

    def _fail(self, error: UpstreamError) -> Failed:
        self._failed = self._seen.with_counts(Failed(error, error.status))
        return self._failed
