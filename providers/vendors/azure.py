"""Azure's addresses: the v1 API of a resource, or the dated one of its deployments."""

from __future__ import annotations

from msgspec.structs import replace

from providers.vendors.row import Placed, Vendor, behind

_VERSION = "2024-10-21"
# https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses: the dated API that has them.
_RESPONSES_SINCE = "2025-03-01-preview"
_OF_A_DEPLOYMENT = ("openai_chat", "openai_completions", "openai_embeddings")
_OF_THE_RESOURCE = ("openai_files", "openai_batches")


def azure_place(vendor: Vendor, base_url: str, version: str | None) -> Placed:
    """The resource's means its v1 API, or with a version one deployment a model, as Azure's SDK has it;
    one with `/openai/deployments/<name>` means the dated API of that deployment.

    https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle: v1 needs no version.
    """
    root, found, _ = base_url.partition("/openai/deployments/")
    if found:
        return _dated(vendor, base_url, base_url, root, version or _VERSION)
    query = f"?api-version={version}" if version else ""
    if base_url.endswith("/v1"):
        return _with_query(behind(vendor, base_url, None), query)
    root = base_url.removesuffix("/openai")
    if version:
        deployments = f"{root}/openai/deployments/{{model}}"
        return _dated(vendor, f"{root}/openai", deployments, root, version)
    return behind(vendor, f"{root}/openai/v1", None)


def _dated(vendor: Vendor, base_url: str, deployment: str, root: str, version: str) -> Placed:
    routes = {}
    for spoken, route in vendor.routes.items():
        if spoken in _OF_A_DEPLOYMENT:
            routes[spoken] = replace(route, url=deployment + route.url)
        elif spoken in _OF_THE_RESOURCE or (
            spoken == "openai_responses" and version >= _RESPONSES_SINCE
        ):
            routes[spoken] = replace(route, url=f"{root}/openai{route.url}")
    placed = Placed(
        base_url=base_url,
        routes=routes,
        models_url=f"{root}/openai/models",
        authenticate=vendor.authenticate,
    )
    return _with_query(placed, f"?api-version={version}")


def _with_query(placed: Placed, query: str) -> Placed:
    return replace(
        placed,
        routes={
            spoken: replace(route, url=route.url + query) for spoken, route in placed.routes.items()
        },
        models_url=placed.models_url + query,
        relay_query=query.removeprefix("?"),
    )
