"""The vendors: one row each. What sets a vendor apart is a member of its row or a named quirk on it."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from providers.base import Members, Quirk

Authenticate = Callable[[str], dict[str, str]]


class Urls(Struct, frozen=True):
    """Where an instance's routes are. A `{model}` in `chat` stands for the upstream's model id."""

    chat: str
    models: str


class Vendor(Struct, frozen=True, kw_only=True):
    """One row. `name` is also the prefix of its environment variables, in capitals."""

    name: str
    dialect: str = "openai_chat"
    base_url: str | None = None  # None: <VENDOR>_BASE_URL must be set
    authenticate: Authenticate
    key_required: bool = True
    urls: Callable[[str, str | None], Urls]  # base URL and API version to routes
    api_versions: bool = False  # takes <VENDOR>_API_VERSION
    stream_usage: bool = True  # takes stream_options.include_usage
    request_id_header: str | None = None  # logs a caller's id under this name
    quirks: tuple[Quirk, ...] = ()
    # Further variables that become headers: (what follows the prefix, header).
    header_variables: tuple[tuple[str, str], ...] = ()
    # Bare ids that begin like this are its own, listed or not.
    model_prefix: str | None = None


def bearer(key: str) -> dict[str, str]:
    """RFC 6750."""
    return {"Authorization": f"Bearer {key}"}


def api_key(key: str) -> dict[str, str]:
    """https://learn.microsoft.com/azure/ai-services/openai/reference#authentication"""
    return {"api-key": key}


def openai_urls(base_url: str, version: str | None) -> Urls:
    """Routes under the base URL."""
    return Urls(f"{base_url}/chat/completions", f"{base_url}/models")


def azure_urls(base_url: str, version: str | None) -> Urls:
    """The resource's v1 API, or with `/openai/deployments/<name>` in the base URL the dated one.

    https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle: v1 needs no version.
    A resource's bare URL means v1, or with a version one deployment a model, as Azure's SDK has it.
    """
    root, found, _ = base_url.partition("/openai/deployments/")
    if found:
        query = f"?api-version={version or _AZURE_VERSION}"
        return Urls(f"{base_url}/chat/completions{query}", f"{root}/openai/models{query}")
    query = f"?api-version={version}" if version else ""
    if base_url.endswith("/v1"):
        return Urls(f"{base_url}/chat/completions{query}", f"{base_url}/models{query}")
    root = base_url.removesuffix("/openai")
    if version:
        return Urls(
            f"{root}/openai/deployments/{{model}}/chat/completions{query}",
            f"{root}/openai/models{query}",
        )
    return openai_urls(f"{root}/openai/v1", None)


_AZURE_VERSION = "2024-10-21"
_REASONING_MODEL = re.compile(r"o\d|gpt-5($|[-.](?!chat))")


def completion_tokens_for_reasoning(members: Members, model: str) -> Members:
    """Reasoning models refuse `max_tokens` and take `max_completion_tokens` instead.

    https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens
    """
    if "max_tokens" not in members or not _REASONING_MODEL.match(model):
        return members
    changed = dict(members)
    limit = changed.pop("max_tokens")
    changed.setdefault("max_completion_tokens", limit)
    return changed


_ROWS = (
    Vendor(
        name="openai",
        base_url="https://api.openai.com/v1",
        authenticate=bearer,
        urls=openai_urls,
        request_id_header="X-Client-Request-Id",
        quirks=(completion_tokens_for_reasoning,),
    ),
    Vendor(name="xai", base_url="https://api.x.ai/v1", authenticate=bearer, urls=openai_urls),
    Vendor(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        authenticate=bearer,
        urls=openai_urls,
    ),
    Vendor(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        authenticate=bearer,
        urls=openai_urls,
        # https://openrouter.ai/docs/features/app-attribution
        header_variables=(("SITE_URL", "HTTP-Referer"), ("APP_NAME", "X-OpenRouter-Title")),
    ),
    Vendor(
        name="zai",
        base_url="https://api.z.ai/api/paas/v4",
        authenticate=bearer,
        urls=openai_urls,
    ),
    Vendor(
        name="azure",
        authenticate=api_key,
        urls=azure_urls,
        api_versions=True,
        request_id_header="X-Client-Request-Id",
        quirks=(completion_tokens_for_reasoning,),
    ),
    Vendor(name="oracle", authenticate=bearer, urls=openai_urls),
    Vendor(
        name="ollama",
        base_url="http://localhost:11434/v1",
        authenticate=bearer,
        key_required=False,
        urls=openai_urls,
    ),
    Vendor(
        name="vllm",
        base_url="http://localhost:8000/v1",
        authenticate=bearer,
        key_required=False,
        urls=openai_urls,
        request_id_header="X-Request-Id",
    ),
    # The simulated provider (`sluice sim`).
    Vendor(
        name="sim",
        base_url="http://127.0.0.1:8089/v1",
        authenticate=bearer,
        key_required=False,
        urls=openai_urls,
        request_id_header="X-Client-Request-Id",
        model_prefix="sim-",
    ),
)
VENDORS: dict[str, Vendor] = {row.name: row for row in _ROWS}
