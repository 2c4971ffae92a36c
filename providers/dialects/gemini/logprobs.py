"""Log probabilities: Google's `logprobsResult` and OpenAI chat's `logprobs`, which the middle has.

https://ai.google.dev/api/generate-content#LogprobsResult
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct


class Token(Struct, rename="camel"):
    """A token that was written, or might have been."""

    token: str = ""
    log_probability: float = 0.0


class Top(Struct):
    candidates: list[Token] = []


class Result(Struct, rename="camel"):
    chosen_candidates: list[Token] = []
    top_candidates: list[Top] = []


class _Other(Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class _Token(_Other):
    top_logprobs: list[_Other] = []


class _Logprobs(Struct):
    content: list[_Token] | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Logprobs).decode


def read_logprobs(result: Result) -> Raw:
    """As OpenAI chat writes them."""
    content = []
    for index, chosen in enumerate(result.chosen_candidates):
        others = (
            result.top_candidates[index].candidates if index < len(result.top_candidates) else []
        )
        content.append(
            _Token(
                chosen.token,
                chosen.log_probability,
                _bytes(chosen),
                [_Other(other.token, other.log_probability, _bytes(other)) for other in others],
            )
        )
    return Raw(_encode(_Logprobs(content)))


def write_logprobs(raw: Raw) -> Raw | None:
    """A `logprobsResult`; None if there are none, or in a form that nobody knows."""
    try:
        content = _decode(raw).content
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not content:
        return None
    result = Result([Token(found.token, found.logprob) for found in content])
    if any(found.top_logprobs for found in content):
        result.top_candidates = [
            Top([Token(other.token, other.logprob) for other in found.top_logprobs])
            for found in content
        ]
    return Raw(_encode(result))


def _bytes(token: Token) -> list[int]:
    return list(token.token.encode(errors="replace"))
