"""What a caller has seen of a stream of events, as far as it matters for how the stream goes on."""

from __future__ import annotations

import re

from schemas.envelopes import error_event, failed_event
from schemas.errors import GatewayError
from schemas.requests import Dialect
from schemas.response_items import first_response

MAX_FIRST = 64 << 10  # bytes of a first piece that are held until the end, for each stream
_NUMBER = b'"sequence_number"'  # never inside of a text: the quotes would be escaped
_COUNTED = re.compile(rb'"sequence_number"\s*:\s*(\d{1,18})')
_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))\Z")


class Seen:
    """Is told of every piece; knows whether a comment may follow, and how an error must."""

    __slots__ = ("_dialect", "_first", "_last", "_next")

    def __init__(self, dialect: Dialect, first: bytes) -> None:
        self._dialect = dialect
        # Of the others nothing is needed.
        self._first = first if dialect == "openai_responses" and len(first) <= MAX_FIRST else b""
        self._last = b"\n\n"
        self._next = 0  # sequence number of an OpenAI response's next event
        self.note(first)

    @property
    def between_lines(self) -> bool:
        """Whether what was written last ended a line; of a CR that is not known yet."""
        return self._last.endswith(b"\n")

    def note(self, piece: bytes) -> None:
        """This was written."""
        if not piece:
            return
        self._last = piece[-4:] if len(piece) >= 4 else (self._last + piece)[-4:]
        if self._dialect == "openai_responses":
            at = piece.rfind(_NUMBER)
            if at >= 0 and (found := _COUNTED.match(piece, at)) is not None:
                self._next = int(found[1]) + 1

    def error(self, error: GatewayError) -> bytes:
        """The last event of a stream that fails here."""
        if self._dialect == "openai_responses":
            event = failed_event(first_response(self._first), error, self._next)
        else:
            event = error_event(self._dialect, error)
        # Behind half an event it would be part of it.
        return event if _BLANK.search(self._last) else b"\n\n" + event
