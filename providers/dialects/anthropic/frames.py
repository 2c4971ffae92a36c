"""The events of a stream that blocks are written as, one block after the other, each with its index.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import msgspec

from providers.dialects.anthropic.write_blocks import Block, encoded

_encode = msgspec.json.Encoder().encode
_DELTA = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
)
_START = (
    b"event: content_block_start\n"
    b'data: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
)
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_OPENING = {
    "text": b'{"type":"text","text":""}',
    "thinking": b'{"type":"thinking","thinking":"","signature":""}',
}


class Frames:
    """Collects the bytes of events until they are taken."""

    __slots__ = ("_index", "_out", "open")

    def __init__(self) -> None:
        self._index = 0
        self._out: list[bytes] = []
        self.open = ""  # type of the block that is open

    def take(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    def event(self, name: str, data: Block) -> None:
        """An event that is none of a block."""
        self._out.append(b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(data)))

    def ensure(self, kind: str) -> None:
        """Open a block of text or thoughts unless one is open."""
        if self.open != kind:
            self.stop()
            self.open = kind
            self._out.append(_START % (self._index, _OPENING[kind]))

    def start(self, block: Block) -> None:
        self.stop()
        self.open = str(block.get("type", "native"))
        self._out.append(_START % (self._index, encoded(block)))

    def whole(self, block: Block) -> None:
        """A block that needs no pieces."""
        self.start(block)
        self.stop()

    def stop(self) -> None:
        if self.open:
            self.open = ""
            self._out.append(_STOP % self._index)
            self._index += 1

    def text(self, piece: str) -> None:
        self.piece(b"text_delta", b"text", _encode(piece))

    def thinking(self, piece: str) -> None:
        self.piece(b"thinking_delta", b"thinking", _encode(piece))

    def signature(self, sealed: str) -> None:
        self.piece(b"signature_delta", b"signature", _encode(sealed))

    def input(self, piece: str) -> None:
        self.piece(b"input_json_delta", b"partial_json", _encode(piece))

    def citation(self, given: object) -> None:
        self.piece(b"citations_delta", b"citation", _encode(given))

    def piece(self, kind: bytes, member: bytes, value: bytes) -> None:
        self._out.append(_DELTA % (self._index, kind, member, value))
