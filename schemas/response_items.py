"""Items of OpenAI responses, as they are listed and as they become the input of the next one. Pure.

https://platform.openai.com/docs/api-reference/responses/input-items
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw, Struct

from schemas.envelopes import EVENT_STREAM
from schemas.errors import InvalidRequest

Members = dict[str, Raw]
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
_TERMINAL_BYTES = tuple(name.encode() for name in _TERMINAL)
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}


class _Event(Struct):
    type: str = ""
    response: Raw = Raw()


class _Named(Struct):
    id: str | None = None


class _Output(Struct):
    output: list[Raw] | None = None


class _Asked(Struct):
    input: str | list[Raw] | None = None
    previous_response_id: str | None = None


class _Item(Struct):
    type: str | None = None
    id: str | None = None
    content: str | Raw | None = None


_event = msgspec.json.Decoder(_Event).decode
_named = msgspec.json.Decoder(_Named).decode
_output = msgspec.json.Decoder(_Output).decode
_asked = msgspec.json.Decoder(_Asked).decode
_item = msgspec.json.Decoder(_Item).decode
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode


def terminal_response(answer: bytes, content_type: str) -> Raw | None:
    """The response object of a whole answer, plain or streamed; None if there is none."""
    if not content_type.startswith(EVENT_STREAM):
        return Raw(answer)
    at = max(answer.rfind(name) for name in _TERMINAL_BYTES)
    start = answer.rfind(b"\ndata:", 0, max(at, 0)) + 1  # 0: the answer begins with it
    line = answer[start:].partition(b"\n")[0].removeprefix(b"data:").strip()
    try:
        found = _event(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found.response if found.type in _TERMINAL and found.response else None


def first_response(stream: bytes) -> Raw:
    """The response object of the event with which a stream begins; an empty one if there is none."""
    for line in stream.split(b"\n"):
        if line.startswith(b"data:"):
            try:
                return _event(line.removeprefix(b"data:")).response
            except (msgspec.DecodeError, RecursionError):
                break
    return Raw()


def response_id(response: Raw | None) -> str | None:
    """The id in a response object."""
    try:
        return _named(response).id if response else None
    except (msgspec.DecodeError, RecursionError):
        return None


def previous_id(body: bytes) -> str | None:
    """The `previous_response_id` of a request; None if it continues nothing."""
    if b'"previous_response_id"' not in body:
        return None
    try:
        return _asked(body).previous_response_id
    except (msgspec.DecodeError, RecursionError):
        return None


def input_items(body: bytes, request_id: str) -> list[Raw]:
    """The items of a request's own input, each with type and id; what had no id gets the same one
    whenever it is listed."""
    try:
        given = _asked(body).input
    except (msgspec.DecodeError, RecursionError):
        return []
    if given is None:
        return []
    if isinstance(given, str):
        given = [Raw(_encode({"role": "user", "content": given}))]
    return [_listed(item, request_id, place) for place, item in enumerate(given)]


def output_items(response: Raw) -> list[Raw]:
    """The items that a response gave."""
    try:
        return _output(response).output or []
    except (msgspec.DecodeError, RecursionError):
        return []


def with_history(body: bytes, history: Sequence[Raw]) -> bytes:
    """The request with all that went before in its input, so that it continues nothing."""
    try:
        members, own = _members(body), _asked(body).input
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no request for a response: {error}.") from error
    if isinstance(own, str):
        own = [Raw(_encode({"role": "user", "content": own}))]
    members.pop("previous_response_id", None)
    members["input"] = Raw(_encode([*history, *(own or ())]))
    return _encode(members)


def as_input(items: Iterable[Raw]) -> list[Raw]:
    """Output items as a provider takes them back: without the ids by which nobody else knows them."""
    return [_anonymous(item) for item in items]


def _anonymous(raw: Raw) -> Raw:
    try:
        members = _members(raw)
        kind = _item(raw).type
    except (msgspec.DecodeError, RecursionError):
        return raw
    if kind not in _PREFIXES or kind == "reasoning" or "id" not in members:
        return raw  # encrypted thoughts go back with their id
    # An id that a provider does not know makes it look for the item in its own store.
    return Raw(_encode({name: value for name, value in members.items() if name != "id"}))


def _listed(raw: Raw, request_id: str, place: int) -> Raw:
    try:
        item, members = _item(raw), _members(raw)
    except (msgspec.DecodeError, RecursionError):
        return raw
    kind = item.type or "message"
    found: dict[str, object] = {}
    if not item.id:
        digest = hashlib.blake2b(f"{request_id}:{place}".encode(), digest_size=24).hexdigest()
        found["id"] = f"{_PREFIXES.get(kind, 'item')}_{digest}"
    found["type"] = kind
    found |= {name: value for name, value in members.items() if name != "type"}
    if kind == "message":
        found.setdefault("status", "completed")
        if isinstance(item.content, str):
            text = (
                "output_text" if bytes(members.get("role", b"")) == b'"assistant"' else "input_text"
            )
            found["content"] = [{"type": text, "text": item.content}]
    return Raw(_encode(found))
