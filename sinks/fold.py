"""A streamed chat answer as the `chat.completion` that it amounts to. Pure."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

Json = dict[str, Any]

# Fields of a delta that name something. Some providers repeat them with each piece.
NAMES = frozenset({"role", "id", "type", "name", "index", "format"})
# Typed parts that belong together when they follow each other: Mistral streams thinking in them.
TEXT_PARTS = frozenset({"text", "thinking"})
PADDING = "obfuscation"  # blurs the chunk's length on the wire, says nothing

_decode_all = msgspec.json.Decoder(list[Json]).decode
_decode = msgspec.json.Decoder(Json).decode
_encode = msgspec.json.Encoder().encode


def fold(text: str) -> bytes | None:
    """The completion in the SSE text of a chat stream, as JSON; None if the text is something else.

    An answer that was cut gives what had arrived; its last choice then has no finish reason. An
    in-band error stays as `error` beside the choices.
    """
    try:
        chunks = _chunks(text)
        if not any(chunk.get("choices") for chunk in chunks):
            return None
        return _encode(_fold(chunks))
    # A provider's stream may have any shape; one that does not fit is no reason to lose the answer.
    except (msgspec.MsgspecError, RecursionError, TypeError, AttributeError, KeyError, ValueError):
        return None


def _chunks(text: str) -> list[Json]:
    *whole, rest = _events(text)
    chunks = _decode_all("[" + ",".join(filter(None, whole)) + "]")
    if rest:
        # Without an empty line behind it the stream was cut here, perhaps in the middle of the JSON.
        with suppress(msgspec.DecodeError):
            chunks.append(_decode(rest))
    return chunks


def _events(text: str) -> list[str]:
    """The data of each event, "" for those without; the last one was not ended by an empty line."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = []
    for event in text.split("\n\n"):
        if event.startswith("data:") and "\n" not in event:
            data = event[5:].strip()
        else:
            lines = (line[5:].strip() for line in event.split("\n") if line.startswith("data:"))
            data = "\n".join(lines)
        found.append("" if data == "[DONE]" else data)
    return found


def _fold(chunks: list[Json]) -> Json:
    completion: Json = {"id": None, "object": "chat.completion", "created": None, "model": None}
    choices: dict[int, _Choice] = {}
    last: Json = {}
    for chunk in chunks:
        for piece in chunk.pop("choices", None) or ():
            if "text" in piece:
                raise ValueError("a chunk of the legacy completions API")
            index = piece.get("index", 0)
            if (choice := choices.get(index)) is None:
                choice = choices[index] = _Choice(index)
            choice.add(piece)
        if chunk != last:  # most chunks say the same around their choices
            _update(completion, chunk)
            last = chunk
    completion.pop(PADDING, None)
    completion["object"] = "chat.completion"
    completion["choices"] = [choices[index].whole() for index in sorted(choices)]
    return completion


class _Choice:
    """One answer of possibly several."""

    __slots__ = ("_last", "_message", "_rest", "_texts")

    def __init__(self, index: int) -> None:
        self._message: Json = {"role": "assistant", "content": None}
        self._texts: dict[str, list[str]] = {}  # joined once: `+=` on long answers is quadratic
        self._rest: Json = {"index": index, "finish_reason": None}
        self._last: Json = {}

    def add(self, piece: Json) -> None:
        if delta := piece.pop("delta", None):
            self._delta(delta)
        if logprobs := piece.pop("logprobs", None):
            self._rest["logprobs"] = _merged(self._rest.get("logprobs"), logprobs)
        if piece != self._last:
            _update(self._rest, piece)
            self._last = piece

    def _delta(self, delta: Json) -> None:
        for name, value in delta.items():
            if isinstance(value, str) and name not in NAMES:
                self._text(name, value)
            elif name == "tool_calls" and value:
                _add_calls(self._message.setdefault(name, []), value)
            elif isinstance(value, list) and name in self._texts:
                started = "".join(self._texts.pop(name))
                parts = [{"type": "text", "text": started}] if started else []
                self._message[name] = _extended(parts, value)
            elif value is not None or name not in self._message:
                self._message[name] = _merged(self._message.get(name), value, name)

    def _text(self, name: str, value: str) -> None:
        if (pieces := self._texts.get(name)) is not None:
            pieces.append(value)
        elif isinstance(parts := self._message.get(name), list):
            _extended(parts, [{"type": "text", "text": value}] if value else [])
        else:
            self._texts[name] = [value]

    def whole(self) -> Json:
        message = self._message | {name: "".join(texts) for name, texts in self._texts.items()}
        for call in message.get("tool_calls") or ():
            call.pop("index", None)
        return {"index": self._rest.pop("index"), "message": message, **self._rest}


def _update(known: Json, new: Json) -> None:
    """The last value counts that is not null."""
    for name, value in new.items():
        if value is not None or name not in known:
            known[name] = value


def _merged(old: Any, new: Any, name: str = "") -> Any:
    """What two successive values of one field amount to."""
    if new is None:
        return old
    if isinstance(new, dict):
        target: Json = old if isinstance(old, dict) else {}
        for key, value in new.items():
            target[key] = _merged(target.get(key), value, key)
        return target
    if isinstance(new, list):
        return _extended(old if isinstance(old, list) else [], new)
    if isinstance(old, str) and isinstance(new, str):
        return (new or old) if name in NAMES else old + new
    return new


def _extended(entries: list[Any], new: list[Any]) -> list[Any]:
    for entry in new:
        if (begun := _begun(entries, entry)) is not None:
            _merged(begun, entry)
        else:
            entries.append(_merged(None, entry) if isinstance(entry, dict) else entry)
    return entries


def _begun(entries: list[Any], entry: Any) -> Json | None:
    """The entry that this one continues: by `index`, or a text part right before it."""
    if not isinstance(entry, dict) or not entries:
        return None
    index = entry.get("index")
    if index is not None:
        found = (e for e in reversed(entries) if isinstance(e, dict) and e.get("index") == index)
        return next(found, None)
    last = entries[-1]
    if entry.get("type") in TEXT_PARTS and isinstance(last, dict):
        return last if last.get("type") == entry["type"] else None
    return None


def _add_calls(calls: list[Json], new: list[Json]) -> None:
    """Pieces of tool calls: by index where there is one; a new id always begins a new call."""
    for piece in new:
        index, call_id = piece.get("index"), piece.get("id")
        found = (call for call in reversed(calls) if index is None or call.get("index") == index)
        begun = next(found, None)
        if begun is None or (call_id and begun.get("id") and call_id != begun["id"]):
            calls.append(_merged(None, piece))
        else:
            _merged(begun, piece)
