"""Caller and provider both speak OpenAI chat, or both legacy completions: bytes pass through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from providers.base import Decoder, Target
from providers.dialects.openai_chat.answer import AnswerDecoder
from providers.dialects.openai_chat.request import asked
from providers.dialects.openai_chat.stream import StreamDecoder
from providers.failure import failed
from schemas.envelopes import EVENT_STREAM
from schemas.replies import Failed
from schemas.requests import Request


class PassThrough:
    """One request; a Dialogue."""

    __slots__ = ("_asked", "dropped", "sent")

    spoken: ClassVar[str] = "openai_chat"

    def __init__(self, request: Request, target: Target) -> None:
        self._asked = asked(request, target, self.spoken)
        self.sent = self._asked.sent
        self.dropped = self._asked.dropped

    def media_type(self, content_type: str) -> str:
        return content_type

    def decoder(self, content_type: str) -> Decoder:
        """By what the provider says that it sends: some answer a stream with plain JSON."""
        if content_type.lstrip().lower().startswith(EVENT_STREAM):
            return StreamDecoder(self._asked.choices, hide_usage=self._asked.hide_usage)
        return AnswerDecoder()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return failed(status, headers, body)
