"""A provider's stream to events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Raw

from providers.canonical.answer import (
    Begin,
    Break,
    Cited,
    Counted,
    End,
    Event,
    Logprobs,
    MediaPart,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.request import Native
from providers.dialects.openai_responses.answer import CALLS
from providers.dialects.openai_responses.carrier import DIALECT
from providers.dialects.openai_responses.events import StreamEvent, read_event
from providers.dialects.openai_responses.failures import failure
from providers.dialects.openai_responses.parts import citation
from providers.dialects.openai_responses.read_answer import (
    Item,
    Part,
    chat_logprobs,
    drawn,
    parts_of,
    read_item,
    read_response,
    string,
)
from providers.dialects.openai_responses.usage import parse_usage
from schemas.errors import UpstreamError

_NO_PART: tuple[int, str, int] = (-1, "", -1)


class _Seen:
    """What of one output item has become events."""

    __slots__ = ("call", "done", "pieces")

    def __init__(self) -> None:
        self.call: int | None = None  # its number among the calls
        self.done = False
        # Characters or annotations of each of its parts.
        self.pieces: dict[tuple[str, int], int] = {}


class StreamReader:
    """Reads one stream. What a provider says only with an item's end, or only in the last Response,
    becomes events there."""

    __slots__ = ("_begun", "_calls", "_items", "_part", "_whole")

    def __init__(self) -> None:
        self._begun = False
        self._calls = 0
        self._items: dict[int, _Seen] = {}
        self._part = _NO_PART  # the part that the last piece belongs to
        self._whole = False

    @property
    def whole(self) -> bool:
        return self._whole

    @property
    def done(self) -> bool:
        return self._whole

    def read(self, data: bytes) -> Iterable[Event]:
        if data == b"[DONE]":  # some providers end with it, as in chat
            return ()
        event = read_event(data, _KNOWN)
        return _HANDLERS[event.type](self, event) if event is not None else ()

    def _begin(self, event: StreamEvent) -> Iterator[Event]:
        if self._begun:
            return
        self._begun = True
        found = read_response(event.response)
        yield Begin(found.id, found.model, found.created)

    def _item(self, index: int) -> _Seen:
        if (seen := self._items.get(index)) is None:
            seen = self._items[index] = _Seen()
        return seen

    def _moved(self, part: tuple[int, str, int]) -> Iterator[Event]:
        """The next piece belongs to `part`; the one before is over."""
        if self._part is not _NO_PART:
            yield Break()
        self._part = part

    def _said(self, event: StreamEvent) -> Iterable[Event]:
        if not event.delta:
            return ()
        part = (event.output_index, "said", event.content_index)
        found: list[Event] = []
        if self._part != part:
            found.extend(self._moved(part))
        self._count(event.output_index, "said", event.content_index, len(event.delta))
        found.append(TextDelta(event.delta))
        if event.logprobs:
            found.append(Logprobs(chat_logprobs(event.logprobs)))
        return found

    def _count(self, index: int, kind: str, number: int, length: int) -> None:
        pieces = self._item(index).pieces
        pieces[kind, number] = pieces.get((kind, number), 0) + length

    def _refused(self, event: StreamEvent) -> Iterator[Event]:
        part = (event.output_index, "refused", event.content_index)
        if event.delta:
            if self._part != part:
                yield from self._moved(part)
            self._count(event.output_index, "refused", event.content_index, len(event.delta))
            yield RefusalDelta(event.delta)

    def _cited(self, event: StreamEvent) -> Iterator[Event]:
        self._count(event.output_index, "cited", event.content_index, 1)
        yield Cited(citation(event.annotation))

    def _thought(self, event: StreamEvent) -> Iterator[Event]:
        yield from self._think(event.output_index, "text", event.content_index, event.delta)

    def _summarized(self, event: StreamEvent) -> Iterator[Event]:
        yield from self._think(event.output_index, "summary", event.summary_index, event.delta)

    def _think(self, index: int, kind: str, number: int, text: str) -> Iterator[Event]:
        """Thoughts; the paragraphs of one item are one text."""
        if not text:
            return
        part = (index, kind, number)
        if self._part != part:
            last = self._part
            if last[:2] == part[:2]:
                self._part = part
                text = f"\n\n{text}"
            else:
                yield from self._moved(part)
        self._count(index, kind, number, len(text))
        yield ReasoningDelta(text, summary=kind == "summary")

    def _added(self, event: StreamEvent) -> Iterator[Event]:
        item = read_item(event.item)
        if item.type in CALLS:
            yield from self._call_begins(event.output_index, item)
        else:
            self._item(event.output_index)

    def _call_begins(self, index: int, item: Item) -> Iterator[Event]:
        seen = self._item(index)
        if seen.call is not None:
            return
        seen.call, self._calls = self._calls, self._calls + 1
        self._part = _NO_PART
        custom = item.type == "custom_tool_call"
        name = item.call_id or item.id or ""
        yield ToolCallBegin(seen.call, name, item.name or "", custom=custom, item_id=item.id)

    def _argued(self, event: StreamEvent) -> Iterable[Event]:
        seen = self._items.get(event.output_index)
        if seen is None or seen.call is None:
            raise UpstreamError("The provider sent arguments of a call that it has not begun.")
        if not event.delta:
            return ()
        pieces = seen.pieces
        pieces["argued", 0] = pieces.get(("argued", 0), 0) + len(event.delta)
        return (ToolCallDelta(seen.call, event.delta),)

    def _item_done(self, event: StreamEvent) -> Iterator[Event]:
        yield from self._finish(event.output_index, event.item)

    def _finish(self, index: int, raw: Raw) -> Iterator[Event]:
        """What an item that is whole says beyond its pieces."""
        seen = self._item(index)
        if seen.done:
            return
        seen.done = True
        item = read_item(raw)
        if item.type == "message":
            yield from self._finish_message(index, item)
        elif item.type in CALLS:
            yield from self._finish_call(index, item)
        elif item.type == "reasoning":
            yield from self._finish_reasoning(index, item)
        else:
            self._part = _NO_PART
            picture = drawn(item)
            native = Native(DIALECT, item.type, Raw(bytes(raw)))
            yield NativePart(native) if picture is None else MediaPart(picture)

    def _finish_message(self, index: int, item: Item) -> Iterator[Event]:
        pieces = self._item(index).pieces
        for number, part in enumerate(parts_of(item.content)):
            if part.type == "refusal":
                if ("refused", number) not in pieces:
                    yield from self._refused(_piece(index, number, part.refusal))
                continue
            if ("said", number) not in pieces:
                yield from self._said(_piece(index, number, part.text, part))
            cited = (part.annotations or [])[pieces.get(("cited", number), 0) :]
            if self._part == (index, "said", number):
                for raw in cited:
                    yield Cited(citation(raw))

    def _finish_call(self, index: int, item: Item) -> Iterator[Event]:
        yield from self._call_begins(index, item)
        seen = self._item(index)
        arguments = string(item.input if item.type == "custom_tool_call" else item.arguments)
        if arguments and ("argued", 0) not in seen.pieces and seen.call is not None:
            yield ToolCallDelta(seen.call, arguments)

    def _finish_reasoning(self, index: int, item: Item) -> Iterator[Event]:
        pieces = self._item(index).pieces
        for kind, content in (("summary", item.summary), ("text", item.content)):
            for number, part in enumerate(parts_of(content)):
                if (kind, number) not in pieces:
                    yield from self._think(index, kind, number, part.text or "")
        open_still = self._part[0] == index
        token = item.encrypted_content
        if open_still or token is not None:
            origin = None if token is None else DIALECT
            redacted = token is not None and not open_still
            self._part = _NO_PART
            yield ReasoningEnd(token, origin, item.id, redacted)

    def _ended(self, event: StreamEvent) -> Iterator[Event]:
        found = read_response(event.response)
        yield from self._begin(event)
        output = found.output or ()
        unseen = len(self._items) < len(output)
        for index, raw in enumerate(output):
            # Those that had no events of their own, or not all. Ids may differ from the events'.
            if index in self._items or unseen:
                yield from self._finish(index, raw)
        if usage := parse_usage(found.usage) if found.usage else None:
            yield Counted(usage, found.service_tier)
        self._whole = True
        yield End(found.finish(called=self._calls > 0))

    def _failed(self, event: StreamEvent) -> Iterator[Event]:
        raise failure(event.response)[0]


def _piece(index: int, number: int, text: str | None, part: Part | None = None) -> StreamEvent:
    logprobs = part.logprobs if part is not None else None
    return StreamEvent(
        output_index=index, content_index=number, delta=text or "", logprobs=logprobs
    )


_HANDLERS: dict[str, Callable[[StreamReader, StreamEvent], Iterable[Event]]] = {
    "response.created": StreamReader._begin,
    "response.in_progress": StreamReader._begin,
    "response.queued": StreamReader._begin,
    "response.output_item.added": StreamReader._added,
    "response.output_item.done": StreamReader._item_done,
    "response.output_text.delta": StreamReader._said,
    "response.output_text.annotation.added": StreamReader._cited,
    "response.refusal.delta": StreamReader._refused,
    "response.reasoning_text.delta": StreamReader._thought,
    "response.reasoning_summary_text.delta": StreamReader._summarized,
    "response.function_call_arguments.delta": StreamReader._argued,
    "response.custom_tool_call_input.delta": StreamReader._argued,
    "response.completed": StreamReader._ended,
    "response.incomplete": StreamReader._ended,
    "response.failed": StreamReader._failed,
}
_KNOWN = frozenset(_HANDLERS)
