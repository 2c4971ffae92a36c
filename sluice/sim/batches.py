"""Batches at the simulated provider: under way until they are asked for, then done; one with a request
that hangs is never done.

https://platform.openai.com/docs/api-reference/batch,
https://docs.anthropic.com/en/api/creating-message-batches
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from aiohttp import web
from msgspec import Raw, Struct

from sluice.sim.answers import CREATED, CREATED_AT, answer as say
from sluice.sim.ask import Ask, Call, Refused
from sluice.sim.base import Dialect, encode
from sluice.sim.files import Files, answer, missing
from sluice.sim.script import Script, UnknownModel, parse

_MAX_BATCHES = 100
_Object = dict[str, object]


class _Create(Struct):
    input_file_id: str
    endpoint: str
    completion_window: str = "24h"
    metadata: dict[str, str] | None = None


class _Line(Struct):
    custom_id: str
    body: Raw


class _MessageRequest(Struct):
    custom_id: str
    params: Raw


class _CreateMessages(Struct):
    requests: list[_MessageRequest]


class _Batch(Struct):
    id: str
    endpoint: str
    lines: list[tuple[str, bytes]]  # custom id and request
    input_file: str | None = None
    metadata: dict[str, str] | None = None
    status: str = "in_progress"
    output_file: str | None = None


_create = msgspec.json.Decoder(_Create)
_create_messages = msgspec.json.Decoder(_CreateMessages)
_line = msgspec.json.Decoder(_Line)


class Batches:
    """Requests of a batch are answered in the dialect of its endpoint, without delays and other faults."""

    def __init__(self, files: Files, dialects: Mapping[str, Dialect]) -> None:
        self._files = files
        self._dialects = dialects
        self._batches: dict[str, _Batch] = {}
        self._numbers = itertools.count(1)

    def add_routes(self, application: web.Application) -> None:
        router = application.router
        router.add_post("/v1/batches", self._create)
        router.add_get("/v1/batches", self._list)
        router.add_get("/v1/batches/{id}", self._get)
        router.add_post("/v1/batches/{id}/cancel", self._cancel)
        router.add_post("/v1/messages/batches", self._create_messages)
        router.add_get("/v1/messages/batches/{id}", self._get)
        router.add_post("/v1/messages/batches/{id}/cancel", self._cancel)
        router.add_get("/v1/messages/batches/{id}/results", self._results)

    async def _create(self, request: web.Request) -> web.Response:
        try:
            asked = _create.decode(await request.read())
            file = self._files.find(asked.input_file_id)
            if file is None or asked.endpoint not in self._dialects:
                return missing("Invalid 'input_file_id' or 'endpoint'.", 400)
            lines = [_line.decode(line) for line in file.data.splitlines() if line]
        except msgspec.DecodeError as error:
            return missing(f"Invalid batch: {error}.", 400)
        found = [(line.custom_id, bytes(line.body)) for line in lines]
        batch = self._keep(asked.endpoint, found)
        batch.input_file, batch.metadata = file.id, asked.metadata
        return answer(_openai(batch))

    async def _create_messages(self, request: web.Request) -> web.Response:
        try:
            asked = _create_messages.decode(await request.read())
        except msgspec.DecodeError as error:
            return missing(f"Invalid batch: {error}.", 400)
        lines = [(one.custom_id, bytes(one.params)) for one in asked.requests]
        return answer(_messages(self._keep("/v1/messages", lines)))

    def _keep(self, endpoint: str, lines: list[tuple[str, bytes]]) -> _Batch:
        batch = _Batch(f"batch_sim{next(self._numbers)}", endpoint, lines)
        self._batches[batch.id] = batch
        if len(self._batches) > _MAX_BATCHES:
            del self._batches[next(iter(self._batches))]
        return batch

    async def _list(self, request: web.Request) -> web.Response:
        data = [_openai(batch) for batch in self._batches.values() if batch.input_file]
        return answer({"object": "list", "data": data, "has_more": False})

    async def _get(self, request: web.Request) -> web.Response:
        batch = self._batches.get(request.match_info["id"])
        if batch is None:
            return missing("No batch found.")
        if batch.status == "in_progress" and not self._hangs(batch):
            batch.status = "completed"
            if batch.input_file is not None:
                output = b"".join(self._openai_line(batch, *line) for line in batch.lines)
                kept = self._files.keep("output.jsonl", "application/jsonl", "batch_output", output)
                batch.output_file = kept.id
        return answer(_shape(batch))

    async def _cancel(self, request: web.Request) -> web.Response:
        batch = self._batches.get(request.match_info["id"])
        if batch is None:
            return missing("No batch found.")
        if batch.status == "in_progress":
            batch.status = "cancelled"
        return answer(_shape(batch))

    async def _results(self, request: web.Request) -> web.Response:
        batch = self._batches.get(request.match_info["id"])
        if batch is None or batch.status == "in_progress":
            return missing("No results found.")
        lines = [self._message_line(batch, *line) for line in batch.lines]
        return web.Response(body=b"".join(lines), content_type="application/x-jsonl")

    def _hangs(self, batch: _Batch) -> bool:
        dialect = self._dialects[batch.endpoint]
        for _, body in batch.lines:
            with suppress(UnknownModel, Refused):
                if _script(dialect.read(Call(body))).fault == "hang":
                    return True
        return False

    def _said(self, batch: _Batch, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to one request."""
        dialect = self._dialects[batch.endpoint]
        try:
            ask = dialect.read(Call(body))
            return 200, dialect.plain(ask, say(ask, _script(ask)))
        except UnknownModel as error:
            return 404, dialect.error(Refused(404, str(error), "model", "model_not_found"))
        except Refused as error:
            return error.status, dialect.error(error)

    def _openai_line(self, batch: _Batch, custom_id: str, body: bytes) -> bytes:
        status, found = self._said(batch, body)
        told = {"status_code": status, "request_id": "req_sim", "body": Raw(found)}
        line = {"id": f"{batch.id}_{custom_id}", "custom_id": custom_id, "response": told}
        return encode(line | {"error": None}) + b"\n"

    def _message_line(self, batch: _Batch, custom_id: str, body: bytes) -> bytes:
        if batch.status == "cancelled":
            return encode({"custom_id": custom_id, "result": {"type": "canceled"}}) + b"\n"
        status, found = self._said(batch, body)
        result: _Object = {"type": "succeeded", "message": Raw(found)}
        if status != 200:
            result = {"type": "errored", "error": Raw(found)}
        return encode({"custom_id": custom_id, "result": result}) + b"\n"


def _script(ask: Ask) -> Script:
    return parse(ask.talk.script or ask.model)


def _shape(batch: _Batch) -> _Object:
    return _openai(batch) if batch.input_file is not None else _messages(batch)


def _openai(batch: _Batch) -> _Object:
    done = len(batch.lines) if batch.status == "completed" else 0
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": None,
        "input_file_id": batch.input_file,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": batch.output_file,
        "error_file_id": None,
        "created_at": CREATED,
        "request_counts": {"total": len(batch.lines), "completed": done, "failed": 0},
        "metadata": batch.metadata,
    }


def _messages(batch: _Batch) -> _Object:
    ended, total = batch.status != "in_progress", len(batch.lines)
    canceled = total if batch.status == "cancelled" else 0
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if ended else "in_progress",
        "request_counts": {
            "processing": 0 if ended else total,
            "succeeded": total - canceled if ended else 0,
            "errored": 0,
            "canceled": canceled,
            "expired": 0,
        },
        "ended_at": CREATED_AT if ended else None,
        "created_at": CREATED_AT,
        "expires_at": CREATED_AT,
        "archived_at": None,
        "cancel_initiated_at": CREATED_AT if canceled else None,
        "results_url": f"/v1/messages/batches/{batch.id}/results" if ended else None,
    }
