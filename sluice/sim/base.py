"""What a dialect of the simulated provider is: it reads requests, and writes answers and errors.

Written from what providers were seen to send, and sharing nothing with the gateway's own dialects: a
mistake of theirs would be invisible in a mirror.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import msgspec

from sluice.sim.answers import Answer
from sluice.sim.ask import Ask, Call, Refused

encode = msgspec.json.Encoder().encode


class Rendering(Protocol):
    """One answer as a stream. Its methods are called in this order, each at most once."""

    def opening(self) -> bytes:
        """The events before the first piece."""
        ...

    def content(self) -> Iterator[bytes]:
        """The pieces, one each, and with a piece what stands between it and the one before."""
        ...

    def closing(self) -> bytes:
        """The events behind the last piece, but for the end."""
        ...

    def end(self) -> bytes:
        """What makes the stream whole."""
        ...

    def failure(self) -> bytes:
        """The event of an error, instead of the rest."""
        ...


class Dialect(Protocol):
    """Pure: no I/O, no clock."""

    @property
    def headers(self) -> dict[str, str]:
        """Of every answer."""
        ...

    def read(self, call: Call) -> Ask:
        """Refused if the provider would."""
        ...

    def plain(self, ask: Ask, said: Answer) -> bytes:
        """The body of a whole answer."""
        ...

    def failed(self, ask: Ask) -> bytes:
        """The body of an answer with status 200 that is an error nevertheless."""
        ...

    def error(self, refused: Refused) -> bytes:
        """The body of an error answer."""
        ...


@runtime_checkable
class Streaming(Dialect, Protocol):
    """A dialect that has streams."""

    @property
    def malformed(self) -> bytes:
        """An event that is cut off inside its JSON."""
        ...

    def stream(self, ask: Ask, said: Answer) -> Rendering: ...


def event(data: object, name: str | None = None) -> bytes:
    """A server-sent event."""
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    return head + b"data: " + encode(data) + b"\n\n"


class Template:
    """An event of which all but one string is always the same: only the string is encoded each time."""

    def __init__(self, frame: bytes, slot: str) -> None:
        self._before, self._after = frame.rsplit(encode(slot), 1)

    def fill(self, text: str) -> bytes:
        return self._before + encode(text) + self._after
