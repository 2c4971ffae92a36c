"""Content blocks of an assistant, as an answer and as history hold them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from providers.canonical.answer import AnswerPart
from providers.canonical.request import Citation, Native, Reasoning, Text, ToolCall

DIALECT = "anthropic"
_NULL = Raw(b"null")
# How a caller is told of arguments that are no JSON object, and how it tells us:
# https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming
INVALID_JSON = "INVALID_JSON"
# Ids under which a redacted thought carries the token of the block behind it.
CARRIED = {"tool_call": "of-tool-call", "text": "of-text"}


class _Kind(Struct, gc=False):
    type: str


class _Text(Struct):
    text: str
    cache_control: Raw = Raw()
    citations: list[Raw] | None = None


class _Thinking(Struct):
    thinking: str
    signature: str = ""


class _Redacted(Struct):
    data: str


class _ToolUse(Struct):
    id: str
    name: str
    input: Raw
    cache_control: Raw = Raw()


class _Citation(Struct):
    url: str | None = None
    source: str | None = None
    title: str | None = None
    document_title: str | None = None
    cited_text: str | None = None


class _Invalid(Struct, forbid_unknown_fields=True):
    INVALID_JSON: str


kind_of = msgspec.json.Decoder(_Kind).decode
_text = msgspec.json.Decoder(_Text).decode
_thinking = msgspec.json.Decoder(_Thinking).decode
_redacted = msgspec.json.Decoder(_Redacted).decode
_tool_use = msgspec.json.Decoder(_ToolUse).decode
_citation = msgspec.json.Decoder(_Citation).decode
_invalid = msgspec.json.Decoder(_Invalid).decode


def present(raw: Raw) -> Raw | None:
    """A member that is neither absent nor null."""
    return raw if raw and raw != _NULL else None


def text_block(raw: Raw) -> Text:
    found = _text(raw)
    citations = tuple(to_citation(given) for given in found.citations or ())
    return Text(found.text, present(found.cache_control), citations)


def to_citation(raw: Raw) -> Citation:
    """https://platform.claude.com/docs/en/build-with-claude/citations. Its offsets are in the source,
    and it belongs to the whole of its text."""
    found = _citation(raw)
    return Citation(
        found.url or found.source,
        found.title or found.document_title,
        found.cited_text,
        dialect=DIALECT,
        raw=raw,
    )


def _thinking_block(raw: Raw) -> Reasoning:
    found = _thinking(raw)
    if not found.signature:
        return Reasoning(found.thinking)
    return Reasoning(found.thinking, token=found.signature, origin=DIALECT)


def _redacted_block(raw: Raw) -> Reasoning:
    return Reasoning(token=_redacted(raw).data, origin=DIALECT, redacted=True)


def _tool_use_block(raw: Raw) -> ToolCall:
    found = _tool_use(raw)
    cache = present(found.cache_control)
    return ToolCall(found.id, found.name, arguments(found.input), cache=cache)


def arguments(given: Raw) -> str:
    """The arguments of a call as the model wrote them."""
    text = bytes(given).decode()
    if INVALID_JSON in text:
        try:
            return _invalid(given).INVALID_JSON
        except msgspec.ValidationError:
            return text
    return text


_PARTS: dict[str, Callable[[Raw], AnswerPart]] = {
    "text": text_block,
    "thinking": _thinking_block,
    "redacted_thinking": _redacted_block,
    "tool_use": _tool_use_block,
}


def assistant_part(raw: Raw) -> AnswerPart:
    """The part that a provider's block is; msgspec.DecodeError or UnicodeDecodeError if it is malformed."""
    kind = kind_of(raw).type
    found = _PARTS.get(kind)
    return found(raw) if found else Native(DIALECT, kind, raw)
