"""Streamed answers: whole events passed through as they came, the few things of interest read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from providers.dialects.openai_chat.usage import parse_usage
from providers.failure import failed_in_band
from providers.sse import Events, EventTooLarge, payload, terminated
from schemas.envelopes import error_event
from schemas.errors import GatewayError, StreamTruncated, UpstreamError
from schemas.replies import Chunk, Completed, Failed, Reply
from schemas.usage import Usage

DONE = b"[DONE]"
DONE_EVENT = b"data: [DONE]\n\n"


class _Choice(Struct, gc=False):
    index: int = 0
    delta: dict[str, Raw] | None = None
    finish_reason: str | None = None
    text: Raw = Raw()  # of legacy completions


class _Groq(Struct, gc=False):
    usage: Raw = Raw()


class _Event(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Raw = Raw()
    model: str | None = None
    error: Raw = Raw()
    x_groq: _Groq | None = None  # https://console.groq.com/docs/api-reference: usage in streams


_event = msgspec.json.Decoder(_Event).decode
_any = msgspec.json.Decoder(Raw).decode
_EMPTY = frozenset({b"null", b'""', b"[]", b"{}"})
_NULL = Raw(b"null")
_NO_TEXT = (_NULL, Raw(b'""'))
_MAX_END = 64 << 10  # bytes kept behind [DONE]; a provider has nothing to say there

Effect = Literal["content", "no content", "drop"]


class StreamDecoder:
    """Folds an event stream.

    Whole means: every choice has its finish reason. Without `[DONE]` that takes as many choices as
    were asked for; `[DONE]` without any finish reason is a cut that a proxy has painted over.
    """

    __slots__ = (
        "_choices",
        "_end",
        "_events",
        "_failed",
        "_finish_reason",
        "_hide_usage",
        "_model",
        "_open",
        "_seen",
        "_usage",
    )

    def __init__(self, choices: int = 1, *, hide_usage: bool = False) -> None:
        self._choices = choices
        self._hide_usage = hide_usage
        self._events = Events()
        self._seen: set[int] = set()  # indices of choices
        self._open: set[int] = set()  # those without a finish reason
        self._finish_reason: str | None = None
        self._model: str | None = None
        self._usage: Raw = Raw()
        self._end = b""  # [DONE] and what came behind it
        self._failed: Failed | None = None

    @property
    def done(self) -> bool:
        """`[DONE]` was seen, or the stream has failed."""
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
            tail = self._last(rest)
        if self._failed is not None:
            return self._failed
        asked = 1 if self._end else self._choices
        if self._open or len(self._seen) < asked:
            return self._fail(StreamTruncated())
        return Completed(
            tail + (self._end or DONE_EVENT), self._finish_reason, self._counts(), self._model
        )

    def abort(self, error: GatewayError) -> bytes:
        return error_event("openai_chat", error)

    def _take(self, events: list[bytes]) -> list[Reply]:
        kept: list[bytes] = []
        content = False
        for position, event in enumerate(events):
            data = payload(event)
            if data == DONE:
                self._end = b"".join((*events[position:], self._events.rest()))
                break
            effect = self._read(data) if data else "no content"
            if self._failed is not None:
                break
            if effect != "drop":
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
            event = _event(data)
        except msgspec.ValidationError:
            return self._unusual(data)
        except (msgspec.DecodeError, RecursionError) as error:
            return self._malformed(error)
        if event.error and event.error != _NULL:
            self._note_usage(event)
            self._failed = self._with_counts(failed_in_band(data))
            return "drop"
        if self._model is None and event.model:
            self._model = event.model
        used = self._note_usage(event)
        if not event.choices:
            return "drop" if used and self._hide_usage else "no content"
        content = False
        for choice in event.choices:
            content = self._note(choice) or content
        return "content" if content else "no content"

    def _note(self, choice: _Choice) -> bool:
        """Whether the choice brings anything that a reader would see."""
        index = choice.index
        if choice.finish_reason is not None:
            self._open.discard(index)
            if self._finish_reason is None or index == 0:
                self._finish_reason = choice.finish_reason
        elif index not in self._seen:
            self._open.add(index)
        self._seen.add(index)
        if choice.text and choice.text not in _NO_TEXT:
            return True
        for name, value in (choice.delta or {}).items():
            if name != "role" and bytes(value) not in _EMPTY:
                return True
        return False

    def _note_usage(self, event: _Event) -> bool:
        """Keep the newest counts; cheap, because some vendors send them with every event."""
        raw = event.usage
        if (not raw or raw == _NULL) and event.x_groq is not None:
            raw = event.x_groq.usage
        if not raw or raw == _NULL:
            return False
        self._usage = raw
        return True

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

    def _last(self, rest: bytes) -> bytes:
        """The last event if only its blank line is missing; what was cut inside is left out."""
        event = terminated(rest)
        data = payload(event)
        if data == DONE:
            self._end = event
            return b""
        if not data:
            return rest if not rest.strip(b"\r\n") else b""
        try:
            _any(data)
        except (msgspec.DecodeError, RecursionError):
            return b""
        return b"" if self._read(data) == "drop" else event

    def _counts(self) -> Usage | None:
        return parse_usage(self._usage) if self._usage else None

    def _with_counts(self, failed: Failed) -> Failed:
        return msgspec.structs.replace(failed, usage=self._counts(), response_model=self._model)

    def _fail(self, error: UpstreamError) -> Failed:
        self._failed = self._with_counts(Failed(error, error.status))
        return self._failed
