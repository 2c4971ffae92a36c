"""A request's question, and the namespace in which its answer is one: everything else that shapes it."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.canonical.request import (
    ChatRequest,
    Native,
    NativeTool,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    WebSearch,
)
from streams.caches.semantic.lexicon import lexical

MAX_MESSAGES = 3  # GoModel's: a longer conversation is rarely had twice
LONGEST = 2_000  # characters: behind that an embedder looks away
# Of a question after others, so many content words must say what it is about.
SELF_CONTAINED = 3
_encode = msgspec.json.Encoder(order="sorted").encode
# A request that shares no answer with another one in other words.
_UNSHARED = ("logprobs", "top_logprobs", "seed", "logit_bias", "audio", "prediction")


class Question(Struct, frozen=True):
    """What is embedded, and among which other questions it is looked for."""

    text: str
    namespace: str  # hex


class Scope(Struct, frozen=True):
    """What a request does not say, and its answer depends on all the same."""

    model: str  # as it was resolved: instance and the provider's id
    tenant: str  # whose it is, and what else the exact cache tells apart beside the body
    embedder: str  # its identity: vectors of two embedders do not compare


def question(
    chat: ChatRequest, scope: Scope, max_messages: int = MAX_MESSAGES, hottest: float = 1.0
) -> Question | None:
    """None: nothing for the semantic cache, by the rules of this module. `hottest` is the highest
    temperature whose answers may be kept; none given is the provider's default, which is taken for 1."""
    if not chat.turns or not _eligible(chat, hottest):
        return None
    *earlier, last = chat.turns
    conversation = [turn for turn in chat.turns if turn.role not in ("system", "developer")]
    if last.role != "user" or len(conversation) > max_messages:
        return None
    text = _text(last)
    if text is None or len(text) > LONGEST:
        return None
    if len(conversation) > 1 and len(lexical(text).content) < SELF_CONTAINED:
        return None  # "and why?": its meaning is in the turns before
    return Question(text, _namespace(chat, earlier, scope))


def _eligible(chat: ChatRequest, hottest: float) -> bool:
    if any(getattr(chat, name) not in (None, False) for name in _UNSHARED):
        return False
    if (chat.n or 1) > 1 or (chat.temperature if chat.temperature is not None else 1.0) > hottest:
        return False
    if any(isinstance(tool, WebSearch | NativeTool) for tool in chat.tools):
        return False  # the provider looks something up, and finds something else tomorrow
    parts = (part for turn in chat.turns for part in turn.parts)
    return not any(isinstance(part, ToolCall | ToolResult | Native) for part in parts)


def _text(turn: Turn) -> str | None:
    """The words of a turn that has nothing but words."""
    if turn.extra or not turn.parts or not all(isinstance(part, Text) for part in turn.parts):
        return None
    joined = " ".join(part.text for part in turn.parts if isinstance(part, Text)).strip()
    return joined or None


def _namespace(chat: ChatRequest, earlier: list[Turn], scope: Scope) -> str:
    """The hash of all but the question. Whether it is streamed, who asked and what was noted of it
    make no other answer; the dialect is in it because members that we do not know are."""
    shaping = replace(
        chat,
        model="",
        turns=tuple(earlier),
        stream=False,
        include_usage=True,
        user=None,
        safety_identifier=None,
        prompt_cache_key=None,
        metadata=None,
        store=None,
        service_tier=None,
        names={},
        dialect=chat.dialect if chat.extra else "",
    )
    plain = _ordered(msgspec.to_builtins(shaping, builtin_types=(Raw,)))
    return blake2b(_encode((scope, plain)), digest_size=16).hexdigest()


def _ordered(found: object) -> object:
    """JSON that was kept as it came, read: the order of its members says nothing."""
    match found:
        case Raw():
            return msgspec.json.decode(found) if bytes(found) else None
        case dict():
            return {name: _ordered(value) for name, value in found.items()}
        case list() | tuple():
            return [_ordered(value) for value in found]
        case _:
            return found
