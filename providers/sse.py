"""Server-sent events as bytes: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import re

MAX_EVENT = 16 << 20
# Two line ends in a row; LF, CRLF and CR may be mixed, and a CRLF is never taken apart.
_BORDER = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")


class EventTooLarge(Exception):
    """More than MAX_EVENT bytes came without the end of an event."""


class Events:
    """Cuts a body that arrives in any pieces into whole events, and changes no byte of it.

    An event reaches to the end of the blank line behind it. The LF of a CRLF that is cut in two by
    the network may stand at the front of the next event: joined, the bytes are the body again.
    """

    __slots__ = ("_any_line_end", "_held")

    def __init__(self) -> None:
        self._held = bytearray()
        self._any_line_end = False

    def feed(self, data: bytes) -> list[bytes]:
        """The events that `data` completes; EventTooLarge if it completes none for too long."""
        if not self._any_line_end and b"\r" in data:
            self._any_line_end = True
        if held := self._held:
            seen = max(0, len(held) - 3)
            held += data
            if self._border(held, seen) < 0:
                return self._wait()
            data = bytes(held)
            self._held = bytearray()
        events, start = [], 0
        while (end := self._border(data, start)) >= 0:
            events.append(data[start:end] if start or end < len(data) else data)
            start = end
        if start < len(data):
            self._held += data[start:]
            if not events:
                return self._wait()
        return events

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return bytes(self._held)

    def _border(self, data: bytes | bytearray, start: int) -> int:
        """Where the first event from `start` ends; -1 if it does not."""
        if self._any_line_end:
            found = _BORDER.search(data, start)
            return found.end() if found else -1
        at = data.find(b"\n\n", start)
        return at + 2 if at >= 0 else -1

    def _wait(self) -> list[bytes]:
        if len(self._held) > MAX_EVENT:
            raise EventTooLarge
        return []


def payload(event: bytes) -> bytes:
    """The event's data, lines joined by LF; empty for comments and events without data."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return event[6:-2]
    values = []
    for line in event.splitlines():
        name, _, value = line.partition(b":")
        if name == b"data":
            values.append(value.removeprefix(b" "))
    return b"\n".join(values)


def terminated(rest: bytes) -> bytes:
    """An event whose blank line never came, with it."""
    return rest + (b"\n" if rest.endswith((b"\n", b"\r")) else b"\n\n")
