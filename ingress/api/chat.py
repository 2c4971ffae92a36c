"""`POST /v1/chat/completions`, as OpenAI has it."""

from __future__ import annotations

from ingress.caller import OPENAI_HEADERS
from ingress.guards import IncomingRequest
from ingress.intake import Asked, take
from ingress.wire import Answer

_CHAT = Asked("chat", passed=OPENAI_HEADERS)


async def chat(request: IncomingRequest) -> Answer | None:
    """Answer a chat request."""
    return await take(request, _CHAT)
