"""The system prompt that a guardrail sets, in each dialect. What else a body says stays as it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Raw

from schemas.guardrails import SystemPrompt

Members = dict[str, Raw]
_members = msgspec.json.Decoder(Members).decode
_turns = msgspec.json.Decoder(list[Raw]).decode
_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_SYSTEM = ("system", "developer")


def applied(prompt: SystemPrompt, dialect: str, body: str) -> str:
    """The body with the prompt; the same where the dialect has no such thing."""
    change = _DIALECTS.get(dialect)
    if change is None:
        return body
    members = _members(body.encode())
    return body if (found := change(prompt, members)) is None else _encode(found).decode()


def _joined(prompt: SystemPrompt, old: object) -> object:
    """In front of what stands there: a text, or a list of parts."""
    if prompt.mode == "override" or old is None or old == "" or old == []:
        return prompt.content
    if isinstance(old, list):
        return [{"type": "text", "text": prompt.content + "\n"}, *old]
    return f"{prompt.content}\n{old}"


def _raw(value: object) -> Raw:
    return Raw(_encode(value))


def _is_system(turn: Raw) -> bool:
    found = _any(turn)
    return isinstance(found, dict) and found.get("role") in _SYSTEM


def _chat(prompt: SystemPrompt, members: Members) -> Members | None:
    turns = _turns(members.get("messages", Raw(b"[]")))
    places = [index for index, turn in enumerate(turns) if _is_system(turn)]
    if places and prompt.mode == "inject":
        return None
    if places and prompt.mode == "decorator":
        first = _members(turns[places[0]])
        old = _any(first.get("content", Raw(b"null")))
        turns[places[0]] = _raw({**first, "content": _raw(_joined(prompt, old))})
    else:
        rest = [turn for index, turn in enumerate(turns) if index not in places]
        turns = [_raw({"role": "system", "content": prompt.content}), *rest]
    return {**members, "messages": _raw(turns)}


def _responses(prompt: SystemPrompt, members: Members) -> Members | None:
    given = members.get("input")
    items: Sequence[Raw] = (
        _turns(given) if given is not None and bytes(given).lstrip()[:1] == b"[" else ()
    )
    old = _any(members.get("instructions", Raw(b"null")))
    if prompt.mode == "inject" and (old or any(_is_system(item) for item in items)):
        return None
    found = {**members, "instructions": _raw(_joined(prompt, old))}
    if prompt.mode == "override" and items:
        found["input"] = _raw([item for item in items if not _is_system(item)])
    return found


def _anthropic(prompt: SystemPrompt, members: Members) -> Members | None:
    old = _any(members.get("system", Raw(b"null")))
    if prompt.mode == "inject" and old:
        return None
    return {**members, "system": _raw(_joined(prompt, old))}


def _gemini(prompt: SystemPrompt, members: Members) -> Members | None:
    name = "system_instruction" if "system_instruction" in members else "systemInstruction"
    old = _any(members.get(name, Raw(b"null")))
    parts = old.get("parts") if isinstance(old, dict) else old
    if prompt.mode == "inject" and parts:
        return None
    said = [{"text": prompt.content}]
    if prompt.mode == "decorator" and parts:
        more = parts if isinstance(parts, list) else [parts]
        said = [{"text": prompt.content + "\n"}, *more]
    return {**members, name: _raw({"parts": said})}


_DIALECTS: Mapping[str, Callable[[SystemPrompt, Members], Members | None]] = {
    "openai_chat": _chat,
    "openai_responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
