"""What a row says, and how it becomes the addresses of an instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from providers.base import HeaderQuirk, Quirk, Route
from providers.quirks.gateway import without_provider_hint

Authenticate = Callable[[str], dict[str, str]]


class Placed(Struct, frozen=True, kw_only=True):
    """Where an instance is found, and how it is greeted there."""

    base_url: str
    routes: dict[str, Route]
    models_url: str  # empty: there is no list
    authenticate: Authenticate
    relay_query: str = ""  # see `Endpoint`


class Vendor(Struct, frozen=True, kw_only=True):
    """One row. `name` is also the prefix of its environment variables, in capitals."""

    name: str
    title: str
    link: str  # where its API is described
    base_url: str | None = None  # None: <VENDOR>_BASE_URL must be set
    authenticate: Authenticate
    key_required: bool = True
    # What is spoken to the path behind the base URL. A whole URL instead of a path is there only if
    # the instance's base URL has the same host.
    routes: Mapping[str, Route]
    models_path: str | None = "/models"  # None: it has no list
    # How an instance's base URL and API version become addresses, where paths are not put behind it.
    place: Callable[[Vendor, str, str | None], Placed] | None = None
    api_versions: bool = False  # takes <VENDOR>_API_VERSION
    headers: Mapping[str, str] = {}  # of every request
    request_id_header: str | None = None  # logs a caller's id under this name
    # Further variables that become headers: (what follows the prefix, header).
    header_variables: tuple[tuple[str, str], ...] = ()
    header_quirks: tuple[HeaderQuirk, ...] = ()
    default_max_tokens: int | None = None  # takes <VENDOR>_DEFAULT_MAX_TOKENS; this is its default
    # Bare ids that begin like this are its own, listed or not.
    model_prefix: str | None = None
    prices: str | None = None  # as the price list calls it; None: only its address tells
    # First segments of paths that a relayed request finds at the server's root, not at the base URL.
    root_paths: frozenset[str] = frozenset()


def bearer(key: str) -> dict[str, str]:
    """RFC 6750."""
    return {"Authorization": f"Bearer {key}"}


def api_key(key: str) -> dict[str, str]:
    """https://learn.microsoft.com/azure/ai-services/openai/reference#authentication"""
    return {"api-key": key}


def x_api_key(key: str) -> dict[str, str]:
    """https://docs.anthropic.com/en/api/overview#authentication"""
    return {"x-api-key": key}


def x_goog_api_key(key: str) -> dict[str, str]:
    """https://ai.google.dev/gemini-api/docs/api-key"""
    return {"x-goog-api-key": key}


_PATHS = {
    "openai_chat": "/chat/completions",
    "openai_responses": "/responses",
    "anthropic": "/messages",
    "openai_completions": "/completions",
    "openai_embeddings": "/embeddings",
    "openai_count": "/responses/input_tokens",
    "openai_compact": "/responses/compact",
    "anthropic_count": "/messages/count_tokens",
    "openai_files": "/files",
    "openai_batches": "/batches",
    "anthropic_files": "/files",
    "anthropic_batches": "/messages/batches",
}


def usual(
    *spoken: str, quirks: tuple[Quirk, ...] = (), stream_usage: bool = True
) -> dict[str, Route]:
    """Routes at the paths that OpenAI, or Anthropic, has for them."""
    return {name: Route(_PATHS[name], quirks=quirks, stream_usage=stream_usage) for name in spoken}


def kept_responses(*, quirks: tuple[Quirk, ...] = ()) -> dict[str, Route]:
    """The same of Responses, of a vendor whose pages say that it keeps them and goes on from them. All
    others are told the conversation in full: some of them take `previous_response_id` and ignore it."""
    return {
        "openai_responses": Route(_PATHS["openai_responses"], quirks=quirks, keeps=True),
    }


def beside(spoken: str, url: str) -> dict[str, Route]:
    """A route at an address of its own, which other base URLs of the same host share."""
    return {spoken: Route(url)}


def placed(vendor: Vendor, base_url: str, version: str | None) -> Placed:
    """The addresses of an instance at this base URL."""
    found = (vendor.place or behind)(vendor, base_url, version)
    routes = {
        spoken: replace(route, quirks=(without_provider_hint, *route.quirks))
        if spoken.startswith("openai_")
        else route
        for spoken, route in found.routes.items()
    }
    return replace(found, routes=routes)


def behind(vendor: Vendor, base_url: str, version: str | None) -> Placed:
    """Paths behind the base URL."""
    routes = {}
    for spoken, route in vendor.routes.items():
        if url := _behind(base_url, route.url):
            stream_url = route.stream_url and _behind(base_url, route.stream_url)
            routes[spoken] = replace(route, url=url, stream_url=stream_url)
    return Placed(
        base_url=base_url,
        routes=routes,
        models_url=_behind(base_url, vendor.models_path or "") or "",
        authenticate=vendor.authenticate,
    )


def _behind(base_url: str, path: str) -> str | None:
    if path.startswith("/"):
        return base_url + path
    return path if urlsplit(path).netloc == urlsplit(base_url).netloc else None


def with_version(path: str) -> Callable[[Vendor, str, str | None], Placed]:
    """A base URL that is only a host means the one with `path`, as the vendor's own SDK takes it."""

    def place(vendor: Vendor, base_url: str, version: str | None) -> Placed:
        """One that is only a host, as the vendor's own SDK takes it, is understood."""
        bare = not urlsplit(base_url).path
        return behind(vendor, base_url + path if bare else base_url, version)

    return place
