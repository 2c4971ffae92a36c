"""The vendors that matter first: each with its own models, or its own way of being reached."""

from __future__ import annotations

from providers.quirks.openai import (
    completion_tokens_for_reasoning,
    effort_of_reasoning,
    encrypted_thoughts_of_reasoning,
    without_effort_where_nothing_reasons,
    without_sampling_for_reasoning,
)
from providers.vendors.azure import azure_place
from providers.vendors.google import NATIVE, gemini_place
from providers.vendors.row import (
    Vendor,
    api_key,
    bearer,
    kept_responses,
    usual,
    with_version,
    x_api_key,
    x_goog_api_key,
)

_CHAT_AND_RESPONSES = {
    **usual(
        "openai_chat",
        quirks=(
            effort_of_reasoning,
            completion_tokens_for_reasoning,
            without_sampling_for_reasoning,
            without_effort_where_nothing_reasons,
        ),
    ),
    **kept_responses(
        quirks=(
            without_sampling_for_reasoning,
            without_effort_where_nothing_reasons,
            encrypted_thoughts_of_reasoning,
        ),
    ),
}

OPENAI = Vendor(
    name="openai",
    title="OpenAI",
    link="https://platform.openai.com/docs/api-reference",
    base_url="https://api.openai.com/v1",
    authenticate=bearer,
    routes={
        **_CHAT_AND_RESPONSES,
        **usual("openai_completions", "openai_embeddings", "openai_count", "openai_compact"),
        **usual("openai_files", "openai_batches"),
    },
    request_id_header="X-Client-Request-Id",
)
ANTHROPIC = Vendor(
    name="anthropic",
    title="Anthropic",
    link="https://docs.anthropic.com/en/api/overview",
    base_url="https://api.anthropic.com/v1",
    authenticate=x_api_key,
    routes=usual("anthropic", "anthropic_count", "anthropic_files", "anthropic_batches"),
    models_path="/models?limit=1000",
    place=with_version("/v1"),
    # https://docs.anthropic.com/en/api/versioning
    headers={"anthropic-version": "2023-06-01"},
    default_max_tokens=4096,
    prices="anthropic",
)
GEMINI = Vendor(
    name="gemini",
    title="Google Gemini",
    link="https://ai.google.dev/api",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    authenticate=x_goog_api_key,
    routes=NATIVE,
    models_path="/models?pageSize=1000",
    place=gemini_place,
    prices="google",
)
AZURE = Vendor(
    name="azure",
    title="Azure OpenAI",
    link="https://learn.microsoft.com/azure/ai-foundry/openai/latest",
    authenticate=api_key,
    routes={
        **_CHAT_AND_RESPONSES,
        **usual("openai_completions", "openai_embeddings", "openai_files", "openai_batches"),
    },
    place=azure_place,
    api_versions=True,
    # Its SDK puts `/openai/…` behind the address that it is given.
    root_paths=frozenset({"openai"}),
    request_id_header="X-Client-Request-Id",
    prices="azure",
)
ROWS = (OPENAI, ANTHROPIC, GEMINI, AZURE)
