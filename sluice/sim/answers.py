"""What the simulated provider says, whatever the dialect: parts, in pieces, and why they end."""

from __future__ import annotations

import json
import re
from typing import Literal

from msgspec import Struct

from sluice.sim import tokens
from sluice.sim.ask import Ask, Tool
from sluice.sim.example import example
from sluice.sim.script import Script

CREATED = 1_735_689_600  # no clock: equal requests get equal bytes
CREATED_AT = "2025-01-01T00:00:00Z"
_WORDS = (
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
)
_THOUGHTS = ("let", "me", "think", "about", "what", "was", "asked")
_THINKS = 4  # words, where thoughts are asked for and the script says nothing of them
_REFUSAL = "I am sorry, I cannot help with that."
_PIECE = re.compile(r"\s*\S+|\s+$")
_LARGE = 1 << 20  # characters: beyond it pieces are larger than words,
_LARGE_PIECE = 1 << 16  # for nobody wants a million events of eight bytes


class Thought(Struct, frozen=True):
    pieces: list[str]
    token: str  # its signature

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Text(Struct, frozen=True):
    pieces: list[str]
    refusal: bool = False

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class ToolCall(Struct, frozen=True):
    """The pieces are its arguments: JSON for a function."""

    tool: Tool
    number: int
    id: str
    pieces: list[str]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


Part = Thought | Text | ToolCall
Finish = Literal["stop", "length", "tool_calls", "content_filter", "refusal"]


class Answer(Struct, frozen=True):
    """What is said, in order; pieces joined are the content."""

    id: str
    parts: tuple[Part, ...]
    finish: Finish
    stop: str | None = None  # the sequence that ended it
    prompt_tokens: int = 0
    cached_tokens: int = 0  # of the prompt's
    completion_tokens: int = 0
    reasoning_tokens: int = 0  # of the completion's

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def thought(self) -> Thought | None:
        return next((part for part in self.parts if isinstance(part, Thought)), None)

    @property
    def calls(self) -> list[ToolCall]:
        return [part for part in self.parts if isinstance(part, ToolCall)]


def answer(ask: Ask, script: Script) -> Answer:
    """The answer; a token is a word."""
    parts: list[Part] = []
    if thought := _thought(ask, script):
        parts.append(thought)
    stop: str | None = None
    finish: Finish
    if calls := _calls(ask, script):
        parts += calls
        finish = "tool_calls"
    elif script.says == "refusal":
        parts.append(Text(_pieces(_REFUSAL), refusal=True))
        finish = "refusal"
    else:
        text, finish, stop = _text(ask, script)
        parts.append(text)
    thinking = len(thought.pieces) if thought else 0
    said = sum(len(part.text.split()) for part in parts if not isinstance(part, Thought))
    return Answer(
        ask.talk.digest.hex(),
        tuple(parts),
        finish,
        stop,
        prompt_tokens=ask.talk.words,
        cached_tokens=min(script.cached, ask.talk.words),
        completion_tokens=(said + thinking) * ask.choices,
        reasoning_tokens=thinking * ask.choices,
    )


def _thought(ask: Ask, script: Script) -> Thought | None:
    count = script.think or (_THINKS if ask.thinks else 0)
    if not count:
        return None
    pieces = _pieces(" ".join(_THOUGHTS[i % len(_THOUGHTS)] for i in range(count)))
    return Thought(pieces, tokens.sign("".join(pieces)))


def _calls(ask: Ask, script: Script) -> list[ToolCall]:
    """A forced call is made whatever the script says, a forbidden one never."""
    tools = ask.tools or (Tool("function"),)
    count = {"tool": 1, "tools": script.size}.get(script.says, 0)
    if ask.talk.results or ask.choice.mode == "none":
        count = 0
    if ask.choice.mode == "required":
        tools = tuple(tool for tool in tools if ask.choice.tool in (None, tool.name)) or tools
        count = max(1, count)
    if not ask.parallel:
        count = min(1, count)
    stem = ask.talk.digest.hex()[:12]
    return [_call(tools[number % len(tools)], number, f"{stem}{number}") for number in range(count)]


def _call(tool: Tool, number: int, call_id: str) -> ToolCall:
    if tool.kind == "custom":
        return ToolCall(tool, number, call_id, _pieces("simulated input"))
    wanted = example(tool.schema) if tool.schema.get("properties") else {"simulated": True}
    return ToolCall(tool, number, call_id, _pieces(json.dumps(wanted)))


def _text(ask: Ask, script: Script) -> tuple[Text, Finish, str | None]:
    content = _content(ask, script)
    if script.continues and ask.talk.begun is not None:
        content = content.removeprefix(ask.talk.begun)
    finish: Finish = "content_filter" if script.says == "filtered" else "stop"
    stop = None
    for sequence in ask.stop:
        before, found, _ = content.partition(sequence)
        if found:
            content, stop = before, sequence
    pieces = _pieces(content, script.says == "bytes")
    if ask.limit is not None and ask.limit < len(pieces):
        pieces, finish, stop = pieces[: ask.limit], "length", None
    return Text(pieces), finish, stop


def _pieces(content: str, large: bool = False) -> list[str]:
    if large or len(content) > _LARGE:
        starts = range(0, len(content), _LARGE_PIECE)
        return [content[start : start + _LARGE_PIECE] for start in starts]
    return _PIECE.findall(content)


def _content(ask: Ask, script: Script) -> str:
    size = script.size
    if script.says == "lorem":
        return " ".join(_WORDS[i % len(_WORDS)] for i in range(size))
    if script.says == "bytes":
        return ("sluices " * (size // 8 + 1))[:size]
    if script.says == "json":
        return json.dumps({f"member_{i}": i for i in range(size)}, separators=(", ", ":"))
    if script.says in ("tool", "tools") and ask.talk.results:
        return f"The tools said: {', '.join(ask.talk.results)}"
    if ask.schema is not None:
        return json.dumps(example(ask.schema))
    if ask.json:
        return json.dumps({"echo": ask.talk.prompt})
    return ask.talk.prompt
