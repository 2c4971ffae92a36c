"""A stream of events as one JSON array, for callers that asked for their stream without `alt=sse`."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from ingress.wire import Answer


class ArrayAnswer(Answer):
    """Takes server-sent events, cut anywhere, and writes the data of each as an element."""

    __slots__ = ("_any", "_held")

    def __init__(self, status: int, lines: bytes, content: bytes = b"") -> None:
        super().__init__(status, lines, content)
        self._held = b""
        self._any = False

    @override
    async def begin(self, stream: Any, timeout: float, data: bytes) -> None:
        await super().begin(stream, timeout, self._elements(data))

    @override
    async def write(self, data: bytes) -> None:
        # What has no element keeps the connection alive: white space between elements is nothing.
        await super().write(self._elements(data) or b"\n")

    @override
    async def end(self, data: bytes = b"") -> None:
        rest = self._elements(data + b"\n\n")
        await super().end(rest + (b"]" if self._any else b"[]"))

    def _elements(self, data: bytes) -> bytes:
        """The elements that `data` completes, each behind what separates it from the one before."""
        *events, self._held = (self._held + data).replace(b"\r\n", b"\n").split(b"\n\n")
        found = []
        for event in events:
            if element := _data(event):
                found.append((b",\r\n" if self._any else b"[") + element)
                self._any = True
        return b"".join(found)


def _data(event: bytes) -> bytes:
    lines = (line.partition(b":") for line in event.split(b"\n"))
    return b"\n".join(value.strip() for name, _, value in lines if name == b"data")
