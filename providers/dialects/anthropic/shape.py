"""What the API has no way to say is said by tools: an answer in JSON where the model knows no schema,
tools that take free text, names with letters that it refuses. Here is how, and how it is put back."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.base import Reader
from providers.canonical.answer import (
    Answer,
    AnswerPart,
    Break,
    Choice,
    End,
    Event,
    Finish,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.request import ChatRequest, Custom, Function, Text, ToolCall
from providers.dialects.anthropic.ids import wire_names


class Shape(Struct, frozen=True):
    """How a request differs from what its caller asked."""

    answer_tool: str = ""  # the tool whose arguments are the answer, if the model has no schemas
    wrapped: bool = False  # the answer is the member `value` of them: it may be no object
    custom: frozenset[str] = frozenset()  # tools of free text, which is the member `input`
    wire: dict[str, str] = {}  # the caller's names of tools to those that are sent

    @property
    def plain(self) -> bool:
        return not (self.answer_tool or self.custom or self.wire)


class _Root(Struct):
    type: object = None
    properties: Raw = Raw()


class _Value(Struct):
    value: Raw


class _Input(Struct):
    input: str


_root = msgspec.json.Decoder(_Root).decode
_value = msgspec.json.Decoder(_Value).decode
_free_text = msgspec.json.Decoder(_Input).decode
_ANSWER_TOOL = "respond_in_json"


def shape_of(chat: ChatRequest) -> Shape:
    """Follows from the request alone, so that who reads the answer knows it, too."""
    given = [tool.name for tool in chat.tools if isinstance(tool, Function | Custom)]
    answer_tool, wrapped = "", False
    if chat.format is not None and chat.format.kind == "schema" and chat.format.schema is not None:
        answer_tool, wrapped = _ANSWER_TOOL, not is_object(chat.format.schema)
        while answer_tool in given:
            answer_tool += "_"
    custom = frozenset(tool.name for tool in chat.tools if isinstance(tool, Custom))
    called = [part.name for turn in chat.turns for part in turn.parts if isinstance(part, ToolCall)]
    return Shape(answer_tool, wrapped, custom, wire_names((*given, *called)))


def is_object(schema: Raw) -> bool:
    """Whether a schema says of itself that it is of an object, as that of a tool must."""
    try:
        root = _root(schema)
    except msgspec.DecodeError:
        return False
    return root.type == "object" or (root.type is None and bool(root.properties))


def restored(answer: Answer, chat: ChatRequest) -> Answer:
    """A whole answer as the caller asked for it."""
    shape = shape_of(chat)
    if shape.plain:
        return answer
    return replace(answer, choices=tuple(_choice(choice, shape) for choice in answer.choices))


def _choice(choice: Choice, shape: Shape) -> Choice:
    names = {wire: name for name, wire in shape.wire.items()}
    parts = tuple(_part(part, shape, names) for part in choice.parts)
    called = any(isinstance(part, ToolCall) for part in parts)
    return replace(choice, parts=parts, finish=_finish(choice.finish, called))


def _part(part: AnswerPart, shape: Shape, names: dict[str, str]) -> AnswerPart:
    if not isinstance(part, ToolCall):
        return part
    if part.name == shape.answer_tool:
        return Text(_unwrapped(part.arguments) if shape.wrapped else part.arguments)
    name = names.get(part.name, part.name)
    if name in shape.custom:
        return replace(part, name=name, arguments=_text(part.arguments), custom=True)
    return replace(part, name=name)


def _finish(finish: Finish | None, called: bool) -> Finish | None:
    """An answer by the tool has not ended for a call of the caller's tools."""
    if finish is not None and finish.reason == "tool_calls" and not called:
        return replace(finish, reason="stop")
    return finish


def _unwrapped(arguments: str) -> str:
    try:
        return bytes(_value(arguments).value).decode()
    except msgspec.DecodeError:
        return arguments


def _text(arguments: str) -> str:
    """What the model wrote as free text; all of it if it is not in its member."""
    try:
        return _free_text(arguments).input
    except msgspec.DecodeError:
        return arguments


class Restoring:
    """A Reader of streams of the kind that was asked for."""

    __slots__ = ("_answers", "_called", "_held", "_names", "_reader", "_shape")

    def __init__(self, reader: Reader, shape: Shape) -> None:
        self._reader = reader
        self._shape = shape
        self._names = {wire: name for name, wire in shape.wire.items()}
        self._answers: set[int] = set()  # calls of the answer's tool
        self._held: dict[int, list[str]] = {}  # calls whose arguments must be whole to be put back
        self._called = False

    @property
    def whole(self) -> bool:
        return self._reader.whole

    @property
    def done(self) -> bool:
        return self._reader.done

    def read(self, data: bytes) -> Iterable[Event]:
        for event in self._reader.read(data):
            match event:
                case ToolCallBegin():
                    yield from self._begin(event)
                case ToolCallDelta():
                    yield from self._piece(event)
                case Break():
                    yield from self._release()
                    yield event
                case End():
                    yield from self._release()
                    finish = _finish(event.finish, self._called)
                    yield event if finish is None else replace(event, finish=finish)
                case _:
                    yield event

    def _begin(self, event: ToolCallBegin) -> Iterable[Event]:
        if event.name == self._shape.answer_tool:
            self._answers.add(event.call)
            if self._shape.wrapped:
                self._held[event.call] = []
            return
        self._called = True
        name = self._names.get(event.name, event.name)
        custom = name in self._shape.custom
        if custom:
            self._held[event.call] = []
        yield replace(event, name=name, custom=custom)

    def _piece(self, event: ToolCallDelta) -> Iterable[Event]:
        if (held := self._held.get(event.call)) is not None:
            held.append(event.arguments)
        elif event.call in self._answers:
            yield TextDelta(event.arguments)
        else:
            yield event

    def _release(self) -> Iterable[Event]:
        for call, pieces in self._held.items():
            arguments = "".join(pieces)
            if call in self._answers:
                yield TextDelta(_unwrapped(arguments))
            else:
                yield ToolCallDelta(call, _text(arguments))
        self._held = {}
