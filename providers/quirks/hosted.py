"""Vendors of OpenAI-compatible APIs, where theirs differs."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Raw

from providers.base import Members
from providers.quirks.adapting import Without, WithoutInMessages, renamed, text, with_member

_DEEPSEEK_EFFORT = {
    **dict.fromkeys(("low", "medium", "high"), "high"),
    **dict.fromkeys(("xhigh", "max"), "max"),
}
_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 9
_DEVELOPER = b'"developer"'
_messages = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_encode = msgspec.json.Encoder().encode


def effort_high_or_max(members: Members, model: str) -> Members:
    """DeepSeek knows two efforts: https://api-docs.deepseek.com/guides/thinking_mode"""
    effort = text(members, "reasoning_effort")
    known = _DEEPSEEK_EFFORT.get(effort or "")
    if known is None or known == effort:
        return members
    return with_member(members, "reasoning_effort", known)


def developer_as_system(members: Members, model: str) -> Members:
    """OpenAI's newer name of a role is unknown to its imitators; the older one means the same.

    https://api-docs.deepseek.com/api/create-chat-completion: system, user, assistant, tool; Codex says
    `developer`, in Responses.
    """
    for name in ("messages", "input"):
        if _DEVELOPER not in bytes(members.get(name, b"")):
            continue
        try:
            given = _messages(members[name])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # a text, or the provider says what is wrong with it
        if any(text(one, "role") == "developer" for one in given):
            changed = [
                with_member(one, "role", "system") if text(one, "role") == "developer" else one
                for one in given
            ]
            members = with_member(members, name, changed)
    return members


def temperature_above_zero(members: Members, model: str) -> Members:
    """MiniMax takes temperatures in (0, 1]: https://platform.minimax.io/docs/api-reference/text-openai-api

    None or less becomes 1, its recommended value, as in GoModel.
    """
    try:
        given = msgspec.json.decode(members.get("temperature", Raw(b"null")), type=float | None)
    except msgspec.DecodeError:
        return members
    if given is None or given > 0:
        return members
    return with_member(members, "temperature", 1.0)


def max_tokens_by_its_old_name(members: Members, model: str) -> Members:
    """Mistral only knows `max_tokens`: https://docs.mistral.ai/api/#tag/chat"""
    return renamed(members, "max_completion_tokens", "max_tokens")


# Mistral refuses the field and counts at the end of every stream.
without_stream_options = Without(
    ("stream_options",), lambda members, model: True, "https://docs.mistral.ai/api/#tag/chat"
)


# It refuses every member that it does not know. Those that other providers put into their messages come
# back to it when a conversation goes on there.
_STRICT = "https://docs.mistral.ai/api/#tag/chat"
without_others_in_messages = WithoutInMessages(
    (
        *("refusal", "annotations", "audio", "function_call"),
        *("reasoning_content", "reasoning", "reasoning_details"),
    ),
    _STRICT,
)
without_labels = Without(
    ("user", "safety_identifier", "store", "service_tier", "verbosity"),
    lambda members, model: True,
    _STRICT,
)


def seed_by_its_own_name(members: Members, model: str) -> Members:
    """Mistral's seed is called `random_seed`: https://docs.mistral.ai/api/#tag/chat"""
    return renamed(members, "seed", "random_seed")


# Groq answers them with a 400. Log probabilities and biases too, but whoever sends these wants them: that
# refusal reaches the caller.
without_names = WithoutInMessages(("name",), "https://console.groq.com/docs/openai")


def short_tool_ids(members: Members, model: str) -> Members:
    """Ids of tool calls must be nine letters or digits: others become such, the same everywhere.

    https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py
    """
    try:
        messages = _messages(members.get("messages", b"[]"))
        changed = [_with_short_ids(message) for message in messages]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return members  # the provider says what is wrong with it
    if all(new is old for new, old in zip(changed, messages, strict=True)):
        return members
    return with_member(members, "messages", changed)


def _with_short_ids(message: dict[str, Raw]) -> dict[str, Raw]:
    found = message
    if (given := text(message, "tool_call_id")) is not None and not _is_short(given):
        found = with_member(found, "tool_call_id", _short(given))
    calls = message.get("tool_calls")
    if calls is None or bytes(calls) == b"null":
        return found
    given_calls = _messages(calls)
    changed = [
        with_member(call, "id", _short(id_))
        if (id_ := text(call, "id")) is not None and not _is_short(id_)
        else call
        for call in given_calls
    ]
    if all(new is old for new, old in zip(changed, given_calls, strict=True)):
        return found
    return with_member(found, "tool_calls", changed)


def _is_short(given: str) -> bool:
    return len(given) == _ID_LENGTH and given.isascii() and given.isalnum()


def _short(given: str) -> str:
    number = int.from_bytes(hashlib.blake2b(given.encode(), digest_size=8).digest(), "big")
    letters = []
    for _ in range(_ID_LENGTH):
        number, rest = divmod(number, len(_ALPHANUMERIC))
        letters.append(_ALPHANUMERIC[rest])
    return "".join(letters)
