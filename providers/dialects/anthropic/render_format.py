"""How the answer must be written.

A schema is kept by the API itself where the model knows them. Else the model is made to call a tool whose
arguments are the answer: see `shape`. JSON without a schema is asked for in words, as there is nothing to
hold a model to; so OpenAI wants it asked for in the prompt, too.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest, Format
from providers.dialects.anthropic.json_schema import closed
from providers.dialects.anthropic.models import Abilities
from providers.dialects.anthropic.refusal import refused_as
from providers.dialects.anthropic.shape import Shape
from providers.dialects.anthropic.write_blocks import Block

_IN_WORDS = "Respond with one valid JSON object and nothing else: no text before or after it, no code fence."
_TOOL = "Gives the final answer. Call it once, when the answer is ready, instead of writing text."
_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_DEFINITIONS = ("$defs", "definitions")


class Formatted(Struct, frozen=True):
    """What a request says of its format: one of these, or none."""

    schema: Raw | None = None  # for `output_config.format`
    tool: Block | None = None
    words: str | None = None


_NOT = Formatted()


def render_format(chat: ChatRequest, able: Abilities, shape: Shape, notes: Notes) -> Formatted:
    wanted = chat.format
    if wanted is None or wanted.kind == "text":
        return _NOT
    if wanted.kind == "json" or wanted.schema is None:
        notes.harmless("format")
        return Formatted(words=_IN_WORDS)
    if able.schema:
        if (schema := closed(wanted.schema, wanted.description)) is not None:
            return Formatted(schema=schema)
        if not able.forced_tool:
            return Formatted(schema=wanted.schema)  # the API says what is wrong with it
    if chat.tool_choice is not None and chat.tool_choice.mode in ("required", "tool"):
        return _NOT  # a call is asked for, and no answer
    return Formatted(tool=_tool(wanted, wanted.schema, shape))


def _tool(wanted: Format, schema: Raw, shape: Shape) -> Block:
    description = _TOOL if wanted.description is None else f"{_TOOL} {wanted.description}"
    return {
        "name": shape.answer_tool,
        "description": description,
        "input_schema": _object_of(schema, wrapped=shape.wrapped),
    }


def _object_of(schema: Raw, *, wrapped: bool) -> object:
    """A tool's schema is of an object, with what others refer to at its top."""
    with refused_as("format"):
        members = _decode(schema)
    if not wrapped:
        return schema if "type" in members else {"type": "object", **members}
    top = {name: members.pop(name) for name in _DEFINITIONS if name in members}
    return {"type": "object", "properties": {"value": members}, "required": ["value"], **top}


def with_answer_tool(tools: list[Block], tool: Block, choice: Block | None) -> Block:
    """Put the tool behind the caller's, and make the model call one of them."""
    others = bool(tools) and (choice is None or choice["type"] != "none")
    tools.append(tool)
    if others:
        return {**(choice or {}), "type": "any"}
    return {"type": "tool", "name": tool["name"]}
