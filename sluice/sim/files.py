"""Files that were uploaded to the simulated provider: in memory, the oldest are forgotten."""

from __future__ import annotations

import itertools
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from aiohttp import web
from msgspec import Struct

from schemas.envelopes import JSON
from sluice.sim.answers import CREATED, CREATED_AT
from sluice.sim.ask import Refused
from sluice.sim.base import encode
from sluice.sim.dialects import openai_errors

_MAX_BYTES = 64 << 20
_Object = dict[str, object]


class File(Struct, frozen=True):
    id: str
    name: str
    media_type: str
    purpose: str
    data: bytes


class Files:
    """All of them; OpenAI's and Anthropic's callers see the same ones, each in their own shape.

    https://platform.openai.com/docs/api-reference/files, https://docs.anthropic.com/en/api/files-create
    """

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._numbers = itertools.count(1)

    def add_routes(self, application: web.Application) -> None:
        application.router.add_post("/v1/files", self._upload)
        application.router.add_get("/v1/files", self._list)
        application.router.add_get("/v1/files/{id}", self._get)
        application.router.add_get("/v1/files/{id}/content", self._content)
        application.router.add_delete("/v1/files/{id}", self._delete)

    def find(self, file_id: str) -> File | None:
        return self._files.get(file_id)

    def keep(self, name: str, media_type: str, purpose: str, data: bytes) -> File:
        file = File(f"file-sim{next(self._numbers)}", name, media_type, purpose, data)
        self._files[file.id] = file
        while sum(len(one.data) for one in self._files.values()) > _MAX_BYTES:
            del self._files[next(iter(self._files))]
        return file

    async def _upload(self, request: web.Request) -> web.Response:
        form = _form(request.headers.get("content-type", ""), await request.read())
        sent = form.get("file")
        name = sent.head.get_filename() if sent else None
        if sent is None or name is None:
            return missing("'file' is a required property", 400)
        purpose = form["purpose"].data.decode() if "purpose" in form else "user_data"
        file = self.keep(name, sent.head.get_content_type(), purpose, sent.data)
        return answer(_shape(request, file))

    async def _list(self, request: web.Request) -> web.Response:
        data = [_shape(request, file) for file in self._files.values()]
        return answer({"object": "list", "data": data, "has_more": False})

    async def _get(self, request: web.Request) -> web.Response:
        file = self.find(request.match_info["id"])
        return answer(_shape(request, file)) if file else _unknown(request)

    async def _content(self, request: web.Request) -> web.Response:
        file = self.find(request.match_info["id"])
        if file is None:
            return _unknown(request)
        return web.Response(body=file.data, content_type=file.media_type)

    async def _delete(self, request: web.Request) -> web.Response:
        file = self._files.pop(request.match_info["id"], None)
        if file is None:
            return _unknown(request)
        if _is_anthropic(request):
            return answer({"id": file.id, "type": "file_deleted"})
        return answer({"id": file.id, "object": "file", "deleted": True})


def answer(found: object) -> web.Response:
    return web.Response(body=encode(found), content_type=JSON)


def missing(message: str, status: int = 404) -> web.Response:
    body = openai_errors.error(Refused(status, message))
    return web.Response(status=status, body=body, content_type=JSON)


class _Part(Struct, frozen=True):
    head: EmailMessage
    data: bytes


def _form(content_type: str, body: bytes) -> dict[str, _Part]:
    """The fields of a multipart body. aiohttp's own parser wants a body that nobody has read yet."""
    boundary = str(_head(f"Content-Type: {content_type}".encode()).get_param("boundary", ""))
    form = {}
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:-1]:
        lines, _, data = piece.partition(b"\r\n\r\n")
        head = _head(lines.lstrip())
        form[str(head.get_param("name", header="content-disposition"))] = _Part(head, data)
    return form


def _head(lines: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.HTTP).parsebytes(lines + b"\r\n\r\n")


def _unknown(request: web.Request) -> web.Response:
    return missing(f"No such File object: {request.match_info['id'][:100]}")


def _is_anthropic(request: web.Request) -> bool:
    return "anthropic-version" in request.headers


def _shape(request: web.Request, file: File) -> _Object:
    if _is_anthropic(request):
        return {
            "type": "file",
            "id": file.id,
            "filename": file.name,
            "mime_type": file.media_type,
            "size_bytes": len(file.data),
            "created_at": CREATED_AT,
            "downloadable": False,
        }
    return {
        "id": file.id,
        "object": "file",
        "bytes": len(file.data),
        "created_at": CREATED,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
    }
