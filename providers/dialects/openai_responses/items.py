"""Items as a store of responses needs them: what a request said, what its answer said, and a request
whose conversation is put together of both."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import Members
from providers.dialects.openai_responses.decode import (
    decoded,
    encode,
    given,
    invalid,
    members,
    raws,
)
from providers.sse import Events, EventTooLarge, payload, terminated


class _Item(Struct):
    type: str | None = None
    role: str | None = None
    id: str | None = None
    content: Raw = Raw()


class _Response(Struct):
    output: list[Raw] | None = None


class _Event(Struct):
    type: str = ""
    response: Raw = Raw()


_item = msgspec.json.Decoder(_Item)
_input = msgspec.json.Decoder(str | list[Raw] | None)
_text = msgspec.json.Decoder(str)
_response = msgspec.json.Decoder(_Response)
_event = msgspec.json.Decoder(_Event)
_COMPLETED = Raw(b'"completed"')
# https://platform.openai.com/docs/api-reference/responses/input-items: their ids begin so.
_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
}
_HAS_STATUS = frozenset({"message", "function_call", "function_call_output"})
_MADE = re.compile(r"[a-z]+_.+_i\d+", re.DOTALL)  # an id that `input_items` has given
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})


def input_items(body: bytes, request_id: str) -> list[Raw]:
    """The items of a request, as OpenAI lists them: every message has parts, every item an id, which
    is made of the request's and its place if it has none. InvalidRequest if they cannot be read."""
    return [
        _listed(raw, request_id, index) for index, raw in enumerate(_given(_top(body).get("input")))
    ]


def output_items(response: bytes | Raw) -> list[Raw]:
    """The items of a Response, as they are; none if it has none."""
    try:
        return _response.decode(response).output or []
    except (msgspec.DecodeError, RecursionError):
        return []


def with_history(body: bytes, items: list[Raw]) -> bytes:
    """The body with `items` in front of its own input, and no previous response any more. Ids that
    `input_items` has given are left out: no provider knows them."""
    found = _top(body)
    own = _given(found.pop("input", None))
    found.pop("previous_response_id", None)
    found["input"] = Raw(encode([*map(_sendable, items), *own]))
    return encode(found)


def response_of_stream(text: str | bytes) -> Raw | None:
    """The Response at the end of a stream; None if the stream has no end."""
    data = text.encode() if isinstance(text, str) else text
    events = Events()
    try:
        whole = [*events.feed(data), terminated(events.rest())]
    except EventTooLarge:
        return None
    for event in reversed(whole):
        try:
            found = _event.decode(payload(event))
        except (msgspec.DecodeError, RecursionError):
            continue  # [DONE], comments
        if found.type in _TERMINAL:
            return Raw(bytes(found.response)) if found.response else None
    return None


def _top(body: bytes) -> Members:
    return decoded(members, body, "")


def _given(raw: Raw | None) -> list[Raw]:
    """The items of an `input`; a text is a message."""
    if raw is None:
        return []
    found = decoded(_input, raw, "input")
    if isinstance(found, str):
        return [Raw(encode({"type": "message", "role": "user", "content": found}))]
    return found or []


def _listed(raw: Raw, request_id: str, index: int) -> Raw:
    place = f"input[{index}]"
    item = decoded(_item, raw, place)
    kind = item.type or ("message" if item.role is not None else "item_reference")
    found = decoded(members, raw, place)
    if kind == "item_reference":
        return raw
    listed: Members = {"type": Raw(encode(kind)), **found}
    if item.id is None:
        prefix = _PREFIXES.get(kind, "item")
        name = Raw(encode(f"{prefix}_{request_id}_i{index}"))
        listed = {"id": name, **listed}
        listed["id"] = name  # over a null, too
    if kind in _HAS_STATUS and not given(listed.get("status")):
        listed["status"] = _COMPLETED
    if kind == "message":
        listed["content"] = _parts(item, f"{place}.content")
    return Raw(encode(listed))


def _parts(item: _Item, place: str) -> Raw:
    if not given(item.content):
        raise invalid(place, "is required")
    if not bytes(item.content).lstrip().startswith(b'"'):
        decoded(raws, item.content, place)
        return item.content
    text = decoded(_text, item.content, place)
    if item.role == "assistant":
        part: dict[str, object] = {"type": "output_text", "text": text, "annotations": []}
    else:
        part = {"type": "input_text", "text": text}
    return Raw(encode([part]))


def _sendable(raw: Raw) -> Raw:
    try:
        item = _item.decode(raw)
        if item.id is None or not _MADE.fullmatch(item.id):
            return raw
        found = members.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return raw
    del found["id"]
    return Raw(encode(found))
