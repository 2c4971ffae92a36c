"""`POST /v1/completions`, OpenAI's older way to ask for text."""

from __future__ import annotations

from ingress.caller import OPENAI_HEADERS
from ingress.guards import IncomingRequest
from ingress.intake import Asked, take
from ingress.wire import Answer

_COMPLETIONS = Asked("completions", passed=OPENAI_HEADERS)


async def completions(request: IncomingRequest) -> Answer | None:
    """Complete a prompt."""
    return await take(request, _COMPLETIONS)
