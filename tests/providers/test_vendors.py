"""Rows, and the addresses that they make."""

import re

import pytest

from providers.base import Route
from providers.dialogue import UPSTREAMS
from providers.instances import Instance, instances
from providers.quirks.gateway import without_provider_hint
from providers.vendors import VENDORS, Vendor, bearer, usual
from providers.vendors.row import beside, placed

SPOKEN = {
    *("openai_chat", "openai_responses", "anthropic", "gemini", "openai_completions"),
    *("openai_embeddings", "gemini_embeddings", "anthropic_count", "gemini_count"),
    *("openai_count", "openai_compact", "openai_files", "openai_batches"),
    *("anthropic_files", "anthropic_batches"),
}
RESOURCE = "https://r.openai.azure.com"
GOOGLE = "https://generativelanguage.googleapis.com/v1beta"


def only(**environment: str) -> Instance:
    (found,) = instances(environment)
    return found


def urls(instance: Instance) -> dict[str, str]:
    return {name: route.url for name, route in instance.endpoint.routes.items()}


@pytest.mark.parametrize("row", VENDORS.values(), ids=lambda row: row.name)
def test_rows(row: Vendor) -> None:
    """Every row can be called: its name can stand before a model and in a variable, its routes are
    known ones, and one of them answers chats."""
    assert VENDORS[row.name] is row
    assert re.fullmatch("[a-z]+", row.name)
    assert row.base_url is None or not row.base_url.endswith("/")
    assert row.link.startswith("https://")
    assert row.routes.keys() <= SPOKEN
    assert any(name in row.routes for name in ("openai_chat", "anthropic", "gemini"))
    for route in row.routes.values():
        assert route.url.startswith(("/", "https://"))


@pytest.mark.parametrize("row", VENDORS.values(), ids=lambda row: row.name)
def test_every_row_makes_an_instance(row: Vendor) -> None:
    """A key, and an address where the vendor has none, is enough; what is translated to it has a
    dialect that can be spoken."""
    prefix = row.name.upper()
    environment = {f"{prefix}_API_KEY": "k"}
    if row.base_url is None:
        environment[f"{prefix}_BASE_URL"] = "https://h.example/v1"
    found = only(**environment)
    assert (found.name, found.vendor) == (row.name, row.name)
    assert "k" in "".join(found.endpoint.headers.values())
    assert set(urls(found)) == set(row.routes)
    assert any(name in UPSTREAMS for name in found.endpoint.routes)


def test_openai() -> None:
    """All that OpenAI's API has for text, with the counting and compacting of Responses."""
    base = "https://api.openai.com/v1"
    assert urls(only(OPENAI_API_KEY="k")) == {
        "openai_chat": f"{base}/chat/completions",
        "openai_responses": f"{base}/responses",
        "openai_completions": f"{base}/completions",
        "openai_embeddings": f"{base}/embeddings",
        "openai_count": f"{base}/responses/input_tokens",
        "openai_compact": f"{base}/responses/compact",
        "openai_files": f"{base}/files",
        "openai_batches": f"{base}/batches",
    }


@pytest.mark.parametrize(
    "base_url", ["https://api.anthropic.com/v1", "https://api.anthropic.com", None]
)
def test_anthropic(base_url: str | None) -> None:
    """Its own dialect, key header and version; a bare host is what its SDK takes for a base URL."""
    more = {"ANTHROPIC_BASE_URL": base_url} if base_url else {}
    found = only(ANTHROPIC_API_KEY="k", ANTHROPIC_DEFAULT_MAX_TOKENS="8192", **more)
    assert urls(found) == {
        "anthropic": "https://api.anthropic.com/v1/messages",
        "anthropic_count": "https://api.anthropic.com/v1/messages/count_tokens",
        "anthropic_files": "https://api.anthropic.com/v1/files",
        "anthropic_batches": "https://api.anthropic.com/v1/messages/batches",
    }
    assert found.endpoint.models_url == "https://api.anthropic.com/v1/models?limit=1000"
    assert found.endpoint.headers == {"anthropic-version": "2023-06-01", "x-api-key": "k"}
    assert found.endpoint.default_max_tokens == 8192


@pytest.mark.parametrize("base_url", [GOOGLE, "https://generativelanguage.googleapis.com", None])
def test_gemini(base_url: str | None) -> None:
    """Google's own dialect by default, with the model in the path and streams at another one."""
    found = only(GEMINI_API_KEY="k", **({"GEMINI_BASE_URL": base_url} if base_url else {}))
    route = found.endpoint.routes["gemini"]
    assert route.url == f"{GOOGLE}/models/{{model}}:generateContent"
    assert route.stream_url == f"{GOOGLE}/models/{{model}}:streamGenerateContent?alt=sse"
    assert urls(found)["gemini_count"] == f"{GOOGLE}/models/{{model}}:countTokens"
    assert urls(found)["gemini_embeddings"] == f"{GOOGLE}/models/{{model}}"
    assert found.endpoint.models_url == f"{GOOGLE}/models?pageSize=1000"
    assert found.endpoint.headers == {"x-goog-api-key": "k"}


def test_geminis_compatible_side() -> None:
    """A base URL that ends in `/openai` is GoModel's default: OpenAI's dialect with a Bearer key."""
    found = only(GEMINI_API_KEY="k", GEMINI_BASE_URL=f"{GOOGLE}/openai/")
    assert urls(found) == {
        "openai_chat": f"{GOOGLE}/openai/chat/completions",
        "openai_embeddings": f"{GOOGLE}/openai/embeddings",
    }
    assert found.endpoint.models_url == f"{GOOGLE}/openai/models"
    assert found.endpoint.headers == {"Authorization": "Bearer k"}


@pytest.mark.parametrize(
    ("base_url", "version", "chat", "models"),
    [
        (f"{RESOURCE}/openai/v1", None, "openai/v1/chat/completions", "openai/v1/models"),
        (
            f"{RESOURCE}/openai/v1",
            "preview",
            "openai/v1/chat/completions?api-version=preview",
            "openai/v1/models?api-version=preview",
        ),
        (RESOURCE, None, "openai/v1/chat/completions", "openai/v1/models"),
        (
            f"{RESOURCE}/openai",
            "2025-01-01",
            "openai/deployments/{model}/chat/completions?api-version=2025-01-01",
            "openai/models?api-version=2025-01-01",
        ),
        (
            f"{RESOURCE}/openai/deployments/d",
            None,
            "openai/deployments/d/chat/completions?api-version=2024-10-21",
            "openai/models?api-version=2024-10-21",
        ),
    ],
)
def test_azure(base_url: str, version: str | None, chat: str, models: str) -> None:
    """The v1 API needs no version; a deployment in the URL, or a version, means the dated API."""
    more = {"AZURE_API_VERSION": version} if version else {}
    found = only(AZURE_API_KEY="k", AZURE_BASE_URL=base_url, **more)
    assert urls(found)["openai_chat"] == f"{RESOURCE}/{chat}"
    assert found.endpoint.models_url == f"{RESOURCE}/{models}"
    assert found.endpoint.headers == {"api-key": "k"}


@pytest.mark.parametrize(
    ("version", "responses"),
    [
        ("2024-10-21", None),
        ("2025-03-01-preview", f"{RESOURCE}/openai/responses?api-version=2025-03-01-preview"),
        ("2025-04-01-preview", f"{RESOURCE}/openai/responses?api-version=2025-04-01-preview"),
    ],
)
def test_azures_dated_responses(version: str, responses: str | None) -> None:
    """The dated API has Responses since a version of March 2025, beside the deployments."""
    base = f"{RESOURCE}/openai/deployments/d"
    found = only(AZURE_API_KEY="k", AZURE_BASE_URL=base, AZURE_API_VERSION=version)
    assert urls(found).get("openai_responses") == responses
    assert urls(found)["openai_embeddings"] == f"{base}/embeddings?api-version={version}"


@pytest.mark.parametrize(
    ("base_url", "version", "path", "expected"),
    [
        (RESOURCE, None, "/chat/completions", "openai/v1/chat/completions"),
        (RESOURCE, None, "/openai/v1/responses", "openai/v1/responses"),
        (
            f"{RESOURCE}/openai/deployments/d",
            None,
            "/chat/completions",
            "openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
        (
            RESOURCE,
            "2025-01-01",
            "/openai/deployments/d/audio/speech?x=1",
            "openai/deployments/d/audio/speech?x=1&api-version=2025-01-01",
        ),
        (
            RESOURCE,
            "2025-01-01",
            "/openai/deployments/d/embeddings?api-version=2024-06-01",
            "openai/deployments/d/embeddings?api-version=2024-06-01",
        ),
        (RESOURCE, "2025-01-01", "/deployments/d/images", "openai/deployments/d/images"),
    ],
)
def test_what_is_relayed_to_azure(
    base_url: str, version: str | None, path: str, expected: str
) -> None:
    """Paths as its SDK makes them, and those behind the base URL, find the resource; the dated API is told
    the version unless the caller says one."""
    more = {"AZURE_API_VERSION": version} if version else {}
    found = only(AZURE_API_KEY="k", AZURE_BASE_URL=base_url, **more).endpoint.relay_url(path)
    if version and "?" not in expected:
        expected += f"?api-version={version}"
    assert found == f"{RESOURCE}/{expected}"


def test_a_route_beside_the_base_url() -> None:
    """Another dialect's own address counts for base URLs of its host, and for no other."""
    anthropic = "https://api.z.ai/api/anthropic/v1/messages"
    assert urls(only(ZAI_API_KEY="k"))["anthropic"] == anthropic
    coding = only(ZAI_API_KEY="k", ZAI_BASE_URL="https://api.z.ai/api/coding/paas/v4")
    assert urls(coding)["anthropic"] == anthropic
    assert urls(coding)["openai_chat"] == "https://api.z.ai/api/coding/paas/v4/chat/completions"
    elsewhere = only(ZAI_API_KEY="k", ZAI_BASE_URL="https://proxy.example/v4")
    assert "anthropic" not in urls(elsewhere)


def test_a_vendor_without_a_list() -> None:
    """Where no list is, none is asked for; one at an address of its own is found."""
    assert only(PERPLEXITY_API_KEY="k").endpoint.models_url == ""
    cohere = only(COHERE_API_KEY="k").endpoint.models_url
    assert cohere == "https://api.cohere.ai/v1/models?page_size=1000"


def test_relayed_requests_may_go_to_the_root() -> None:
    """What a server has beside OpenAI's API is behind its host, not behind `/v1`."""
    endpoint = only(VLLM_BASE_URL="http://gpu:8000/v1").endpoint
    assert endpoint.relay_url("/tokenize") == "http://gpu:8000/tokenize"
    assert endpoint.relay_url("/rerank?x=1") == "http://gpu:8000/rerank?x=1"
    assert endpoint.relay_url("/chat/completions") == "http://gpu:8000/v1/chat/completions"
    openai = only(OPENAI_API_KEY="k").endpoint
    assert openai.relay_url("/health") == "https://api.openai.com/v1/health"


def test_a_row_is_enough() -> None:
    """A new vendor of OpenAI's API is one row; all that may be configured follows from it."""
    acme = Vendor(
        name="acme",
        title="Acme",
        link="https://docs.acme.example",
        base_url="https://api.acme.example/v1",
        authenticate=bearer,
        routes={
            **usual("openai_chat", "openai_embeddings"),
            **beside("anthropic", "https://api.acme.example/anthropic/v1/messages"),
        },
    )
    found = placed(acme, "https://api.acme.example/v1", None)
    assert {name: route.url for name, route in found.routes.items()} == {
        "openai_chat": "https://api.acme.example/v1/chat/completions",
        "openai_embeddings": "https://api.acme.example/v1/embeddings",
        "anthropic": "https://api.acme.example/anthropic/v1/messages",
    }
    assert found.models_url == "https://api.acme.example/v1/models"


def test_every_openai_route_drops_the_gateways_own_member() -> None:
    """`provider` is for the gateway, whatever the vendor; other dialects have no such member."""
    for row in VENDORS.values():
        for name, route in placed(row, row.base_url or "https://h.example", None).routes.items():
            assert (without_provider_hint in route.quirks) == name.startswith("openai_")
            assert isinstance(route, Route)
