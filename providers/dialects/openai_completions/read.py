"""A legacy completion as its caller gets it, read back: texts and why they ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from providers.canonical.answer import Answer, Begin, Choice, Counted, End, Event, Finish, TextDelta
from providers.canonical.request import ChatRequest, Text
from providers.dialects.openai_chat.stream import DONE
from providers.dialects.openai_chat.usage import parse_usage
from schemas.errors import UpstreamError

T = TypeVar("T")


class _Choice(Struct):
    index: int = 0
    text: str = ""
    finish_reason: str | None = None


class _Body(Struct):
    choices: list[_Choice] = []
    id: str = ""
    model: str = ""
    created: int | None = None
    usage: Raw = Raw()


_body = msgspec.json.Decoder(_Body)


def _decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamError(f"The provider's answer cannot be read: {error}.") from error


def read_answer(body: bytes) -> Answer:
    """A whole answer; UpstreamError if it is none."""
    found = _decoded(_body, body)
    choices = tuple(
        Choice(
            choice.index,
            (Text(choice.text),),
            Finish(choice.finish_reason) if choice.finish_reason else None,
        )
        for choice in found.choices
    )
    usage = parse_usage(found.usage) if found.usage else None
    return Answer(found.id, found.model, choices, usage, created=found.created)


class StreamReader:
    """A Reader."""

    def __init__(self, chat: ChatRequest) -> None:
        self._begun = False
        self._open: set[int] = set()
        self._ended: set[int] = set()
        self.done = False

    @property
    def whole(self) -> bool:
        return bool(self._ended) and not self._open

    def read(self, data: bytes) -> Iterable[Event]:
        if data == DONE:
            self.done = True
            return
        found = _decoded(_body, data)
        if not self._begun:
            self._begun = True
            yield Begin(found.id, found.model, found.created)
        for choice in found.choices:
            yield from self._read(choice)
        if found.usage and bytes(found.usage) != b"null":
            usage = parse_usage(found.usage)
            if usage is not None:
                yield Counted(usage)

    def _read(self, choice: _Choice) -> Iterable[Event]:
        if choice.index not in self._ended:
            self._open.add(choice.index)
        if choice.text:
            yield TextDelta(choice.text, choice.index)
        if choice.finish_reason:
            self._open.discard(choice.index)
            self._ended.add(choice.index)
            yield End(Finish(choice.finish_reason), choice.index)
