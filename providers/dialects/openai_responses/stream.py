"""Streams on their way through: whole events passed as they came, the few things of interest read."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from providers.dialects.openai_responses.answer import Terminal, terminal
from providers.dialects.openai_responses.failures import failure
from providers.dialects.openai_responses.usage import parse_usage
from providers.sse import Events, EventTooLarge, payload, terminated
from schemas.envelopes import failed_event
from schemas.errors import GatewayError, StreamTruncated, UpstreamError
from schemas.replies import Chunk, Completed, Failed, Reply
from schemas.usage import Usage


class _Event(Struct, gc=False):
    type: str = ""
    sequence_number: int | None = None
    response: Raw = Raw()
    error: Raw = Raw()


_event = msgspec.json.Decoder(_Event).decode
_any = msgspec.json.Decoder(Raw).decode
_ENDS = frozenset({"response.completed", "response.incomplete"})
# Beside the deltas, what shows a reader anything.
_SHOWN = frozenset({"response.output_item.done", "response.image_generation_call.partial_image"})
_MAX_END = 64 << 10  # bytes kept behind the terminal event; a provider has nothing to say there
_TOO_LARGE = "The provider sent an event of more than 16 MiB."


class StreamDecoder:
    """Folds an event stream. Whole means: `response.completed` or `response.incomplete` was seen."""

    __slots__ = (
        "_created",
        "_end",
        "_events",
        "_failed",
        "_sequence",
        "_terminal",
    )

    def __init__(self) -> None:
        self._events = Events()
        self._created: Raw = Raw()  # the Response as the stream began with it
        self._sequence = 0  # the next number
        self._terminal: Terminal | None = None
        self._end = b""  # the terminal event and what came behind it
        self._failed: Failed | None = None

    @property
    def done(self) -> bool:
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
            return (self._fail(UpstreamError(_TOO_LARGE)),)
        return self._take(events) if events else ()

    def finish(self) -> Completed | Failed:
        """Completed if the stream is whole, else what went wrong."""
        if not self.done and (rest := terminated(self._events.rest())).strip():
            data = payload(rest)
            if data and _is_json(data):
                self._read(rest, data)
        if self._failed is not None:
            return self._failed
        if self._terminal is None:
            return self._fail(StreamTruncated())
        found = self._terminal
        return Completed(self._end, found.finish_reason, self._usage(), found.model)

    def abort(self, error: GatewayError) -> bytes:
        return failed_event(self._created, error, self._sequence)

    def _take(self, events: list[bytes]) -> list[Reply]:
        kept: list[bytes] = []
        content = False
        for position, event in enumerate(events):
            data = payload(event)
            shown = self._read(event, data) if data else False
            if self._failed is not None:
                break
            if self._terminal is not None:
                self._end = b"".join((*events[position:], self._events.rest()))
                break
            kept.append(event)
            content = content or shown
        replies: list[Reply] = []
        if kept:
            replies.append(Chunk(b"".join(kept), content))
        if self._failed is not None:
            replies.append(self._failed)
        return replies

    def _read(self, event: bytes, data: bytes) -> bool:
        """Whether the event shows a reader anything; notes the end, errors and the numbers."""
        if data == b"[DONE]":
            return False
        try:
            found = _event(data)
        except msgspec.ValidationError:
            if not _is_json(data):
                self._fail(UpstreamError(_NOT_JSON))
            return True  # of a shape that we do not know: passed on
        except (msgspec.DecodeError, RecursionError):
            self._fail(UpstreamError(_NOT_JSON))
            return False
        kind = found.type
        if found.sequence_number is not None:
            self._sequence = found.sequence_number + 1
        else:
            self._sequence += 1
        if kind.endswith(".delta") or kind in _SHOWN:
            return True
        self._note(kind, found, event, data)
        return False

    def _note(self, kind: str, found: _Event, event: bytes, data: bytes) -> None:
        if kind == "response.created":
            self._created = Raw(bytes(found.response))
        elif kind in _ENDS:
            self._terminal = _terminal(found.response)
            self._end = event
        elif kind == "response.failed":
            self._terminal = _terminal(found.response)
            self._fail_in_band(bytes(found.response), event)
        elif kind == "error" or (not kind and found.error):
            self._fail_in_band(data, event)

    def _fail_in_band(self, body: bytes, event: bytes) -> None:
        error, status = failure(body)
        # The terminal event goes out as it came; what is stored is the error in it.
        self._failed = self._with_counts(Failed(error, status, body, event))

    def _usage(self) -> Usage | None:
        found = self._terminal
        return parse_usage(found.usage) if found is not None and found.usage else None

    def _with_counts(self, failed: Failed) -> Failed:
        model = self._terminal.model if self._terminal is not None else None
        return msgspec.structs.replace(failed, usage=self._usage(), response_model=model)

    def _fail(self, error: UpstreamError) -> Failed:
        """An end of ours; the caller gets it as the Response that it knows."""
        event = self.abort(error)
        self._failed = self._with_counts(Failed(error, error.status, event=event))
        return self._failed


_NOT_JSON = "The provider sent an event that is not valid JSON."


def _is_json(data: bytes) -> bool:
    try:
        _any(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _terminal(response: Raw) -> Terminal:
    try:
        return terminal(response)
    except (msgspec.DecodeError, RecursionError):
        return Terminal("completed")  # of a shape that we do not know: passed on
