"""Requests in Anthropic's Messages."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from sluice.sim import tokens
from sluice.sim.ask import (
    Ask,
    Call,
    Choice,
    Refused,
    Role,
    Schema,
    Tool,
    Turn,
    decoded,
    described,
    linked,
    talk,
)

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


class _Source(Struct):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""


class _Block(Struct):
    type: str
    text: str = ""
    source: _Source | None = None
    content: str | list[_Block] | None = None
    id: str = ""
    tool_use_id: str = ""
    is_error: bool | None = None
    thinking: str = ""
    signature: str = ""
    data: str = ""


class _Message(Struct):
    role: str
    content: str | list[_Block]


class _Tool(Struct):
    name: str
    type: str = "custom"
    input_schema: Schema = {}


class _ToolChoice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None


class _Format(Struct):
    type: str
    schema: Schema = {}


class _OutputConfig(Struct):
    format: _Format | None = None


class _Metadata(Struct):
    user_id: str | None = None
    sim_key: str | None = None


class _Body(Struct):
    model: str
    messages: list[_Message]
    max_tokens: int | None = None
    system: str | list[_Block] | None = None
    stream: bool | None = None
    stop_sequences: list[str] = []
    tools: list[_Tool] = []
    tool_choice: _ToolChoice | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    temperature: float | None = None
    metadata: _Metadata | None = None


_body = msgspec.json.Decoder(_Body)


def read(call: Call) -> Ask:
    """Refused as Anthropic does."""
    asked = decoded(_body, call.body)
    _check(asked)
    thinking = asked.thinking is not None and asked.thinking.type in ("enabled", "adaptive")
    form = (asked.output_config and asked.output_config.format) or asked.output_format
    choice = asked.tool_choice
    return Ask(
        model=asked.model,
        talk=talk(asked.model, _turns(asked), call.key or _key(asked)),
        stream=bool(asked.stream),
        limit=asked.max_tokens,
        stop=tuple(asked.stop_sequences),
        tools=tuple(Tool(tool.name, tool.input_schema) for tool in _own(asked.tools)),
        choice=_choice(choice),
        parallel=not (choice and choice.disable_parallel_tool_use),
        schema=form.schema if form else None,
        thinks=thinking,
    )


def read_for_count(call: Call) -> Ask:
    """A request whose tokens are to be counted."""
    asked = decoded(_body, call.body)
    return Ask(model=asked.model, talk=talk(asked.model, _turns(asked), call.key or _key(asked)))


def _key(asked: _Body) -> str | None:
    return asked.metadata.sim_key if asked.metadata else None


def _own(tools: list[_Tool]) -> list[_Tool]:
    """Those that the caller runs; the others have a type with a date."""
    return [tool for tool in tools if tool.type == "custom"]


def _choice(choice: _ToolChoice | None) -> Choice:
    if choice is None or choice.type == "auto":
        return Choice()
    if choice.type == "none":
        return Choice("none")
    return Choice("required", choice.name)


def _turns(asked: _Body) -> list[Turn]:
    turns = []
    if asked.system:
        turns.append(Turn("system", _text(asked.system)))
    for message in asked.messages:
        role = _ROLES.get(message.role)
        if role is None:
            raise Refused(400, f"messages: Unexpected role {message.role[:100]!r}.")
        if isinstance(message.content, str):
            turns.append(Turn(role, message.content))
            continue
        results = [block for block in message.content if block.type == "tool_result"]
        turns += [Turn("tool", _text(block.content or "")) for block in results]
        rest = [block for block in message.content if block.type != "tool_result"]
        if rest:
            turns.append(Turn(role, _text(rest)))
    return turns


def _text(content: str | list[_Block]) -> str:
    if isinstance(content, str):
        return content
    return "".join(_block(block) for block in content)


def _block(block: _Block) -> str:
    source = block.source
    if source is None:
        return block.text
    if source.type == "base64":
        return described(source.media_type, source.data)
    if source.type == "text":
        return source.data
    return linked(source.url or source.file_id, "image" if block.type == "image" else "file")


def _check(asked: _Body) -> None:
    """What Anthropic is known to refuse: https://docs.anthropic.com/en/api/messages"""
    if not asked.messages:
        raise Refused(400, "messages: at least one message is required")
    if not asked.max_tokens:
        raise Refused(400, "max_tokens: Field required")
    if asked.temperature is not None and not 0 <= asked.temperature <= 1:
        raise Refused(400, "temperature: range: 0..1")
    budget = asked.thinking.budget_tokens if asked.thinking else None
    if budget is not None and not 1024 <= budget < asked.max_tokens:
        text = (
            "`max_tokens` must be greater than `thinking.budget_tokens`, which must be 1024 or more"
        )
        raise Refused(400, text)
    called: set[str] = set()
    for number, message in enumerate(asked.messages):
        blocks = message.content if isinstance(message.content, list) else []
        _check_results(number, blocks, called)
        called = {block.id for block in blocks if block.type == "tool_use"}
        _check_thoughts(number, blocks)
    if asked.thinking is not None and asked.thinking.type == "enabled":
        _check_turn(asked.messages)


def _check_results(number: int, blocks: list[_Block], called: set[str]) -> None:
    """All results of the calls before, and no others."""
    answered = {block.tool_use_id for block in blocks if block.type == "tool_result"}
    if extra := answered - called:
        text = f"messages.{number}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {extra}"
        raise Refused(400, text)
    if missing := called - answered:
        text = (
            f"messages.{number}: `tool_use` ids were found without `tool_result` blocks: {missing}"
        )
        raise Refused(400, text)


def _check_thoughts(number: int, blocks: list[_Block]) -> None:
    """Thoughts must come back as they were written."""
    for place, block in enumerate(blocks):
        signed = tokens.opened(block.signature) if block.type == "thinking" else block.thinking
        hidden = tokens.opened(block.data) if block.type == "redacted_thinking" else ""
        if hidden is None or signed != block.thinking:
            text = f"messages.{number}.content.{place}: Invalid `signature` in `{block.type}` block"
            raise Refused(400, text)


def _check_turn(messages: list[_Message]) -> None:
    """While tools are used, the turn's thoughts stand before its calls:
    https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking#preserving-thinking-blocks
    """
    for number in reversed(range(len(messages))):
        content = messages[number].content
        blocks = content if isinstance(content, list) else []
        if messages[number].role == "assistant":
            kinds = [block.type for block in blocks]
            if "tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking"):
                text = (
                    f"messages.{number}.content.0.type: Expected `thinking` or `redacted_thinking`"
                )
                raise Refused(400, f"{text}, but found `{kinds[0]}`.")
        elif not any(block.type == "tool_result" for block in blocks):
            break
