"""From a request and its target to what is said between them."""

from __future__ import annotations

from collections.abc import Mapping

from providers.base import Client, Dialogue, PassThrough, Target, Upstream
from providers.dialects.gemini.client import Client as GeminiClient
from providers.dialects.gemini.native import PassThrough as Gemini
from providers.dialects.gemini.upstream import Upstream as GeminiUpstream
from providers.dialects.openai_chat.native import PassThrough as OpenAIChat
from providers.dialects.openai_responses.client import Client as ResponsesClient
from providers.dialects.openai_responses.native import (
    CompactPassThrough as ResponsesCompact,
    CountPassThrough as ResponsesCount,
    PassThrough as OpenAIResponses,
)
from providers.dialects.openai_responses.upstream import Upstream as ResponsesUpstream
from providers.relay import Relayed
from providers.translated import Translated
from schemas.errors import InvalidRequest
from schemas.requests import Request

# Registries, by hand: the dialects in which a caller may speak, in which a provider may, and in which
# both may at once.
CLIENTS: Mapping[str, Client] = {
    "openai_responses": ResponsesClient(),
    "gemini": GeminiClient(),
}
UPSTREAMS: Mapping[str, Upstream] = {
    "openai_responses": ResponsesUpstream(),
    "gemini": GeminiUpstream(),
}
PASS_THROUGH: Mapping[str, PassThrough] = {
    "openai_chat": OpenAIChat,
    "openai_responses": OpenAIResponses,
    "openai_count": ResponsesCount,
    "openai_compact": ResponsesCompact,
    "gemini": Gemini,
}


def converse(request: Request, target: Target) -> Dialogue:
    """What to send to `target`, and how to read its answer; InvalidRequest if it cannot be said there."""
    if request.operation == "relay":
        return Relayed(request, target, PASS_THROUGH)
    routes = target.endpoint.routes
    if request.dialect in routes and request.dialect in PASS_THROUGH:
        return PASS_THROUGH[request.dialect](request, target)
    spoken = next((name for name in routes if name in UPSTREAMS), None)
    client = CLIENTS.get(request.dialect)
    if spoken is None or client is None:
        raise InvalidRequest(
            f"The provider `{target.instance}` does not answer {request.operation} requests"
            f" of the dialect {request.dialect}."
        )
    return Translated(request, target, client, UPSTREAMS[spoken], spoken)
