"""`POST /v1/chat/completions`, as OpenAI has it."""

from __future__ import annotations

from ingress.guards import IncomingRequest
from ingress.intake import Asked, take
from ingress.wire import Answer

# OpenAI's organization and project; betas of what imitates it.
_CHAT = Asked("chat", passed=("openai-", "x-grok-conv-id", "http-referer", "x-title"))


async def chat(request: IncomingRequest) -> Answer | None:
    """Answer a chat request."""
    return await take(request, _CHAT)
