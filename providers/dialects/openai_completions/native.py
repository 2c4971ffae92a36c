"""Caller and provider both speak legacy completions: bytes pass through."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from typing_extensions import override

from providers.base import Decoder
from providers.dialects.openai_chat.native import PassThrough as ChatPassThrough
from providers.dialects.openai_chat.stream import StreamDecoder
from schemas.envelopes import EVENT_STREAM


class _Body(Struct):
    prompt: Raw = Raw()


_body = msgspec.json.Decoder(_Body).decode
_prompts = msgspec.json.Decoder(list[Raw]).decode


class PassThrough(ChatPassThrough):
    """One request; a Dialogue."""

    __slots__ = ()

    spoken = "openai_completions"

    @override
    def decoder(self, content_type: str) -> Decoder:
        """Each of several prompts is answered as often as was asked for."""
        if not content_type.lstrip().lower().startswith(EVENT_STREAM):
            return super().decoder(content_type)
        asked = self._asked
        choices = asked.choices * _count(_body(asked.sent.body).prompt)
        return StreamDecoder(choices, hide_usage=asked.hide_usage)


def _count(prompt: Raw) -> int:
    """A list of numbers is one prompt, of tokens."""
    given = bytes(prompt)
    if not given.startswith(b"["):
        return 1
    prompts = _prompts(given)
    several = bool(prompts) and bytes(prompts[0])[:1] in (b'"', b"[")
    return len(prompts) if several else 1
