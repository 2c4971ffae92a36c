"""Anthropic's files and message batches: https://platform.claude.com/docs/en/api/creating-message-batches
and https://platform.claude.com/docs/en/build-with-claude/files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.base import Client, Context, Target, Upstream, UpstreamRequest
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.resources import lines
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
_BETAS = {"files": "files-api-2025-04-14"}
_NOT_THEIRS = ("provider", "purpose", "expires_after[anchor]", "expires_after[seconds]")
_TAILS = {"content": "/content", "cancel": "/cancel"}
_METHODS = {"create": "POST", "delete": "DELETE", "cancel": "POST"}
# What a result's type is in OpenAI's terms.
_STATUS = {"succeeded": 200, "errored": 400, "canceled": None, "expired": None}


class _Counts(Struct):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


class _Batch(Struct):
    id: str
    processing_status: str
    request_counts: _Counts
    created_at: datetime
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    results_url: str | None = None


class _File(Struct):
    id: str
    created_at: datetime
    filename: str | None = None
    size_bytes: int | None = None
    mime_type: str | None = None
    downloadable: bool | None = None


class _Page(Struct):
    data: list[Raw]
    has_more: bool = False


class _Outcome(Struct):
    type: str
    message: Raw = Raw()
    error: Raw = Raw(b"null")


class _Result(Struct):
    custom_id: str
    result: _Outcome


_NOTHING_ASKED = ChatRequest(dialect="openai_chat", model="", turns=())
_batch = msgspec.json.Decoder(_Batch).decode
_file = msgspec.json.Decoder(_File).decode
_page = msgspec.json.Decoder(_Page).decode
_result = msgspec.json.Decoder(_Result).decode


class Dialects(Struct, frozen=True):
    """How requests of a batch are translated, and results back."""

    clients: Mapping[str, Client]
    upstream: Upstream


class AnthropicShelf:
    """A providers.resources.shelf.Shelf."""

    def __init__(self, target: Target, dialects: Dialects) -> None:
        self.target = target
        self._dialects = dialects

    def first(self, asked: Asked, resolve: Resolve) -> UpstreamRequest | None:
        return None

    def request(
        self, asked: Asked, resolve: Resolve, uploaded: bytes | None = None
    ) -> UpstreamRequest:
        url = route_of(self.target, "anthropic", asked.resource)
        method = _METHODS.get(asked.verb, "GET")
        if asked.id:
            found = with_id(url, asked.id, _TAILS.get(asked.verb, ""))
            return self._sent(sent(asked, self.target, found, method=method), asked)
        if asked.verb == "list":
            query = {"limit": asked.query.get("limit", "20")}
            if after := asked.query.get("after"):
                query["after_id"] = after
            return self._sent(sent(asked, self.target, with_query(url, query)), asked)
        if asked.resource == "files":
            return self._sent(upload(asked, self.target, url, _NOT_THEIRS), asked)
        body = self._new(asked, resolve)
        return self._sent(sent(asked, self.target, url, method="POST", body=body), asked)

    def _sent(self, made: UpstreamRequest, asked: Asked) -> UpstreamRequest:
        beta = _BETAS.get(asked.resource)
        if beta is None:
            return made
        return msgspec.structs.replace(made, headers={**made.headers, "anthropic-beta": beta})

    def _new(self, asked: Asked, resolve: Resolve) -> bytes:
        batch = lines.parse(asked.request.body)
        if batch.requests is None:
            raise InvalidRequest(
                f"The provider {self.target.instance!r} takes no `input_file_id`: send `requests`.",
                param="input_file_id",
            )
        found = lines.lines(batch, self.target.instance, resolve)
        requests = [
            {"custom_id": line.custom_id, "params": self._params(asked, line)} for line in found
        ]
        return _encode({"requests": requests})

    def _params(self, asked: Asked, line: lines.Line) -> dict[str, Raw]:
        place = f"requests[{line.custom_id}]"
        if bytes(line.body.get("stream", b"false")) == b"true":
            raise InvalidRequest(f"`{place}`: a batch cannot stream.", param=f"{place}.body.stream")
        if line.dialect == "anthropic":
            return line.body
        client = self._dialects.clients.get(line.dialect)
        if client is None:
            raise InvalidRequest(
                f"`{place}`: the provider {self.target.instance!r} has no {line.url} in batches.",
                param=f"{place}.url",
            )
        chat = client.parse(replace(asked.request, body=_encode(line.body), operation="chat"))
        notes = Notes("anthropic", chat.names, drop=asked.request.drop_params)
        target = replace(self.target, model=line.model)
        params = self._dialects.upstream.render(chat, target, notes)
        return {name: value for name, value in params.items() if name != "stream"}

    def item(self, body: bytes) -> Item:
        found = members(body)
        try:
            if b"processing_status" in body and "processing_status" in found:
                return self._batch(_batch(body), found)
            return self._file(_file(body))
        except msgspec.DecodeError as error:
            if set(found) >= {"id", "type"} and b"deleted" in bytes(found["type"]):
                return self._deleted(found["id"])
            raise unreadable(error) from error

    def _deleted(self, name: Raw) -> Item:
        told = {"id": name, "object": "file", "deleted": True, "provider": self.target.instance}
        return Item("", 0.0, Raw(_encode(told)))

    def _batch(self, batch: _Batch, found: Mapping[str, Raw]) -> Item:
        counts = batch.request_counts
        total = sum(getattr(counts, name) for name in counts.__struct_fields__)
        ended = _epoch(batch.ended_at)
        status = {"in_progress": "in_progress", "canceling": "cancelling"}.get(
            batch.processing_status, "completed"
        )
        if status == "completed" and counts.canceled and not counts.succeeded + counts.errored:
            status = "cancelled"
        told = {
            "id": batch.id,
            "object": "batch",
            "provider": self.target.instance,
            "endpoint": "/v1/messages",
            "input_file_id": None,
            "completion_window": "24h",
            "status": status,
            "created_at": _epoch(batch.created_at),
            "in_progress_at": _epoch(batch.created_at),
            "expires_at": _epoch(batch.expires_at),
            "cancelling_at": _epoch(batch.cancel_initiated_at),
            "completed_at": ended if status == "completed" else None,
            "cancelled_at": ended if status == "cancelled" else None,
            "request_counts": {
                "total": total,
                "completed": counts.succeeded,
                "failed": counts.errored + counts.expired + counts.canceled,
            },
            "metadata": found.get("metadata"),
        }
        return Item(batch.id, batch.created_at.timestamp(), Raw(_encode(told)))

    def _file(self, file: _File) -> Item:
        told = {
            "id": file.id,
            "object": "file",
            "bytes": file.size_bytes,
            "created_at": _epoch(file.created_at),
            "filename": file.filename,
            "purpose": "user_data",
            "status": "processed",
            "provider": self.target.instance,
        }
        return Item(file.id, file.created_at.timestamp(), Raw(_encode(told)))

    def page(self, body: bytes) -> Page:
        members(body)
        try:
            listed = _page(body)
        except msgspec.DecodeError as error:
            raise unreadable(error) from error
        return Page(tuple(self.item(bytes(raw)) for raw in listed.data), listed.has_more)

    def outputs(self, asked: Asked, body: bytes) -> tuple[UpstreamRequest, ...] | None:
        """Not at the `results_url` that it names: only the instance's own address gets its key."""
        try:
            batch = _batch(body)
        except msgspec.DecodeError as error:
            raise unreadable(error) from error
        if batch.processing_status != "ended":
            return None
        url = route_of(self.target, "anthropic", "batches")
        return (sent(asked, self.target, with_id(url, batch.id, "/results")),)

    def result(self, line: bytes) -> Object:
        try:
            found = _result(line)
        except msgspec.DecodeError as error:
            raise unreadable(error) from error
        outcome = found.result
        return {
            "custom_id": found.custom_id,
            "status_code": _STATUS.get(outcome.type),
            "response": self._answered(found.custom_id, outcome.message),
            "error": None if outcome.type == "succeeded" else _error(outcome),
        }

    def _answered(self, custom_id: str, message: Raw) -> Raw | None:
        """The message as a chat completion; as it is where nobody can write one."""
        client = self._dialects.clients.get("openai_chat")
        if not message or client is None:
            return Raw(bytes(message)) if message else None
        answer = self._dialects.upstream.answer(bytes(message))
        context = Context(custom_id, answer.created or 0, answer.model, _NOTHING_ASKED)
        return Raw(client.answer(answer, context))


def _error(outcome: _Outcome) -> Object:
    """`{type, message}` of a result that is no answer."""
    if outcome.type != "errored":
        return {"type": outcome.type, "message": f"The request was {outcome.type}."}
    found = members(bytes(outcome.error)) if bytes(outcome.error) != b"null" else {}
    inner = members(bytes(found["error"])) if "error" in found else found
    return {"type": inner.get("type", "api_error"), "message": inner.get("message", "")}


def _epoch(time: datetime | None) -> int | None:
    return int(time.timestamp()) if time is not None else None
