"""One provider's files or batches, as OpenAI's API shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.base import Target, UpstreamRequest
from providers.headers import upstream_headers
from providers.resources import multipart
from providers.resources.asked import Asked, Resource
from schemas.errors import UpstreamError

Object = dict[str, object]
Resolve = Callable[[str], Target]
"""A model's name to its target; ModelNotFound."""


class Item(Struct, frozen=True):
    """One file or batch."""

    id: str
    created_at: float
    raw: Raw  # the object, in OpenAI's form


class Page(Struct, frozen=True):
    """A piece of a list, newest first."""

    items: tuple[Item, ...]
    more: bool


class Shelf(Protocol):
    """Speaks to one provider. Pure."""

    @property
    def target(self) -> Target: ...

    def first(self, asked: Asked, resolve: Resolve) -> UpstreamRequest | None:
        """What must be sent before a batch can be made of requests that stand in its body: they become a
        file."""
        ...

    def request(
        self, asked: Asked, resolve: Resolve, uploaded: bytes | None = None
    ) -> UpstreamRequest:
        """What is sent; `uploaded` is the answer to `first`. InvalidRequest if it cannot be done there."""
        ...

    def item(self, body: bytes) -> Item:
        """The object in an answer; UpstreamError."""
        ...

    def page(self, body: bytes) -> Page:
        """The objects in an answer; UpstreamError."""
        ...

    def outputs(self, asked: Asked, body: bytes) -> tuple[UpstreamRequest, ...] | None:
        """How to get the results of the batch that `body` describes; None if they are not ready."""
        ...

    def result(self, line: bytes) -> Object:
        """One line of the results: `custom_id`, `status_code`, `response`, `error`."""
        ...


_decode = msgspec.json.Decoder(dict[str, Raw]).decode


def members(body: bytes) -> dict[str, Raw]:
    """The members of an object of a provider; UpstreamError if it is none."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error


def unreadable(error: Exception) -> UpstreamError:
    return UpstreamError(f"The provider's answer is not of the expected form: {error}.")


def sent(
    asked: Asked,
    target: Target,
    url: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    content_type: str = "application/json",
) -> UpstreamRequest:
    """A request on a caller's behalf, with its instance's key."""
    headers = upstream_headers(
        replace(asked.request, http_headers={}), target.endpoint, stream=False
    )
    headers["Content-Type"] = content_type
    if not body:
        del headers["Content-Type"]
    return UpstreamRequest(method, url, headers, body, target.endpoint.proxy)


def upload(asked: Asked, target: Target, url: str, not_theirs: Iterable[str]) -> UpstreamRequest:
    """The multipart body of a caller, handed on without the fields that are not the provider's."""
    request = asked.request
    kind = request.content_type
    if request.file is None:
        body = multipart.without(request.body, kind, not_theirs)
        return sent(asked, target, url, method="POST", body=body, content_type=kind)
    file = multipart.file_without(request.file, not_theirs)
    made = sent(asked, target, url, method="POST", content_type=kind)
    headers = {**made.headers, "Content-Type": kind, "Content-Length": str(len(file))}
    return replace(made, headers=headers, file=file)


def with_id(url: str, resource_id: str, tail: str = "") -> str:
    """The address of one object; a query of the route stays behind it."""
    path, mark, query = url.partition("?")
    return f"{path}/{quote(resource_id, safe='')}{tail}{mark}{query}"


def with_query(url: str, query: dict[str, str]) -> str:
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def route_of(target: Target, dialect: str, resource: Resource) -> str:
    return target.endpoint.routes[f"{dialect}_{resource}"].url
