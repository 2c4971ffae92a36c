"""Events of a stream as bytes, and what every output item says while it is written.
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import msgspec

from providers.dialects.openai_responses.output import Object

_encode = msgspec.json.Encoder().encode


class Frames:
    """Numbers the events of one stream."""

    __slots__ = ("sequence",)

    def __init__(self) -> None:
        self.sequence = 0

    def frame(self, kind: str, members: Object) -> bytes:
        """One event."""
        data = _encode({"type": f"response.{kind}", **members, "sequence_number": self.next()})
        return b"event: response.%b\ndata: %b\n\n" % (kind.encode(), data)

    def next(self) -> int:
        number = self.sequence
        self.sequence = number + 1
        return number


class Deltas:
    """The pieces of one text, their event prepared but for what differs."""

    __slots__ = ("_frames", "_head", "_tail", "pieces")

    def __init__(self, frames: Frames, kind: str, place: Object, tail: bytes = b"") -> None:
        self._frames = frames
        members = _encode({"type": f"response.{kind}", **place})
        self._head = b'event: response.%b\ndata: %b,"delta":' % (kind.encode(), members[:-1])
        self._tail = tail
        self.pieces: list[str] = []

    def add(self, text: str, tail: bytes | None = None) -> bytes:
        self.pieces.append(text)
        number = self._frames.next()
        rest = self._tail if tail is None else tail
        return b'%b%b%b,"sequence_number":%d}\n\n' % (self._head, _encode(text), rest, number)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class OpenItem:
    """An item at its place in the output."""

    __slots__ = ("_frames", "_place", "index", "item")

    def __init__(self, frames: Frames, index: int, item: Object) -> None:
        self._frames = frames
        self.index = index
        self.item = item
        self._place: Object = {"item_id": item["id"], "output_index": index}

    def added(self) -> bytes:
        members = {"output_index": self.index, "item": self.item}
        return self._frames.frame("output_item.added", members)

    def done(self) -> bytes:
        members = {"output_index": self.index, "item": self.item}
        return self._frames.frame("output_item.done", members)

    def _frame(self, kind: str, members: Object) -> bytes:
        return self._frames.frame(kind, {**self._place, **members})
