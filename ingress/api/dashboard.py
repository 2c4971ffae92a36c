"""The dashboard's files: static, offline, below any prefix. Its data come from /admin/api/v1, with a key."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from msgspec import Struct

from ingress.errors import error_answer, identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.errors import GatewayError, NotFound

FOLDER = Path(__file__).parents[1] / "dashboard"
INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing from elsewhere, nothing inline, no frame around it: https://www.w3.org/TR/CSP3/
_LINES = (
    b"content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';"
    b" img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'none';"
    b" frame-ancestors 'none'\r\n"
    b"x-content-type-options: nosniff\r\n"
    b"referrer-policy: no-referrer\r\n"
    b"cross-origin-opener-policy: same-origin\r\n"
    b"cache-control: no-cache\r\n"  # kept, and asked for again by its ETag
)


class _File(Struct, frozen=True):
    content: bytes
    media_type: str
    etag: str


async def dashboard(request: IncomingRequest, name: str = "") -> Answer:
    """A file, or for the path of any page the one document that shows it."""
    gateway: Gateway = request.app.ctx.gateway
    try:
        gateway.identify(request)
        file = _files(gateway.config.base_path).get(name if "." in name else INDEX)
        if file is None:
            raise NotFound("The dashboard has no such file.")
    except GatewayError as error:
        return error_answer(request, error)
    lines = _LINES + b"etag: %b\r\n" % file.etag.encode() + identity_lines(request)
    if request.headers.get("if-none-match") == file.etag:
        return Answer(304, lines)
    return Answer(200, b"content-type: %b\r\n" % file.media_type.encode() + lines, file.content)


@cache
def _files(base_path: str) -> dict[str, _File]:
    """All files by name: only these are served, whatever a path says."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if (media_type := _TYPES.get(path.suffix)) is None:
            continue
        content = path.read_bytes()
        if path.name == INDEX:
            # Every link in it is relative to this.
            content = content.replace(b"{base}", f"{base_path}/admin/dashboard/".encode())
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        found[path.relative_to(FOLDER).as_posix()] = _File(content, media_type, etag)
    return found
