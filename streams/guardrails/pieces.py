"""The pieces of text in an event of a stream, by dialect: where they stand, what ends them, and how one
more of the same would be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from msgspec import Struct

Event = dict[str, Any]  # JSON of a stream's event
Key = tuple[object, ...]  # of the text that a piece belongs to


class Piece(Struct):
    """One piece: the member of an object in the event that holds it."""

    key: Key
    holder: Event
    member: str
    json: bool  # the whole text is JSON
    again: Callable[[str], Event]  # an event that brings only this text

    @property
    def text(self) -> str:
        return str(self.holder[self.member])


class Spoken(Struct, frozen=True):
    """How the streams of one dialect are read."""

    pieces: Callable[[Event], Iterator[Piece]]
    ends: Callable[[Event, Key], bool]  # whether the event says that the text of that key is whole


def _objects(value: object) -> Iterator[Event]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def _texts(holder: Event, *members: str) -> Iterator[str]:
    yield from (name for name in members if isinstance(holder.get(name), str) and holder[name])


# -- OpenAI chat, and completions as they were before it


def _chat(event: Event) -> Iterator[Piece]:
    head = {name: value for name, value in event.items() if name not in ("choices", "usage")}
    for choice in _objects(event.get("choices")):
        said = _Choice(head, choice.get("index", 0))
        for name in _texts(choice, "text"):
            yield Piece((said.index, name), choice, name, False, said.completion)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            for name in _texts(delta, "content", "reasoning_content", "reasoning", "refusal"):
                yield Piece((said.index, name), delta, name, False, partial(said.text, name))
            for call in _objects(delta.get("tool_calls")):
                yield from said.called(call)


class _Choice(Struct, frozen=True):
    """How more of one choice is written."""

    head: Event
    index: object

    def _event(self, **members: object) -> Event:
        return {**self.head, "choices": [{"index": self.index, **members, "finish_reason": None}]}

    def completion(self, text: str) -> Event:
        return self._event(text=text, logprobs=None)

    def text(self, name: str, text: str) -> Event:
        return self._event(delta={name: text})

    def call(self, number: object, kind: str, member: str, text: str) -> Event:
        return self._event(delta={"tool_calls": [{"index": number, kind: {member: text}}]})

    def called(self, call: Event) -> Iterator[Piece]:
        number = call.get("index", 0)
        for kind, member in (("function", "arguments"), ("custom", "input")):
            holder = call.get(kind)
            if isinstance(holder, dict) and isinstance(holder.get(member), str):
                again = partial(self.call, number, kind, member)
                key = (self.index, kind, number)
                yield Piece(key, holder, member, kind == "function", again)


def _chat_ends(event: Event, key: Key) -> bool:
    return any(
        choice.get("index", 0) == key[0] and choice.get("finish_reason") is not None
        for choice in _objects(event.get("choices"))
    )


# -- Anthropic


def _anthropic(event: Event) -> Iterator[Piece]:
    delta = event.get("delta")
    if event.get("type") == "content_block_delta" and isinstance(delta, dict):
        for name in _texts(delta, "text", "thinking", "partial_json"):
            yield Piece(
                (event.get("index"),),
                delta,
                name,
                name == "partial_json",
                lambda text, name=name: {**event, "delta": {**delta, name: text}},  # type: ignore[misc]  # the same
            )


def _anthropic_ends(event: Event, key: Key) -> bool:
    kind = event.get("type")
    if kind == "content_block_stop":
        return event.get("index") == key[0]
    return kind in ("message_delta", "message_stop", "error")


# -- OpenAI Responses


def _responses(event: Event) -> Iterator[Piece]:
    kind = str(event.get("type"))
    if kind.endswith(".delta") and isinstance(event.get("delta"), str):
        place = (event.get("content_index"), event.get("summary_index"))
        yield Piece(
            (event.get("output_index"), kind, *place),
            event,
            "delta",
            kind == "response.function_call_arguments.delta",
            lambda text: {**event, "delta": text},
        )


def _responses_ends(event: Event, key: Key) -> bool:
    kind = str(event.get("type"))
    if kind.endswith(".done"):
        return event.get("output_index") == key[0]
    return kind in ("response.completed", "response.incomplete", "response.failed", "error")


# -- Gemini


def _gemini(event: Event) -> Iterator[Piece]:
    head = {
        name: value for name, value in event.items() if name not in ("candidates", "usageMetadata")
    }
    for candidate in _objects(event.get("candidates")):
        index, content = candidate.get("index", 0), candidate.get("content")
        for part in _objects(content.get("parts") if isinstance(content, dict) else None):
            for name in _texts(part, "text"):
                thought = bool(part.get("thought"))
                more = {"thought": True} if thought else {}

                def again(text: str, index: object = index, more: Event = more) -> Event:
                    said = {"role": "model", "parts": [{"text": text, **more}]}
                    return {**head, "candidates": [{"index": index, "content": said}]}

                yield Piece((index, thought), part, name, False, again)


def _gemini_ends(event: Event, key: Key) -> bool:
    for candidate in _objects(event.get("candidates")):
        if candidate.get("index", 0) != key[0]:
            continue
        content = candidate.get("content")
        parts = list(_objects(content.get("parts") if isinstance(content, dict) else None))
        other = any("text" not in part or bool(part.get("thought")) != key[1] for part in parts)
        if other or candidate.get("finishReason"):
            return True
    return False


SPOKEN: dict[str, Spoken] = {
    "openai_chat": Spoken(_chat, _chat_ends),
    "openai_completions": Spoken(_chat, _chat_ends),
    "openai_responses": Spoken(_responses, _responses_ends),
    "anthropic": Spoken(_anthropic, _anthropic_ends),
    "gemini": Spoken(_gemini, _gemini_ends),
}
