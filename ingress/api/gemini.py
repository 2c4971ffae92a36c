"""`POST /v1beta/models/<model>:<action>`, as Google's Gemini API has it."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote

from ingress.guards import IncomingRequest
from ingress.intake import Asked, refuse, take
from ingress.wire import Answer
from schemas.errors import NotFound
from schemas.requests import Operation

# Action: label of the metrics, operation, whether its answer is a stream.
_ACTIONS: dict[str, tuple[str, Operation, bool]] = {
    "generateContent": ("generate_content", "chat", False),
    "streamGenerateContent": ("generate_content", "chat", True),
    "countTokens": ("count_tokens", "count_tokens", False),
    "embedContent": ("embed_content", "embeddings", False),
    "batchEmbedContents": ("embed_content", "embeddings", False),
}
_PASSED = ("x-server-timeout",)


async def gemini(request: IncomingRequest, name: str) -> Answer | None:
    """What the path asks of the model that it names."""
    model, _, action = unquote(name).rpartition(":")
    if action not in _ACTIONS or not model:
        known = ", ".join(_ACTIONS)
        error = NotFound(f"There is no action {action[:60]!r} of a model: use {known}.")
        return await refuse(request, "generate_content", error)
    route, operation, stream = _ACTIONS[action]
    # https://cloud.google.com/apis/docs/system-parameters: without `alt=sse` a stream is one JSON
    # array, whose elements come one by one.
    request.json_array = stream and parse_qs(request.query_string).get("alt") != ["sse"]
    return await take(request, Asked(route, operation, model, stream, passed=_PASSED))
