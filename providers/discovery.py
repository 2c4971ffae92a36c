"""An instance's list of models: the request for it, and what is in the answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from providers.base import Endpoint, UpstreamRequest
from providers.catalog import Listed
from schemas.clock import from_rfc3339
from schemas.errors import UpstreamError
from schemas.prices import Metadata

_Number = int | float | None
# https://ai.google.dev/api/models#Model: methods, and what a model that has them is for.
_MODES = {
    "generateContent": "chat",
    "generateMessage": "chat",
    "embedContent": "embedding",
    "batchEmbedContents": "embedding",
}


class _Provider(msgspec.Struct):
    """https://openrouter.ai/docs/api-reference/models/get-models"""

    max_completion_tokens: _Number = None


class _Entry(msgspec.Struct):
    """OpenAI's entry and what others add to it."""

    id: str = ""
    name: str | None = None  # what Cohere has for an id, and OpenRouter and Mistral for a title
    created: _Number = None
    created_at: object = None  # Anthropic: RFC 3339; others have whatever here
    display_name: str | None = None  # Anthropic
    description: str | None = None
    context_window: _Number = None  # Groq
    context_length: _Number = None  # OpenRouter, Together, Fireworks, Cohere
    max_context_length: _Number = None  # Mistral
    max_model_len: _Number = None  # vLLM
    max_completion_tokens: _Number = None  # Groq
    max_input_tokens: _Number = None  # Anthropic
    max_tokens: _Number = None  # Anthropic
    top_provider: _Provider | None = None


class _GeminiEntry(msgspec.Struct, rename="camel"):
    """https://ai.google.dev/api/models#Model"""

    name: str
    display_name: str | None = None
    description: str | None = None
    input_token_limit: _Number = None
    output_token_limit: _Number = None
    supported_generation_methods: list[str] | None = None
    endpoints: list[str] | None = None  # Cohere: https://docs.cohere.com/reference/list-models
    context_length: _Number = msgspec.field(name="context_length", default=None)  # Cohere


class _List(msgspec.Struct):
    data: list[_Entry] | None = None  # Ollama without a model says null
    models: list[_GeminiEntry] | None = None


_decode = msgspec.json.Decoder(_List | list[_Entry]).decode  # Together sends the bare list


def list_request(endpoint: Endpoint) -> UpstreamRequest:
    """GET the list."""
    headers = {"Accept": "application/json", **endpoint.headers}
    return UpstreamRequest("GET", endpoint.models_url, headers, proxy=endpoint.proxy)


def parse_list(body: bytes) -> list[Listed]:
    """The models in the answer, each id once; UpstreamError if it is no list of models."""
    try:
        found = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamError(f"The provider's list of models cannot be read: {error}.") from error
    if isinstance(found, list):
        listed = list(_usual(found))
    elif found.data is None and found.models is not None:
        listed = list(_gemini(found.models))
    else:
        listed = list(_usual(found.data or []))
    if not listed and (found if isinstance(found, list) else found.data):
        raise UpstreamError("The provider's list of models has entries without an id.")
    return list({model.id: model for model in listed}.values())


def _usual(entries: list[_Entry]) -> Iterator[Listed]:
    for entry in entries:
        if not entry.id:
            continue
        top = entry.top_provider.max_completion_tokens if entry.top_provider else None
        yield Listed(
            entry.id,
            _created(entry),
            _metadata(
                entry.display_name or (entry.name if entry.name != entry.id else None),
                entry.description,
                entry.context_window
                or entry.context_length
                or entry.max_context_length
                or entry.max_model_len
                or entry.max_input_tokens,
                entry.max_completion_tokens or top or entry.max_tokens,
            ),
        )


def _created(entry: _Entry) -> int:
    if isinstance(entry.created_at, str):
        with suppress(ValueError):
            return int(from_rfc3339(entry.created_at))
    return int(entry.created or 0)


def _gemini(entries: list[_GeminiEntry]) -> Iterator[Listed]:
    """What neither answers nor embeds is left out: nothing here could call it."""
    for entry in entries:
        methods = entry.supported_generation_methods
        modes = tuple(dict.fromkeys(_MODES[each] for each in methods or () if each in _MODES))
        if methods is not None and not modes:
            continue
        if entry.endpoints is not None:
            modes = tuple(
                mode
                for name, mode in (("chat", "chat"), ("embed", "embedding"))
                if name in entry.endpoints
            )
            if not modes:
                continue
        metadata = _metadata(
            entry.display_name,
            entry.description,
            entry.input_token_limit or entry.context_length,
            entry.output_token_limit,
            modes,
        )
        yield Listed(entry.name.removeprefix("models/"), 0, metadata)


def _metadata(
    name: str | None,
    description: str | None,
    window: _Number,
    longest: _Number,
    modes: tuple[str, ...] = (),
) -> Metadata | None:
    found = Metadata(
        display_name=name,
        description=description,
        context_window=int(window) if window else None,
        max_output_tokens=int(longest) if longest else None,
        modes=modes,
    )
    return None if found == Metadata() else found
