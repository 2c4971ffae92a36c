"""Events of a stream, counted: for one who has seen some of them already, or who wants their numbers. Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import re

from typing_extensions import override

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DATA = re.compile(rb"(?:^|[\r\n])data")


class Unseen:
    """Passes the events of a stream on that come behind the first `seen`.

    A block without data, such as a comment, is no event and has no number.
    """

    __slots__ = ("_held", "_seen", "count")

    def __init__(self, seen: int) -> None:
        self._seen = seen
        self._held = b""
        self.count = 0

    @property
    def shown(self) -> bool:
        """Whether the reader may have seen some of these very events."""
        return 0 < self._seen <= self.count

    def feed(self, data: bytes) -> bytes:
        """What `data`, cut anywhere, completes."""
        if self._held:
            data = self._held + data
        found, start = [], 0
        for end in _END.finditer(data):
            found.append(self._take(data[start : end.end()]))
            start = end.end()
        self._held = data[start:]
        return b"".join(found)

    def rest(self) -> bytes:
        """What stands at the end without its blank line."""
        held, self._held = self._held, b""
        return self._take(held) if held else b""

    def restart(self) -> None:
        """The stream begins again."""
        self._held = b""
        self.count = 0

    def _take(self, block: bytes) -> bytes:
        if _DATA.search(block) is None:
            return block if self.count >= self._seen else b""
        self.count += 1
        return self._written(block) if self.count > self._seen else b""

    def _written(self, event: bytes) -> bytes:
        return event


class Numbered(Unseen):
    """The same, and each event says its number, from 1: what a client sends back as `Last-Event-ID`."""

    __slots__ = ()

    @override
    def _written(self, event: bytes) -> bytes:
        # The LF of a CRLF that was cut in two may stand at the front.
        start = len(event) - len(event.lstrip(b"\r\n"))
        return b"%bid: %d\n%b" % (event[:start], self.count, event[start:])
