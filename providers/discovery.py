"""An instance's list of models: the request for it, and what is in the answer. Pure."""

from __future__ import annotations

import msgspec

from providers.base import Endpoint, UpstreamRequest
from providers.catalog import Listed
from schemas.errors import UpstreamError


class _Entry(msgspec.Struct):
    id: str
    created: int | float | None = None


class _List(msgspec.Struct):
    data: list[_Entry] | None = None  # Ollama without a model says null


_decode = msgspec.json.Decoder(_List | list[_Entry]).decode  # Together sends the bare list


def list_request(endpoint: Endpoint) -> UpstreamRequest:
    """GET the list."""
    headers = {"Accept": "application/json", **endpoint.headers}
    return UpstreamRequest("GET", endpoint.models_url, headers)


def parse_list(body: bytes) -> list[Listed]:
    """The models in the answer, each id once; UpstreamError if it is no list of models."""
    try:
        found = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamError(f"The provider's list of models cannot be read: {error}.") from error
    entries = found if isinstance(found, list) else found.data or []
    models = {entry.id: Listed(entry.id, int(entry.created or 0)) for entry in entries if entry.id}
    return list(models.values())
