"""Answers for a Gemini caller: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from providers.base import Context
from providers.canonical.answer import Answer, Begin, Counted, Event
from providers.canonical.fold import unfold
from providers.dialects.gemini.candidate import Candidate
from providers.dialects.gemini.usage import write_usage
from schemas.clock import rfc3339, within_calendar
from schemas.envelopes import error_event
from schemas.errors import GatewayError

_encode = msgspec.json.Encoder().encode
_END = b"\r\n\r\n"  # as Google's servers have it


def write_answer(answer: Answer, context: Context) -> bytes:
    """A whole answer: its stream in one piece."""
    found = _Response(context)
    for event in unfold(answer):
        found.add(event)
    return found.whole()


class StreamWriter:
    """A providers.base.Writer. What ends a candidate goes out with the counts, in the last chunk."""

    __slots__ = ("_response",)

    def __init__(self, context: Context) -> None:
        self._response = _Response(context)

    def write(self, events: Iterable[Event]) -> bytes:
        for event in events:
            self._response.add(event)
        return b"".join(b"data: " + chunk + _END for chunk in self._response.chunks())

    def end(self) -> bytes:
        return b"data: " + self._response.last() + _END

    def abort(self, error: GatewayError) -> bytes:
        return error_event("gemini", error)


class _Response:
    """Collects events until they are written."""

    __slots__ = ("_candidates", "_context", "_counted", "_tail")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._candidates: dict[int, Candidate] = {}
        self._counted: Counted | None = None
        self._tail = self._named(Begin("", ""))

    def _named(self, begin: Begin) -> bytes:
        """What each chunk ends with."""
        model = _encode(begin.model or self._context.model)
        answer = _encode(begin.id or self._context.request_id)
        named = b'"modelVersion": ' + model + b',"responseId": ' + answer + b"}"
        if begin.created is None:
            return named
        created = rfc3339(within_calendar(begin.created))
        return b'"createTime": ' + _encode(created) + b"," + named

    def add(self, event: Event) -> None:
        if isinstance(event, Begin):
            self._tail = self._named(event)
        elif isinstance(event, Counted):
            self._counted = event
        else:
            index = event.choice
            if (candidate := self._candidates.get(index)) is None:
                candidate = self._candidates[index] = Candidate(index)
            candidate.add(event)

    def chunks(self) -> Iterable[bytes]:
        """What can go out now."""
        for candidate in self._candidates.values():
            if (written := candidate.piece()) is not None:
                yield b'{"candidates": [' + written + b"]," + self._tail

    def last(self) -> bytes:
        """What ends a stream."""
        written = [candidate.last() for candidate in self._candidates.values()]
        return self._joined(written)

    def whole(self) -> bytes:
        return self._joined([candidate.whole() for candidate in self._candidates.values()])

    def _joined(self, candidates: list[bytes]) -> bytes:
        usage = b""
        if self._counted is not None:
            tier = self._counted.service_tier
            counts = write_usage(self._counted.usage, "standard" if tier == "default" else tier)
            usage = b'"usageMetadata": ' + bytes(counts) + b","
        return b'{"candidates": [' + b",".join(candidates) + b"]," + usage + self._tail
