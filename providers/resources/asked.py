"""What is asked of the files and batches that providers keep."""

from __future__ import annotations

from typing import Literal
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import Struct

from providers.resources import multipart
from schemas.errors import InvalidRequest, NotFound
from schemas.requests import Request

Resource = Literal["files", "batches"]
Verb = Literal["create", "list", "get", "delete", "content", "cancel", "results"]
MAX_PAGE = 100
PAGE = 20

_VERBS: dict[tuple[str, str, str], Verb] = {
    ("files", "POST", ""): "create",
    ("files", "GET", ""): "list",
    ("files", "GET", "/"): "get",
    ("files", "DELETE", "/"): "delete",
    ("files", "GET", "/content"): "content",
    ("batches", "POST", ""): "create",
    ("batches", "GET", ""): "list",
    ("batches", "GET", "/"): "get",
    ("batches", "POST", "/cancel"): "cancel",
    ("batches", "GET", "/results"): "results",
}


class Asked(Struct, frozen=True):
    """One request, taken apart."""

    resource: Resource
    verb: Verb
    id: str
    provider: str | None  # an instance or a vendor
    query: dict[str, str]  # the rest of it
    request: Request

    @property
    def limit(self) -> int:
        """How many a page is to have; InvalidRequest."""
        given = self.query.get("limit", str(PAGE))
        if not given.isdecimal() or not 1 <= int(given) <= MAX_PAGE:
            raise InvalidRequest(f"`limit` must be 1 to {MAX_PAGE}.", param="limit")
        return int(given)


class _Hints(Struct):
    """Where a JSON body may name its provider."""

    metadata: dict[str, str | int | float | bool | None] | None = None
    provider: str | None = None


_hints = msgspec.json.Decoder(_Hints).decode


def parse(request: Request) -> Asked:
    """InvalidRequest or NotFound if the path asks for nothing that there is."""
    relay = request.relay
    assert relay is not None
    path, _, text = relay.path.partition("?")
    _, resource, *rest = path.split("/")
    tail = "".join(f"/{part}" for part in rest[1:]) if len(rest) > 1 else "/" if rest else ""
    verb = _VERBS.get((resource, relay.method, tail))
    found: Resource | None = (
        "files" if resource == "files" else "batches" if resource == "batches" else None
    )
    identity = unquote(rest[0]) if rest else ""
    if verb is None or found is None or (rest and identity in ("", ".", "..")):
        raise NotFound
    query = dict(parse_qsl(text, keep_blank_values=True))
    provider = query.pop("provider", None) or relay.provider or _named(request)
    return Asked(found, verb, identity, provider or None, query, request)


def _named(request: Request) -> str | None:
    if request.file is not None:
        return multipart.field_in(request.file, "provider")
    if not request.body:
        return None
    if not request.content_type.startswith("application/json"):
        return multipart.field(request.body, request.content_type, "provider")
    try:
        hints = _hints(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    named = (hints.metadata or {}).get("provider")
    return named if isinstance(named, str) else hints.provider
