"""OpenAI chat completions, byte for byte: https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from collections.abc import Mapping

from providers.base import Decoder, Target, UpstreamRequest
from providers.dialects.openai_chat.answer import AnswerDecoder
from providers.dialects.openai_chat.failure import failed
from providers.dialects.openai_chat.request import upstream_request
from providers.dialects.openai_chat.stream import StreamDecoder
from schemas.envelopes import EVENT_STREAM
from schemas.replies import Failed
from schemas.requests import Request


class OpenAIChat:
    """Caller and provider speak the same dialect: bytes pass through."""

    def request(self, request: Request, target: Target) -> UpstreamRequest:
        return upstream_request(request, target)

    def decoder(self, sent: UpstreamRequest, content_type: str) -> Decoder:
        """By what the provider says that it sends: some answer a stream with plain JSON."""
        if content_type.lstrip().lower().startswith(EVENT_STREAM):
            return StreamDecoder(sent.choices, hide_usage=sent.hide_usage)
        return AnswerDecoder()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return failed(status, headers, body)
