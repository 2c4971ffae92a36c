"""`POST /v1/responses`, and counting and compacting what one would hold, as OpenAI has them."""

from __future__ import annotations

from ingress.caller import OPENAI_HEADERS
from ingress.guards import IncomingRequest
from ingress.intake import Asked, take
from ingress.wire import Answer

_RESPONSES = Asked("responses", passed=OPENAI_HEADERS)
_INPUT_TOKENS = Asked("input_tokens", "count_tokens", passed=OPENAI_HEADERS)
_COMPACT = Asked("compact", "compact", passed=OPENAI_HEADERS)


async def responses(request: IncomingRequest) -> Answer | None:
    """Make a response."""
    return await take(request, _RESPONSES)


async def input_tokens(request: IncomingRequest) -> Answer | None:
    """Count the tokens of what would be asked."""
    return await take(request, _INPUT_TOKENS)


async def compact(request: IncomingRequest) -> Answer | None:
    """Make a long conversation short."""
    return await take(request, _COMPACT)
