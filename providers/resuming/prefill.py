"""A request that asks to go on with a text which another model has begun."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from schemas.requests import Request

Members = dict[str, Raw]
_members = msgspec.json.Decoder(Members).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_input = msgspec.json.Decoder(str | list[Raw]).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def continued(request: Request, text: str) -> Request | None:
    """The request with `text` as the beginning of its answer; None where that cannot be said, or a
    model would not go on exactly: providers take no beginning that ends with white space."""
    write = _WRITERS.get(request.dialect)
    if write is None or not text or text != text.rstrip():
        return None
    try:
        members = _members(request.body)
        return replace(request, body=_encode({**members, **write(members, text)}))
    except (msgspec.DecodeError, KeyError, RecursionError):
        return None


def _messages(members: Members, text: str) -> Members:
    turns = _list(members["messages"])
    return {"messages": _raw([*turns, _raw({"role": "assistant", "content": text})])}


def _prompt(members: Members, text: str) -> Members:
    return {"prompt": _raw(_text(members["prompt"]) + text)}


def _contents(members: Members, text: str) -> Members:
    turns = _list(members["contents"])
    return {"contents": _raw([*turns, _raw({"role": "model", "parts": [{"text": text}]})])}


def _items(members: Members, text: str) -> Members:
    given = _input(members["input"])
    turns = [_raw({"role": "user", "content": given})] if isinstance(given, str) else given
    said = {"type": "output_text", "text": text, "annotations": []}
    return {
        "input": _raw([*turns, _raw({"type": "message", "role": "assistant", "content": [said]})])
    }


def _raw(value: object) -> Raw:
    return Raw(_encode(value))


_WRITERS: Mapping[str, Callable[[Members, str], Members]] = {
    "openai_chat": _messages,
    "openai_completions": _prompt,
    "openai_responses": _items,
    "anthropic": _messages,
    "gemini": _contents,
}
