"""Content blocks as a caller of the Messages API gets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import msgspec
from msgspec import Raw

from providers.canonical.answer import AnswerPart
from providers.canonical.request import (
    Citation,
    Media,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from providers.canonical.tokens import Token, seal
from providers.dialects.anthropic.blocks import CARRIED, DIALECT, INVALID_JSON
from providers.dialects.anthropic.ids import to_wire

Block = dict[str, object]
_encode = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Raw]).decode


def blocks_of(part: AnswerPart) -> Iterator[Block]:  # noqa: C901  # one arm a part
    """A part of an answer as blocks: mostly one."""
    match part:
        case Text():
            if part.token is not None:
                yield carrier("text", part.token)
            yield {"type": "text", "text": part.text, "citations": citations(part) or None}
        case Reasoning():
            yield thinking(part)
        case ToolCall():
            if part.token is not None:
                yield carrier("tool_call", part.token)
            arguments = wrapped(part.arguments) if part.custom else part.arguments
            yield {**tool_use(part.id, part.name), "input": to_input(arguments)}
        case Refusal():
            yield {"type": "text", "text": part.text, "citations": None}
        case Media():
            yield media(part)
        case Native():
            if part.dialect == DIALECT:
                yield {"raw": part.raw}
        case _:
            assert_never(part)


def tool_use(call_id: str, name: str) -> Block:
    return {"type": "tool_use", "id": to_wire(call_id), "name": name, "input": {}}


def to_input(arguments: str) -> object:
    """`input` must be an object; arguments that are none are told as such."""
    if not arguments.strip():
        return {}
    try:
        _object(arguments)
    except (msgspec.DecodeError, RecursionError):
        return {INVALID_JSON: arguments}
    return Raw(arguments.encode())


def wrapped(text: str) -> str:
    """Free text as the arguments of a function."""
    return _encode({"input": text}).decode()


def thinking(part: Reasoning) -> Block:
    sealed = signature(part.token, part.origin, part.id)
    if part.redacted:
        return {"type": "redacted_thinking", "data": sealed}
    return {"type": "thinking", "thinking": part.text, "signature": sealed}


def signature(token: str | None, origin: str | None, call_id: str | None) -> str:
    """A token as the field holds it that callers must send back."""
    if origin is None or (token is None and call_id is None):
        return ""
    return seal(Token(origin, token or "", call_id), DIALECT)


def carrier(kind: str, token: str) -> Block:
    """The token of what follows, which has no field for it: callers keep such a block in its place."""
    return {
        "type": "redacted_thinking",
        "data": seal(Token("gemini", token, CARRIED[kind]), DIALECT),
    }


def citations(part: Text) -> list[object]:
    found = (citation(given) for given in part.citations)
    return [given for given in found if given is not None]


def citation(given: Citation) -> object | None:
    """As the provider made it; that of another one as of a search; None if it names no page."""
    if given.dialect == DIALECT and given.raw:
        return given.raw
    if given.url is None:
        return None
    return {
        "type": "web_search_result_location",
        "url": given.url,
        "title": given.title,
        "cited_text": given.cited_text or "",
        "encrypted_index": "",
    }


def media(part: Media) -> Block:
    """The API's own models make none, so its callers have no word for it but that of a request."""
    if part.url is not None:
        source: Block = {"type": "url", "url": part.url}
    else:
        source = {"type": "base64", "media_type": part.media_type, "data": part.data or ""}
    return {"type": part.kind, "source": source}


def encoded(block: Block) -> bytes:
    """A block as JSON; that of a provider as it came."""
    raw = block.get("raw")
    return bytes(raw) if isinstance(raw, Raw) else _encode(block)
