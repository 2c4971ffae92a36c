"""Where the text stands in the events of each dialect's streams, and what names the stream in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct
from typing_extensions import override

Event = dict[str, Any]
# opening: begins a stream or a text; text: a piece of it; other: any other content; silent: none.
Kind = Literal["opening", "text", "thought", "other", "silent"]


class Read(Struct, frozen=True):
    """What an event is. `ends`: the text is whole with it."""

    kind: Kind
    text: str = ""
    ends: bool = False


class Grammar(Protocol):
    """One dialect. Pure."""

    named: bool  # events have an `event:` line, which is their type

    def read(self, event: Event) -> Read: ...

    def with_text(self, event: Event, text: str) -> Event:
        """The same event with another piece of text."""
        ...

    def identity(self, events: list[Event]) -> Event:
        """What names a stream: the members that its events repeat."""
        ...

    def adopted(self, event: Event, own: Event, told: Event, before: str) -> Event:
        """An event of the stream `own` as one of `told`; `before` is text that only the latter has."""
        ...


SILENT = Read("silent")


class _Choices:
    """Chat, and completions with the text in another place."""

    named = False

    def __init__(self, piece: Callable[[Event], Event], member: str) -> None:
        self._piece = piece  # of a choice: what holds the text
        self._member = member

    def read(self, event: Event) -> Read:
        choices = event.get("choices") or []
        if not choices:
            return SILENT
        if len(choices) > 1 or choices[0].get("index", 0) != 0:
            return Read("other")
        (choice,) = choices
        piece, ends = self._piece(choice), choice.get("finish_reason") is not None
        said = {name for name, value in piece.items() if value not in (None, "", [], {})}
        said -= {"role", "finish_reason", "index", "native_finish_reason", "matched_stop"}
        text = piece.get(self._member)
        if said - {self._member, "reasoning_content", "reasoning", "reasoning_details"}:
            return Read("other")
        if isinstance(text, str) and text:
            return Read("text", text, ends)
        return Read("thought", ends=ends) if said else Read("silent", ends=ends)

    def with_text(self, event: Event, text: str) -> Event:
        (choice,) = event["choices"]
        made = {**choice, "delta": {**self._piece(choice), self._member: text}}
        made.pop("logprobs", None)  # they were of the whole piece
        return {**event, "choices": [made]}

    def identity(self, events: list[Event]) -> Event:
        first = events[0] if events else {}
        return {name: first[name] for name in ("id", "created", "model") if name in first}

    def adopted(self, event: Event, own: Event, told: Event, before: str) -> Event:
        return {**event, **told}


class _Messages:
    """Anthropic's."""

    named = True

    def read(self, event: Event) -> Read:
        match event.get("type"):
            case "message_start":
                return Read("opening")
            case "content_block_start":
                block = event.get("content_block") or {}
                text = event.get("index") == 0 and block.get("type") == "text"
                return Read("opening" if text and not block.get("text") else "other")
            case "content_block_delta":
                delta = event.get("delta") or {}
                if delta.get("type") != "text_delta" or event.get("index") != 0:
                    return Read("other")
                return Read("text", delta.get("text") or "")
            case "content_block_stop" | "message_delta" | "message_stop":
                return Read("silent", ends=True)
            case _:
                return SILENT

    def with_text(self, event: Event, text: str) -> Event:
        return {**event, "delta": {**event["delta"], "text": text}}

    def identity(self, events: list[Event]) -> Event:
        return {}

    def adopted(self, event: Event, own: Event, told: Event, before: str) -> Event:
        return event


class _Contents:
    """Gemini's: the events are small answers."""

    named = False

    def read(self, event: Event) -> Read:
        candidates = event.get("candidates") or []
        if not candidates:
            return SILENT
        if len(candidates) > 1 or candidates[0].get("index", 0) != 0:
            return Read("other")
        (candidate,) = candidates
        ends = candidate.get("finishReason") is not None
        parts = (candidate.get("content") or {}).get("parts") or []
        if any(part.keys() - {"text", "thought", "thoughtSignature"} for part in parts):
            return Read("other")
        thoughts = [part for part in parts if part.get("thought")]
        text = "".join(part.get("text") or "" for part in parts if not part.get("thought"))
        if thoughts and text:
            return Read("other")
        if text:
            return Read("text", text, ends)
        return Read("thought" if thoughts else "silent", ends=ends)

    def with_text(self, event: Event, text: str) -> Event:
        (candidate,) = event["candidates"]
        content = {**(candidate.get("content") or {}), "parts": [{"text": text}]}
        return {**event, "candidates": [{**candidate, "content": content}]}

    def identity(self, events: list[Event]) -> Event:
        first = events[0] if events else {}
        return {name: first[name] for name in ("responseId", "modelVersion") if name in first}

    def adopted(self, event: Event, own: Event, told: Event, before: str) -> Event:
        return {**event, **told}


class _Responses:
    """Of OpenAI's Responses: the last events repeat the whole text."""

    named = True
    _OPENING = ("response.created", "response.queued", "response.in_progress")
    _WHOLE = (
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    )

    def read(self, event: Event) -> Read:
        kind = str(event.get("type"))
        if kind in self._OPENING:
            return Read("opening")
        if kind == "response.output_item.added":
            message = (event.get("item") or {}).get("type") == "message"
            return Read("opening" if message and event.get("output_index") == 0 else "other")
        first = event.get("output_index", 0) == 0 and event.get("content_index", 0) == 0
        if kind == "response.content_part.added":
            text = (event.get("part") or {}).get("type") == "output_text"
            return Read("opening" if text and first else "other")
        if kind == "response.output_text.delta":
            return Read("text", event.get("delta") or "") if first else Read("other")
        if kind in (*self._WHOLE, "response.completed", "response.incomplete"):
            return Read("silent", ends=True)
        return Read("other") if kind.startswith("response.") else SILENT

    def with_text(self, event: Event, text: str) -> Event:
        return {**event, "delta": text}

    def identity(self, events: list[Event]) -> Event:
        found: Event = {}
        for event in events:
            if isinstance(response := event.get("response"), dict):
                found.setdefault("response", response.get("id"))
            if isinstance(item := event.get("item"), dict):
                found.setdefault("item", item.get("id"))
            found["sequence"] = event.get("sequence_number", found.get("sequence", 0))
        return found

    def adopted(self, event: Event, own: Event, told: Event, before: str) -> Event:
        names = {own.get(part): told.get(part) for part in ("response", "item") if own.get(part)}
        made: Event = _renamed(event, names)
        return _preceded(made, before) if before else made


def _renamed(value: Any, names: Mapping[Any, Any]) -> Any:
    """The same with other ids."""
    if isinstance(value, dict):
        return {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


def _preceded(event: Event, before: str) -> Event:
    """The same, where it repeats the first text as a whole, with what came before it."""
    kind = event.get("type")
    if kind == "response.output_text.done":
        return {**event, "text": before + event.get("text", "")}
    if kind == "response.content_part.done":
        return {**event, "part": _longer(event["part"], before)}
    if kind == "response.output_item.done" and event.get("output_index") == 0:
        return {**event, "item": _whole(event["item"], before)}
    if kind in ("response.completed", "response.incomplete"):
        response = event["response"]
        first, *rest = response["output"]
        return {**event, "response": {**response, "output": [_whole(first, before), *rest]}}
    return event


def _whole(item: Event, before: str) -> Event:
    first, *rest = item["content"]
    return {**item, "content": [_longer(first, before), *rest]}


def _longer(part: Event, before: str) -> Event:
    return {**part, "text": before + part.get("text", "")}


class _Completions(_Choices):
    @override
    def with_text(self, event: Event, text: str) -> Event:
        (choice,) = event["choices"]
        return {**event, "choices": [{**choice, "text": text}]}


GRAMMARS: Mapping[str, Grammar] = {
    "openai_chat": _Choices(lambda choice: choice.get("delta") or {}, "content"),
    "openai_completions": _Completions(lambda choice: choice, "text"),
    "openai_responses": _Responses(),
    "anthropic": _Messages(),
    "gemini": _Contents(),
}
