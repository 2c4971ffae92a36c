"""`POST /v1/messages` and counting its tokens, as Anthropic has them."""

from __future__ import annotations

from ingress.guards import IncomingRequest
from ingress.intake import Asked, take
from ingress.wire import Answer

_PASSED = ("anthropic-",)  # its version and betas
_MESSAGES = Asked("messages", passed=_PASSED)
_COUNT_TOKENS = Asked("count_tokens", "count_tokens", passed=_PASSED)


async def messages(request: IncomingRequest) -> Answer | None:
    """Answer a conversation."""
    return await take(request, _MESSAGES)


async def count_tokens(request: IncomingRequest) -> Answer | None:
    """Count the tokens of a conversation."""
    return await take(request, _COUNT_TOKENS)
