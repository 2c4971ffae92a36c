"""From a request and its target to what is said between them."""

from __future__ import annotations

from collections.abc import Mapping

from providers.base import Answered, Client, Dialogue, PassThrough, Target, Upstream
from providers.counting import count
from providers.dialects.anthropic.client import Client as AnthropicClient
from providers.dialects.anthropic.native import (
    CountPassThrough as AnthropicCount,
    PassThrough as Anthropic,
)
from providers.dialects.anthropic.upstream import Upstream as AnthropicUpstream
from providers.dialects.gemini.client import Client as GeminiClient
from providers.dialects.gemini.native import (
    CountPassThrough as GeminiCount,
    PassThrough as Gemini,
)
from providers.dialects.gemini.upstream import Upstream as GeminiUpstream
from providers.dialects.openai_chat.client import Client as ChatClient
from providers.dialects.openai_chat.native import PassThrough as OpenAIChat
from providers.dialects.openai_chat.upstream import Upstream as ChatUpstream
from providers.dialects.openai_completions.client import Client as CompletionsClient
from providers.dialects.openai_completions.native import PassThrough as Completions
from providers.dialects.openai_responses.client import Client as ResponsesClient
from providers.dialects.openai_responses.native import (
    CompactPassThrough as ResponsesCompact,
    CountPassThrough as ResponsesCount,
    PassThrough as OpenAIResponses,
)
from providers.dialects.openai_responses.upstream import Upstream as ResponsesUpstream
from providers.embeddings.dialogue import embed
from providers.relay import Relayed
from providers.translated import Translated
from schemas.errors import InvalidRequest
from schemas.requests import Dialect, Operation, Request

# Registries, by hand: the dialects in which a caller may speak, in which a provider may, and in which
# both may at once.
CLIENTS: Mapping[str, Client] = {
    "openai_chat": ChatClient(),
    "openai_completions": CompletionsClient(),
    "anthropic": AnthropicClient(),
    "openai_responses": ResponsesClient(),
    "gemini": GeminiClient(),
}
UPSTREAMS: Mapping[str, Upstream] = {
    "openai_chat": ChatUpstream(),
    "anthropic": AnthropicUpstream(),
    "openai_responses": ResponsesUpstream(),
    "gemini": GeminiUpstream(),
}
PASS_THROUGH: Mapping[str, PassThrough] = {
    "openai_chat": OpenAIChat,
    "openai_completions": Completions,
    "openai_responses": OpenAIResponses,
    "openai_count": ResponsesCount,
    "openai_compact": ResponsesCompact,
    "anthropic": Anthropic,
    "anthropic_count": AnthropicCount,
    "gemini": Gemini,
    "gemini_count": GeminiCount,
    "openai_embeddings": embed,
    "gemini_embeddings": embed,
}


# What is no request for an answer has routes of its own.
_ROUTES: Mapping[tuple[Operation, Dialect], str] = {
    ("count_tokens", "anthropic"): "anthropic_count",
    ("count_tokens", "gemini"): "gemini_count",
    ("count_tokens", "openai_responses"): "openai_count",
    ("compact", "openai_responses"): "openai_compact",
}


def converse(request: Request, target: Target) -> Dialogue | Answered:
    """What to send to `target`, and how to read its answer; InvalidRequest if it cannot be said there."""
    operation, dialect, routes = request.operation, request.dialect, target.endpoint.routes
    if operation == "relay":
        return Relayed(request, target, PASS_THROUGH)
    if operation == "embeddings":
        return embed(request, target)
    route = _ROUTES.get((operation, dialect), dialect)
    if route in routes and route in PASS_THROUGH:
        return PASS_THROUGH[route](request, target)
    client = CLIENTS.get(dialect)
    if operation == "count_tokens" and client is not None:
        return count(request, target, client, UPSTREAMS)
    spoken = next((name for name in routes if name in UPSTREAMS), None)
    if operation != "chat" or spoken is None or client is None:
        raise InvalidRequest(
            f"The provider `{target.instance}` does not answer {operation} requests"
            f" of the dialect {dialect}."
        )
    return Translated(request, target, client, UPSTREAMS[spoken], spoken)
