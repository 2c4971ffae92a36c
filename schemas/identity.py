"""The record key of a request and the partition that it means; which requests ask the same."""

from __future__ import annotations

import json
import zlib
from hashlib import blake2b
from typing import Literal, NoReturn

import msgspec
from msgspec import Struct

from schemas.requests import Dialect, Request

Scope = Literal["both", "key", "user_path", "none"]
Members = dict[str, object]

_VERSION = 1  # of the identity: a change here forgets what was cached before
_ASKED = frozenset({"chat", "embeddings"})
# What a body says beside the question: how the answer travels, for whom it is, who keeps it.
_OPENAI = frozenset(
    {
        *("model", "stream", "stream_options", "user", "metadata", "store", "safety_identifier"),
        *("prompt_cache_key", "prompt_cache_retention"),
    }
)
_BESIDE: dict[Dialect, frozenset[str]] = {
    "openai_chat": _OPENAI,
    "openai_completions": _OPENAI,
    "openai_responses": _OPENAI,
    "anthropic": frozenset({"model", "stream", "metadata"}),
    "gemini": frozenset({"model", "labels"}),
}
# Headers of the caller that a provider sees and that say nothing of the question.
_ABOUT_THE_CALLER = frozenset({"http-referer", "x-title", "x-openrouter-title", "x-grok-conv-id"})
_EXACT = 2**53  # whole numbers below it are the same as floats and as integers
_encode = msgspec.json.Encoder(order="deterministic").encode


class Sharing(Struct, frozen=True):
    """Which requests may have each other's answers."""

    scope: Scope = "both"  # what two callers must have in common: key and user path, one, nothing
    max_temperature: float = 0.0  # a request that says a higher one wants an answer of its own


class Question(Struct, frozen=True):
    """What a request asks, without the model: equal ones are equal byte for byte."""

    beside: tuple[object, ...]
    members: Members

    def key(self, models: tuple[str, ...]) -> str:
        """The name of its answer, given by the models that it may be sent to."""
        return blake2b(_encode((*self.beside, models, self.members)), digest_size=32).hexdigest()

    def of(self, **members: object) -> Question:
        """The same with other values of some members."""
        return Question(self.beside, {**self.members, **members})


def question(request: Request, sharing: Sharing, epoch: str = "") -> Question | None:
    """What a request asks; None if no other may have its answer. `epoch` names what it does not say
    and shapes the answer all the same: the guardrails in force; empty where there are none."""
    if request.operation not in _ASKED:
        return None
    try:
        body = _decoder.decode(request.body.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not _shares(body, sharing):
        return None
    beside = _BESIDE[request.dialect]
    members = {
        name: value for name, value in body.items() if name not in beside and value is not None
    }
    # As a text it is a part of the model's name; else it is a provider's own, and shapes the answer.
    if request.dialect != "gemini" and isinstance(members.get("provider"), str):
        del members["provider"]
    headers = sorted(
        (name, value)
        for name, value in request.http_headers.items()
        if name not in _ABOUT_THE_CALLER
    )
    found = Question(
        (
            _VERSION,
            request.operation,
            request.dialect,
            request.drop_params,
            headers,
            _tenant(request, sharing.scope),
            *([epoch] if epoch else ()),
        ),
        members,
    )
    try:
        _encode(members)
    except (ValueError, OverflowError, RecursionError):
        return None  # half of a surrogate pair, or a number that is none
    return found


def _tenant(request: Request, scope: Scope) -> tuple[str | None, str | None]:
    return (
        request.client if scope in ("both", "key") else None,
        request.user_path if scope in ("both", "user_path") else None,
    )


def _shares(body: Members, sharing: Sharing) -> bool:
    """Whether the same body asked again would be the same question."""
    if body.get("conversation") is not None or body.get("background"):
        return False  # what the provider holds by now is part of the question; nobody waits here
    settings = body.get("generationConfig") or body.get("generation_config")
    found = body.get("temperature")
    if isinstance(settings, dict):
        found = settings.get("temperature", found)
    return not isinstance(found, int | float) or found <= sharing.max_temperature


def record_key(request_id: str) -> bytes:
    """The key of a request's record: its id, so that requests spread evenly."""
    return request_id.encode()


def meeting_key(request: Request, model: str, sharing: Sharing | None) -> bytes:
    """What chooses the partition of a request's record: its key, or, where answers are shared, what it
    asks of the model that it names, so that equal ones meet in one worker."""
    found = question(request, sharing) if sharing is not None else None
    return record_key(request.request_id) if found is None else found.key((model,)).encode()


def partition_of(key: bytes, partitions: int) -> int:
    """librdkafka's default (`consistent`): CRC-32 of the key, a tenth of murmur2's cost in Python."""
    return zlib.crc32(key) % partitions


# -- reading a body so that spelling does not matter


def _object(pairs: list[tuple[str, object]]) -> Members:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice, and readers differ in which one counts")
    return found


def _number(text: str) -> int | float:
    found = float(text)
    return int(found) if found.is_integer() and abs(found) < _EXACT else found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_constant=_no_number
)
