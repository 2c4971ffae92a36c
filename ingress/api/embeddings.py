"""`POST /v1/embeddings`, as OpenAI has it."""

from __future__ import annotations

from ingress.caller import OPENAI_HEADERS
from ingress.guards import IncomingRequest
from ingress.intake import Asked, take
from ingress.wire import Answer

_EMBEDDINGS = Asked("embeddings", "embeddings", passed=OPENAI_HEADERS)


async def embeddings(request: IncomingRequest) -> Answer | None:
    """Turn texts into vectors."""
    return await take(request, _EMBEDDINGS)
