"""Providers whose files and batches are OpenAI's: https://platform.openai.com/docs/api-reference/batch."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.base import Target, UpstreamRequest
from providers.resources import lines, multipart
from providers.resources.asked import Asked
from providers.resources.shelf import (
    Item,
    Object,
    Page,
    Resolve,
    members,
    route_of,
    sent,
    unreadable,
    upload,
    with_id,
    with_query,
)
from schemas.errors import InvalidRequest

_encode = msgspec.json.Encoder().encode
_OURS = ("provider",)  # fields of an upload that only the gateway acts on
_TAILS = {"content": "/content", "cancel": "/cancel"}
_METHODS = {"create": "POST", "delete": "DELETE", "cancel": "POST"}
_NOT_READY = frozenset({"validating", "in_progress", "finalizing", "cancelling"})


class _Known(Struct):
    id: str = ""
    created_at: float = 0.0


class _Listed(Struct):
    data: list[Raw]
    has_more: bool = False


class _Status(Struct):
    status: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None


class _Uploaded(Struct):
    id: str


class _Response(Struct):
    status_code: int | None = None
    body: Raw = Raw(b"null")


class _Result(Struct):
    custom_id: str | None = None
    response: _Response | None = None
    error: Raw = Raw(b"null")


_known = msgspec.json.Decoder(_Known).decode
_listed = msgspec.json.Decoder(_Listed).decode
_status = msgspec.json.Decoder(_Status).decode
_uploaded = msgspec.json.Decoder(_Uploaded).decode
_result = msgspec.json.Decoder(_Result).decode


class OpenAIShelf:
    """A providers.resources.shelf.Shelf."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def first(self, asked: Asked, resolve: Resolve) -> UpstreamRequest | None:
        """The requests of a batch as the file that it must have."""
        if asked.resource != "batches" or asked.verb != "create":
            return None
        batch = lines.parse(asked.request.body)
        if batch.requests is None:
            return None
        if "openai_files" not in self.target.endpoint.routes:
            raise InvalidRequest(
                f"`requests` need the files of the provider {self.target.instance!r}, which has none.",
                param="requests",
            )
        content = b"".join(
            _encode(
                {"custom_id": line.custom_id, "method": "POST", "url": line.url, "body": line.body}
            )
            + b"\n"
            for line in lines.lines(batch, self.target.instance, resolve)
        )
        boundary = f"sluice-{asked.request.request_id}"
        body = multipart.made(boundary, {"purpose": "batch"}, "batch.jsonl", content)
        return sent(
            asked,
            self.target,
            route_of(self.target, "openai", "files"),
            method="POST",
            body=body,
            content_type=f"multipart/form-data; boundary={boundary}",
        )

    def request(
        self, asked: Asked, resolve: Resolve, uploaded: bytes | None = None
    ) -> UpstreamRequest:
        url = route_of(self.target, "openai", asked.resource)
        method = _METHODS.get(asked.verb, "GET")
        if asked.id:
            tail = _TAILS.get(asked.verb, "")
            return sent(asked, self.target, with_id(url, asked.id, tail), method=method)
        if asked.verb == "list":
            return sent(asked, self.target, with_query(url, asked.query))
        request = asked.request
        if asked.resource == "files":
            return upload(asked, self.target, url, _OURS)
        return sent(asked, self.target, url, method=method, body=_new(request.body, uploaded))

    def item(self, body: bytes) -> Item:
        raw = {**members(body), "provider": Raw(_encode(self.target.instance))}
        try:
            known = _known(body)
        except msgspec.DecodeError as error:
            raise unreadable(error) from error
        return Item(known.id, known.created_at, Raw(_encode(raw)))

    def page(self, body: bytes) -> Page:
        members(body)
        try:
            listed = _listed(body)
        except msgspec.DecodeError as error:
            raise unreadable(error) from error
        return Page(tuple(self.item(bytes(raw)) for raw in listed.data), listed.has_more)

    def outputs(self, asked: Asked, body: bytes) -> tuple[UpstreamRequest, ...] | None:
        try:
            batch = _status(body)
        except msgspec.DecodeError as error:
            raise unreadable(error) from error
        files = [name for name in (batch.output_file_id, batch.error_file_id) if name]
        if not files and batch.status in _NOT_READY:
            return None
        url = route_of(self.target, "openai", "files")
        return tuple(sent(asked, self.target, with_id(url, name, "/content")) for name in files)

    def result(self, line: bytes) -> Object:
        try:
            found = _result(line)
        except msgspec.DecodeError as error:
            raise unreadable(error) from error
        answered = found.response is not None
        return {
            "custom_id": found.custom_id,
            "status_code": found.response.status_code if found.response else None,
            "response": found.response.body if answered and found.response else None,
            "error": found.error,
        }


def _new(body: bytes, uploaded: bytes | None) -> bytes:
    """The body of a new batch; its requests are in the file that was `uploaded`."""
    batch = lines.parse(body)
    given = members(body)
    given.pop("provider", None)
    given.setdefault("completion_window", Raw(_encode(batch.completion_window)))
    if batch.requests is not None and uploaded is not None:
        given.pop("requests")
        try:
            name = _uploaded(uploaded).id
        except msgspec.DecodeError as error:
            raise unreadable(error) from error
        given["input_file_id"] = Raw(_encode(name))
        first = batch.requests[0].url or lines.DEFAULT_URL
        given.setdefault("endpoint", Raw(_encode(batch.endpoint or first)))
    return _encode(given)
