"""What a provider says: streams. https://platform.claude.com/docs/en/build-with-claude/streaming"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from providers.canonical.answer import (
    Begin,
    Break,
    Cited,
    Counted,
    End,
    Event,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.request import Members, Native
from providers.dialects.anthropic.blocks import DIALECT, kind_of, present, to_citation
from providers.dialects.anthropic.failure import in_band
from providers.dialects.anthropic.read import StopDetails
from providers.dialects.anthropic.stop import to_finish
from providers.dialects.anthropic.usage import Counts, parse_counts, service_tier, to_usage
from schemas.errors import UpstreamError


class _Delta(Struct, gc=False):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    citation: Raw = Raw()
    content: Raw = Raw()  # of a compaction
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class _Event(Struct, gc=False):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: Raw = Raw()
    message: Raw = Raw()
    usage: Raw = Raw()


class _Start(Struct):
    """Of a message."""

    id: str = ""
    model: str = ""
    usage: Raw = Raw()


class _Opening(Struct):
    """Of a block."""

    type: str
    id: str = ""
    name: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    input: Raw = Raw()


class _Block:
    """A block that is open."""

    __slots__ = ("call", "cited", "pieces", "raw", "signature", "spoken", "type")

    def __init__(self, kind: str, raw: Raw) -> None:
        self.type = kind
        self.raw = raw
        self.call = 0
        self.pieces: list[str] = []  # of input
        self.signature = ""
        self.spoken = False  # text came, or thoughts
        self.cited: list[Event] = []  # citations that came before the text that they belong to


_event = msgspec.json.Decoder(_Event).decode
_start = msgspec.json.Decoder(_Start).decode
_opening = msgspec.json.Decoder(_Opening).decode
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode
_KNOWN = frozenset(
    {
        *("message_start", "message_delta", "message_stop", "error", "ping"),
        *("content_block_start", "content_block_delta", "content_block_stop"),
    }
)
_OWN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_NO_INPUT = frozenset({b"", b"{}", b"null"})
_NOTHING: tuple[Event, ...] = ()


class Reader:
    """Reads one stream; whole means that `message_stop` was seen, or at least the stop reason, which comes
    when all content was there."""

    __slots__ = ("_blocks", "_calls", "_counts", "_stopped", "done")

    def __init__(self) -> None:
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._counts: Counts = {}
        self._stopped = False  # the stop reason was seen
        self.done = False

    @property
    def whole(self) -> bool:
        return self.done or self._stopped

    def read(self, data: bytes) -> Iterable[Event]:
        try:
            event = _event(data)
            if event.type == "content_block_delta":
                return self._delta(event)
            return self._other(event, data)
        except msgspec.ValidationError as error:
            if _is_new(data):
                return _NOTHING
            raise _malformed(error) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed(error) from error

    def _other(self, event: _Event, data: bytes) -> Iterable[Event]:
        match event.type:
            case "content_block_start":
                return self._open(event)
            case "content_block_stop":
                return self._close(event.index)
            case "message_start":
                return self._begin(_start(event.message))
            case "message_delta":
                return self._end(event)
            case "message_stop":
                self.done = True
            case "error":
                raise in_band(data)
            case _:  # a ping, or something newer than this
                pass
        return _NOTHING

    def _begin(self, start: _Start) -> list[Event]:
        found: list[Event] = [Begin(start.id, start.model)]
        found.extend(self._count(start.usage))
        return found

    def _count(self, usage: Raw) -> Iterable[Event]:
        """Counts are sums; what a later event leaves out stays as it was."""
        if (raw := present(usage)) is None:
            return _NOTHING
        later = parse_counts(raw)
        self._counts.update((name, value) for name, value in later.items() if value is not None)
        return (Counted(to_usage(self._counts), service_tier(self._counts)),)

    def _end(self, event: _Event) -> list[Event]:
        found: list[Event] = []
        delta = event.delta
        if delta is not None and delta.stop_reason is not None:
            if delta.stop_details is not None and delta.stop_details.explanation:
                found.append(RefusalDelta(delta.stop_details.explanation))
            found.append(End(to_finish(delta.stop_reason, delta.stop_sequence)))
            self._stopped = True
        found.extend(self._count(event.usage))
        return found

    def _open(self, event: _Event) -> Iterable[Event]:
        raw = event.content_block
        kind = kind_of(raw).type
        block = self._blocks[event.index] = _Block(kind, raw)
        if kind not in _OWN_BLOCKS:
            return _NOTHING
        opening = _opening(raw)
        if kind == "tool_use":
            block.call = self._calls
            self._calls += 1
            if bytes(opening.input) not in _NO_INPUT:
                block.pieces.append(bytes(opening.input).decode())
            return (ToolCallBegin(block.call, opening.id, opening.name),)
        if kind == "redacted_thinking":
            return (ReasoningEnd(opening.data, DIALECT, redacted=True),)
        if kind == "thinking":
            block.signature = opening.signature
            block.spoken = bool(opening.thinking)
            return (ReasoningDelta(opening.thinking),) if opening.thinking else _NOTHING
        return _said(block, opening.text)

    def _delta(self, event: _Event) -> Iterable[Event]:
        delta, block = event.delta, self._blocks.get(event.index)
        if delta is None or block is None:
            raise UpstreamError("The provider sent a piece of a block that is not open.")
        match delta.type:
            case "text_delta":
                return _said(block, delta.text)
            case "input_json_delta":
                return self._input(block, delta.partial_json)
            case "thinking_delta":
                block.spoken = block.spoken or bool(delta.thinking)
                return (ReasoningDelta(delta.thinking),) if delta.thinking else _NOTHING
            case "signature_delta":
                block.signature += delta.signature
            case "citations_delta":
                block.cited.append(Cited(to_citation(delta.citation)))
                return _cited(block) if block.spoken else _NOTHING
            case "compaction_delta":
                content = {**_members(block.raw), "content": delta.content or Raw(b"null")}
                block.raw = Raw(_encode(content))
            case _:
                pass
        return _NOTHING

    def _input(self, block: _Block, piece: str) -> Iterable[Event]:
        if not piece:
            return _NOTHING
        if block.type != "tool_use":
            block.pieces.append(piece)
            return _NOTHING
        block.pieces = [""]  # something came; what the block began with stood for nothing
        return (ToolCallDelta(block.call, piece),)

    def _close(self, index: int) -> Iterable[Event]:
        block = self._blocks.pop(index, None)
        if block is None:
            raise UpstreamError("The provider ended a block that is not open.")
        match block.type:
            case "text" if block.cited:
                return (TextDelta(""), *_cited(block), Break())
            case "thinking" if block.signature:
                return (ReasoningEnd(block.signature, DIALECT),)
            case "text" | "thinking":
                return (Break(),) if block.spoken else _NOTHING
            case "redacted_thinking":
                return _NOTHING
            case "tool_use":
                # A tool without arguments gets no piece of them.
                rest = "".join(block.pieces) if block.pieces else "{}"
                return (ToolCallDelta(block.call, rest), Break()) if rest else (Break(),)
            case _:
                return (NativePart(_native(block)),)


def _native(block: _Block) -> Native:
    raw = block.raw
    if block.pieces:
        raw = Raw(_encode({**_members(raw), "input": _input("".join(block.pieces))}))
    return Native(DIALECT, block.type, raw)


def _said(block: _Block, text: str) -> tuple[Event, ...]:
    if not text:
        return _NOTHING
    block.spoken = True
    return (TextDelta(text), *_cited(block)) if block.cited else (TextDelta(text),)


def _cited(block: _Block) -> list[Event]:
    cited, block.cited = block.cited, []
    return cited


def _input(text: str) -> Raw:
    """The whole input of a server's tool; DecodeError if it is no JSON."""
    raw = Raw(text.encode())
    msgspec.json.decode(raw, type=Raw)
    return raw


def _is_new(data: bytes) -> bool:
    """Whether an event is of a type that came after this was written."""
    try:
        return kind_of(data).type not in _KNOWN
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _malformed(error: Exception) -> UpstreamError:
    return UpstreamError(f"The provider sent a malformed event: {error}.")
