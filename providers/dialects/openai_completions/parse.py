"""A legacy completion for a provider that only holds conversations.

The prompt becomes what a user says. What only completes a text has no meaning there: a suffix, an
echo, tokens instead of text, several prompts at once; these are refused, and left out where the caller
has allowed it and something is left to be asked.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.decode import decoded, given, invalid, members, others, utf8
from providers.canonical.request import ChatRequest, Members, Text, Turn
from schemas.requests import Request

DIALECT = "openai_completions"


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Body(Struct):
    model: str
    prompt: str | list[Raw]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None
    logprobs: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Raw = Raw()
    user: str | None = None


_body = msgspec.json.Decoder(_Body)
_text = msgspec.json.Decoder(str)
_KNOWN = frozenset(_Body.__struct_fields__)
_NAMES = {"turns": "prompt", "top_logprobs": "logprobs"}
_WHY = "the model holds conversations and does not complete texts"


def parse(request: Request) -> ChatRequest:
    """InvalidRequest names the field that cannot be understood, or has no meaning in a conversation."""
    raw = utf8(request.body)
    body = decoded(_body, raw, "")
    found = decoded(members, raw, "")
    extra = others(found, _KNOWN)
    extra.update(_meaningless(body, found, drop=request.drop_params))
    stop = body.stop
    options = body.stream_options
    return ChatRequest(
        dialect=DIALECT,
        model=body.model,
        turns=(Turn("user", (Text(_prompt(body.prompt)),)),),
        stream=bool(body.stream),
        include_usage=bool(options and options.include_usage),
        max_tokens=body.max_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        n=body.n,
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        seed=body.seed,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        logprobs=True if body.logprobs is not None else None,
        top_logprobs=body.logprobs,
        logit_bias=given(body.logit_bias),
        user=body.user,
        extra=extra,
        names=_NAMES,
    )


def _prompt(prompt: str | list[Raw]) -> str:
    if isinstance(prompt, str):
        return prompt
    if len(prompt) != 1:
        raise invalid("prompt", f"must be one text: {_WHY}")
    if not bytes(prompt[0]).startswith(b'"'):
        raise invalid("prompt", f"must be text, not tokens: {_WHY}")
    return decoded(_text, prompt[0], "prompt[0]")


def _meaningless(body: _Body, found: Members, *, drop: bool) -> Members:
    """What cannot be asked, if it may be left out. The best of several answers is only a better one."""
    lost = [name for name, value in (("suffix", body.suffix), ("echo", body.echo)) if value]
    if lost and not drop:
        raise invalid(lost[0], _WHY)
    if (body.best_of or 1) > (body.n or 1):
        lost.append("best_of")
    return {name: found[name] for name in lost}
