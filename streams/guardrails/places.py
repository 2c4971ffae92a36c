"""Where a body holds texts that a model reads, by dialect and operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from streams.guardrails.strings import Found, Path, quoted, strings

Form = Literal["text", "json"]  # json: a JSON text within the text, as arguments of tools are
# `*` is any place in a list, `**` at the end anything below.
_CHAT = {
    "messages.*.content": "text",
    "messages.*.content.*.text": "text",
    "messages.*.content.*.refusal": "text",
    "messages.*.refusal": "text",
    "messages.*.reasoning_content": "text",
    "messages.*.tool_calls.*.function.arguments": "json",
    "messages.*.tool_calls.*.custom.input": "text",
    "messages.*.function_call.arguments": "json",
    "prediction.content": "text",
    "prediction.content.*.text": "text",
}
_COMPLETIONS = {"prompt": "text", "prompt.*": "text", "suffix": "text"}
_RESPONSES = {
    "instructions": "text",
    "input": "text",
    "input.*.content": "text",
    "input.*.content.*.text": "text",
    "input.*.content.*.refusal": "text",
    "input.*.arguments": "json",
    "input.*.input": "text",
    "input.*.output": "text",
    "input.*.output.*.text": "text",
    "prompt.variables.**": "text",
}
_ANTHROPIC = {
    "system": "text",
    "system.*.text": "text",
    "messages.*.content": "text",
    "messages.*.content.*.text": "text",
    "messages.*.content.*.input.**": "text",
    "messages.*.content.*.content": "text",
    "messages.*.content.*.content.*.text": "text",
    "messages.*.content.*.source.content": "text",
    "messages.*.content.*.source.content.*.text": "text",
    "messages.*.content.*.source.data": "text",  # if it is a text: see `_reads`
}
_PARTS = ("text", "functionCall.args.**", "function_call.args.**")
_RESULTS = ("functionResponse.response.**", "function_response.response.**")
_GEMINI = {
    f"{place}.{part}": "text"
    for place in (
        *("contents.*.parts.*", "contents.parts.*", "systemInstruction.parts.*"),
        *("system_instruction.parts.*", "content.parts.*"),
    )
    for part in (*_PARTS, *_RESULTS)
}
_OPENAI_EMBEDDINGS = {"input": "text", "input.*": "text"}
_REQUESTS: Mapping[str, Mapping[str, str]] = {
    "openai_chat": _CHAT,
    "openai_completions": _COMPLETIONS,
    "openai_responses": _RESPONSES,
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
}
_WRAPPERS = {"generateContentRequest", "generate_content_request", "requests"}  # of Gemini's
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction")
_MEMBER = {"openai_chat": "messages", "anthropic": "messages", "openai_responses": "input"}
_ANSWERS: Mapping[str, Mapping[str, str]] = {
    "openai_chat": {
        "choices.*.message.content": "text",
        "choices.*.message.content.*.text": "text",
        "choices.*.message.refusal": "text",
        "choices.*.message.reasoning_content": "text",
        "choices.*.message.reasoning": "text",
        "choices.*.message.tool_calls.*.function.arguments": "json",
        "choices.*.message.tool_calls.*.custom.input": "text",
    },
    "openai_completions": {"choices.*.text": "text"},
    "openai_responses": {
        "output.*.content.*.text": "text",
        "output.*.content.*.refusal": "text",
        "output.*.summary.*.text": "text",
        "output.*.arguments": "json",
        "output.*.input": "text",
    },
    "anthropic": {
        "content.*.text": "text",
        "content.*.thinking": "text",
        "content.*.input.**": "text",
    },
    "gemini": {f"candidates.*.content.parts.*.{part}": "text" for part in _PARTS},
}


class Spot(Struct, frozen=True):
    """A text of a request or an answer."""

    found: Found
    form: Form
    role: str  # system, user, assistant, tool

    @property
    def text(self) -> str:
        return self.found.text


def spots(dialect: str, operation: str, body: str) -> list[Spot]:
    """The texts of a request, in the order in which they stand there."""
    patterns = _REQUESTS.get(dialect, {})
    if operation == "embeddings" and dialect != "gemini":
        patterns = _OPENAI_EMBEDDINGS
    whole: object = msgspec.json.decode(body)
    spots: list[Spot] = []
    for found in strings(body):
        path = found.path
        if path and path[0] in _WRAPPERS:
            path = tuple(each for each in path[1:])
            path = path[1:] if path and isinstance(path[0], int) else path
        form = _form(path, patterns)
        if form is not None and _reads(dialect, found.path, whole):
            spots.append(Spot(found, form, _role(dialect, found.path, whole)))
    return spots


def answered(dialect: str, body: str) -> Iterator[Spot]:
    """The texts of a whole answer."""
    patterns = _ANSWERS.get(dialect, {})
    for found in strings(body):
        form = _form(found.path, patterns)
        if form is not None:
            yield Spot(found, form, "assistant")


def spoken(dialect: str, body: str) -> list[str]:
    """What a whole answer says, without its thoughts and the calls of tools, choice by choice."""
    texts: dict[object, list[str]] = {}
    for spot in answered(dialect, body):
        path = spot.found.path
        if path[-1] in ("text", "content") and "summary" not in path:
            choice = path[1] if dialect in ("openai_chat", "openai_completions", "gemini") else 0
            texts.setdefault(choice, []).append(spot.text)
    return ["".join(each) for each in texts.values()]


def _form(path: Path, patterns: Mapping[str, str]) -> Form | None:
    name = ".".join("*" if isinstance(each, int) else each for each in path)
    found = patterns.get(name)
    if found is None:
        parts = name.split(".")
        for length in range(1, len(parts)):
            if (found := patterns.get(".".join([*parts[:length], "**"]))) is not None:
                break
    if found is None:
        return None
    return "json" if found == "json" else "text"


def _reads(dialect: str, path: Path, whole: object) -> bool:
    """Whether it is a text: data of an image is none, and a signed thought must stay as it is."""
    holder = at(whole, path[:-1])
    if not isinstance(holder, dict):
        return True
    if dialect == "anthropic" and path[-1] == "data":
        return holder.get("type") == "text"
    return not (dialect == "gemini" and holder.get("thought") is True)


def _role(dialect: str, path: Path, whole: object) -> str:
    if path[0] in _SYSTEM or (path[0] in _WRAPPERS and any(each in _SYSTEM for each in path)):
        return "system"
    place = next(
        (n for n, each in enumerate(path) if each in ("contents", _MEMBER.get(dialect))), None
    )
    if place is None or len(path) <= place + 1 or not isinstance(path[place + 1], int):
        return "user"
    turn = at(whole, path[: place + 2])
    if not isinstance(turn, dict):
        return "user"
    if any(each in ("functionResponse", "function_response") for each in path):
        return "tool"
    role = turn.get("role")
    if role is None and dialect == "openai_responses":
        return "tool" if "output" in path else "assistant" if path[-1] != "text" else "user"
    named = {"developer": "system", "model": "assistant", "function": "tool"}
    return named.get(str(role), str(role)) if role is not None else "user"


def at(value: object, path: Sequence[str | int]) -> object:
    """What stands at a path; None if there is nothing."""
    for each in path:
        if isinstance(value, dict) and isinstance(each, str):
            value = value.get(each)
        elif isinstance(value, list) and isinstance(each, int) and each < len(value):
            value = value[each]
        else:
            return None
    return value


def replaced(body: str, texts: Sequence[tuple[Found, str]]) -> str:
    """The body with other texts at some places, which are in order."""
    pieces: list[str] = []
    at = 0
    for found, text in texts:
        if text != found.text:
            pieces += [body[at : found.start], quoted(text)]
            at = found.end
    return "".join([*pieces, body[at:]])
