"""Gemini's two sides: its own API, and the OpenAI-compatible one below it."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec.structs import replace

from providers.base import Route
from providers.vendors.row import Placed, Vendor, bearer, behind, usual, x_goog_api_key

_MODEL = "/models/{model}"
# https://ai.google.dev/api/generate-content and .../embeddings
NATIVE = {
    "gemini": Route(f"{_MODEL}:generateContent", f"{_MODEL}:streamGenerateContent?alt=sse"),
    "gemini_count": Route(f"{_MODEL}:countTokens"),
    "gemini_embeddings": Route(_MODEL),  # `:embedContent` or `:batchEmbedContents` follows
}
# https://ai.google.dev/gemini-api/docs/openai
_COMPATIBLE = usual("openai_chat", "openai_embeddings")


def gemini_place(vendor: Vendor, base_url: str, version: str | None) -> Placed:
    """One that ends in `/openai` means the OpenAI-compatible side, which takes a Bearer key; one that is
    only a host, as Google's own SDK takes it, is understood."""
    if not urlsplit(base_url).path:
        base_url += "/v1beta"
    if not base_url.endswith("/openai"):
        return replace(behind(vendor, base_url, None), authenticate=x_goog_api_key)
    return replace(
        behind(replace(vendor, routes=_COMPATIBLE, models_path="/models"), base_url, None),
        authenticate=bearer,
    )
