"""A request as a provider of the Messages API gets it: https://platform.claude.com/docs/en/api/messages."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from providers.base import Members, Target
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.dialects.anthropic.blocks import DIALECT
from providers.dialects.anthropic.models import Abilities, abilities
from providers.dialects.anthropic.render_format import render_format, with_answer_tool
from providers.dialects.anthropic.render_sampling import (
    note_the_rest,
    render_sampling,
    render_stop,
    render_tier,
    render_user,
)
from providers.dialects.anthropic.render_thinking import Thought, render_thinking
from providers.dialects.anthropic.render_tools import render_tool_choice, render_tools
from providers.dialects.anthropic.render_turns import Conversation, TurnRenderer
from providers.dialects.anthropic.shape import shape_of
from providers.dialects.anthropic.write_blocks import Block

_encode = msgspec.json.Encoder().encode
_FORCED = ("any", "tool")


def render(chat: ChatRequest, target: Target, notes: Notes) -> Members:
    """InvalidRequest by `notes` for what cannot be said."""
    able = abilities(target.model)
    shape = shape_of(chat)
    conversation = TurnRenderer(shape, notes, system_later=able.system_later).render(chat)
    formatted = render_format(chat, able, shape, notes)
    tools = render_tools(chat, able, shape, notes)
    choice = render_tool_choice(chat, able, shape, notes)
    if formatted.tool is not None:
        choice = with_answer_tool(tools, formatted.tool, choice)
    if formatted.words is not None:
        conversation.system.append({"type": "text", "text": formatted.words})
    thought = render_thinking(chat, able, target.endpoint.default_max_tokens, notes)
    thought = _possible(thought, chat, conversation, choice, notes)
    config: Block = {"effort": thought.effort, "format": None}
    if formatted.schema is not None:
        config["format"] = {"type": "json_schema", "schema": formatted.schema}
    body: Block = {
        "model": target.model,
        "max_tokens": thought.max_tokens,
        "system": _system(conversation.system),
        "messages": [message.written() for message in conversation.messages],
        "tools": [tool.get("raw", tool) for tool in tools],
        "tool_choice": choice,
        "thinking": thought.thinking,
        "output_config": {name: value for name, value in config.items() if value is not None},
        **_the_rest(chat, able, thought, notes),
    }
    kept = ("model", "max_tokens", "messages")
    return {
        name: Raw(_encode(value))
        for name, value in body.items()
        if name in kept or value not in (None, [], {}, "")
    }


def _possible(
    thought: Thought,
    chat: ChatRequest,
    conversation: Conversation,
    choice: Block | None,
    notes: Notes,
) -> Thought:
    """A model cannot think within a budget when it must call a tool, nor go on with calls whose
    thoughts are lost: https://platform.claude.com/docs/en/build-with-claude/extended-thinking."""
    if not thought.budgeted:
        return thought
    forced = choice is not None and choice["type"] in _FORCED
    if not forced and not conversation.calls_without_thoughts():
        return thought
    notes.harmless("thinking")
    limit = thought.max_tokens if chat.max_tokens is None else chat.max_tokens
    return Thought(limit)


def _system(blocks: list[Block]) -> object:
    """One plain text is a string."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return [block.get("raw", block) for block in blocks]


def _the_rest(chat: ChatRequest, able: Abilities, thought: Thought, notes: Notes) -> Block:
    user = render_user(chat, notes)
    rest: Block = {
        "stop_sequences": render_stop(chat, notes),
        "metadata": {"user_id": user} if user is not None else None,
        "service_tier": render_tier(chat, notes),
        "stream": True if chat.stream else None,
        **render_sampling(chat, able, notes, thinks=thought.on),
    }
    if chat.dialect == DIALECT:
        rest.update((name, raw) for name, raw in chat.extra.items() if "." not in name)
    note_the_rest(chat, notes)
    return rest
