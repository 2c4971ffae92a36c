"""Turns of the middle as Gemini's `contents`: https://ai.google.dev/api/caching#Content."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import assert_never

from msgspec import Raw

from providers.canonical.notes import Notes
from providers.canonical.request import (
    ChatRequest,
    Media,
    Native,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from providers.dialects.gemini import families
from providers.dialects.gemini.base64s import standard
from providers.dialects.gemini.custom import wrapped
from providers.dialects.gemini.media import guess_data, guess_url
from providers.dialects.gemini.results import arguments, write_result

Object = dict[str, object]
Piece = Object | Raw  # a part; Raw is one that goes back as it came

# Stands for the signature of a call that another model made: a call without any is refused.
# https://ai.google.dev/gemini-api/docs/thought-signatures: FAQs, histories from other models.
_UNSIGNED = b64encode(b"skip_thought_signature_validator").decode()
_MEDIA_EXTRA = frozenset({"videoMetadata", "mediaResolution", "mediaProcessing", "partMetadata"})


def render_contents(
    chat: ChatRequest, model: str, notes: Notes
) -> tuple[list[Piece], list[Object]]:
    """The parts of `systemInstruction`, in which all that system and developer say is gathered, and
    the contents."""
    return _Contents(model, notes, _names(chat)).of(chat.turns)


def _names(chat: ChatRequest) -> dict[str, str]:
    """Call id to function: a result must name its function, and other dialects give the id only."""
    return {
        part.id: part.name
        for turn in chat.turns
        for part in turn.parts
        if isinstance(part, ToolCall)
    }


class _Contents:
    __slots__ = ("_contents", "_media_in_results", "_names", "_notes", "_signs", "_system")

    def __init__(self, model: str, notes: Notes, names: dict[str, str]) -> None:
        self._notes = notes
        self._names = names
        self._signs = families.signs(model)
        self._media_in_results = families.takes_media_in_results(model)
        self._system: list[Piece] = []
        self._contents: list[Object] = []

    def of(self, turns: tuple[Turn, ...]) -> tuple[list[Piece], list[Object]]:
        results: list[ToolResult] = []
        for turn in turns:
            if turn.role == "tool":
                results.extend(part for part in turn.parts if isinstance(part, ToolResult))
                continue
            self._answer(results)
            results = []
            self._say(turn)
        self._answer(results)
        if not self._contents and self._system:
            # Gemini must be asked something; what only the system says is that.
            return [], [{"role": "user", "parts": self._system}]
        return self._system, self._contents

    def _say(self, turn: Turn) -> None:
        if turn.name is not None:
            self._notes.harmless("messages.name")
        for name in turn.extra:
            self._notes.harmless(f"messages.{name}")
        parts = list(self._parts(turn.parts))
        if turn.role in ("system", "developer"):
            self._system.extend(parts)
            return
        if turn.role == "assistant" and self._signs:
            _sign(parts)
        if parts:
            role = "model" if turn.role == "assistant" else "user"
            self._contents.append({"role": role, "parts": parts})

    def _answer(self, results: list[ToolResult]) -> None:
        """All results in one content: Gemini wants as many in it as there were calls at once."""
        if not results:
            return
        beside: list[Object] = []
        parts = [{"functionResponse": self._response(result, beside)} for result in results]
        self._contents.append({"role": "user", "parts": parts})
        if beside:
            self._contents.append({"role": "user", "parts": beside})

    def _response(self, result: ToolResult, beside: list[Object]) -> Object:
        """Media goes into the result, or for a model that does not look there, beside it."""
        if result.cache is not None:
            self._notes.harmless("cache_control")
        texts: list[str] = []
        inner: list[Object] = []
        for part in result.parts:
            if isinstance(part, Text):
                texts.append(part.text)
            else:
                inner.append(self._media(part))
        text = "\n".join(texts) if texts else None
        name = result.name or self._names.get(result.call_id) or "unknown"
        found: Object = {
            "id": result.call_id,
            "name": name,
            "response": write_result(text, is_error=result.is_error),
        }
        if inner and self._media_in_results:
            found["parts"] = inner
        elif inner:
            beside.append({"text": f"Result of {name} ({result.call_id}):"})
            beside.extend(inner)
        return found

    def _parts(self, parts: tuple[Part, ...]) -> Iterator[Piece]:
        last: Piece = {}
        for part in parts:
            if isinstance(part, Reasoning) and (signed := _signed_by(part, last)) is not None:
                signed["thoughtSignature"] = part.token
                continue
            if (found := self._part(part)) is not None:
                last = found
                yield found

    def _part(self, part: Part) -> Piece | None:  # noqa: C901  # one arm a part
        match part:
            case Text():
                return self._text(part)
            case Media():
                return self._media(part)
            case Reasoning():
                return self._reasoning(part)
            case ToolCall():
                if part.cache is not None:
                    self._notes.harmless("cache_control")
                args = wrapped(part.arguments) if part.custom else arguments(part.arguments)
                call = {"id": part.id, "name": part.name, "args": args}
                return _signed({"functionCall": call}, part.token)
            case ToolResult():
                return {"functionResponse": self._response(part, [])}
            case Refusal():
                return {"text": part.text}
            case Native(dialect="gemini"):
                return part.raw
            case Native():
                self._notes.harmless(f"messages.{part.kind}")
                return None
            case _:
                assert_never(part)

    def _text(self, part: Text) -> Object:
        if part.cache is not None:
            self._notes.harmless("cache_control")
        if part.citations:
            self._notes.harmless("messages.citations")
        return _signed({"text": part.text}, part.token)

    def _reasoning(self, part: Reasoning) -> Object | None:
        """The thoughts of another model would be taken for its own, and it cannot read their tokens."""
        if part.origin not in (None, "gemini"):
            self._notes.harmless("messages.reasoning")
            return None
        if part.redacted:
            return _signed({"thought": True}, part.token)
        return _signed({"text": part.text, "thought": True}, part.token)

    def _media(self, media: Media) -> Object:
        for name in ("cache", "detail", "name"):
            if getattr(media, name) is not None:
                self._notes.harmless("cache_control" if name == "cache" else f"messages.{name}")
        found: Object = self._source(media)
        for name, value in media.extra.items():
            if name in _MEDIA_EXTRA:
                found[name] = value
            else:
                self._notes.harmless(f"messages.{name}")
        return _signed(found, media.token)

    def _source(self, media: Media) -> Object:
        if media.data is not None:
            kind = media.media_type or guess_data(media.data, media.kind)
            return {"inlineData": {"mimeType": kind, "data": standard(media.data)}}
        if media.url is not None:
            # https://ai.google.dev/gemini-api/docs/file-input-methods: Google fetches public URLs.
            kind = media.media_type or guess_url(media.url, media.kind)
            return {"fileData": {"mimeType": kind, "fileUri": media.url}}
        if media.text is not None:
            return {
                "inlineData": {
                    "mimeType": media.media_type or "text/plain",
                    "data": b64encode(media.text.encode(errors="replace")).decode(),
                }
            }
        self._notes.meaningful(
            "messages.file_id", "only the provider that has the file knows its id"
        )
        return {"text": ""}


def _signed_by(part: Reasoning, last: Piece) -> Object | None:
    """The text before a token that came with it: `read.py` hands the two on one after the other."""
    if not part.redacted or part.origin != "gemini" or not isinstance(last, dict):
        return None
    if "text" not in last or last.keys() & {"thought", "thoughtSignature"}:
        return None
    return last


def _signed(part: Object, token: str | None) -> Object:
    if token is not None:
        part["thoughtSignature"] = token
    return part


def _sign(parts: list[Piece]) -> None:
    """Only the first of calls at once must be signed."""
    for part in parts:
        if isinstance(part, dict) and "functionCall" in part:
            part.setdefault("thoughtSignature", _UNSIGNED)
            return
