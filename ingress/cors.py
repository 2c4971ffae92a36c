"""Answers to browsers whose page comes from elsewhere: https://fetch.spec.whatwg.org/#http-cors-protocol

Nothing of it is here unless origins are set, and never for the admin API.
"""

from __future__ import annotations

import re
from typing import Any

from sanic import Sanic
from sanic.exceptions import SanicException

from ingress.config import ANY_ORIGIN, CorsConfig
from ingress.errors import identity_lines
from ingress.guards import IncomingRequest
from ingress.wire import Answer

MAX_AGE = 600  # seconds for which a browser may remember the answer to a preflight
# Where `*` would not do, because credentials are allowed: what a page may read of an answer.
_EXPOSED = (
    *("age", "location", "ratelimit", "ratelimit-policy", "request-id", "retry-after"),
    *("sluice-attempts", "sluice-dropped-params", "sluice-model", "sluice-overhead-ms"),
    *("sluice-provider", "sluice-request-id", "sluice-upstream-ms", "x-cache", "x-cache-key"),
    *(
        f"x-ratelimit-{of}-{unit}"
        for of in ("limit", "remaining", "reset")
        for unit in ("requests", "tokens")
    ),
    "x-request-id",
)
_NAMES = re.compile(r"[A-Za-z0-9_\-, ]{1,2048}")


class Cors:
    """The header lines of all answers."""

    def __init__(self, config: CorsConfig, base_path: str) -> None:
        self._admin = f"{base_path}/admin/"
        self._any = config.origins == (ANY_ORIGIN,)
        # With a list the answer depends on who asks, also where it has no header for it.
        self._others = b"" if self._any else b"vary: Origin\r\n"
        exposed = ", ".join(_EXPOSED) if config.credentials else ANY_ORIGIN
        more = b"access-control-expose-headers: %s\r\n" % exposed.encode()
        if config.credentials:
            more += b"access-control-allow-credentials: true\r\n"
        self._lines = {
            origin: b"access-control-allow-origin: %s\r\n" % origin.encode() + more + self._others
            for origin in config.origins
        }

    def lines(self, request: IncomingRequest) -> bytes:
        """Of an answer to this request."""
        if request.path.startswith(self._admin):
            return b""
        origin: str = ANY_ORIGIN if self._any else request.headers.get("origin", "")
        return self._lines.get(origin, self._others)

    def preflight(self, request: IncomingRequest) -> bytes | None:
        """What an answer to a preflight says beside; None: this is none. One is never handed on."""
        headers = request.headers
        if request.method != "OPTIONS" or "access-control-request-method" not in headers:
            return None
        if b"allow-origin" not in self.lines(request):
            return b""
        asked = headers.get("access-control-request-headers", "")
        found = b"access-control-allow-methods: %s\r\n" % ", ".join(_methods(request)).encode()
        if _NAMES.fullmatch(asked):
            found += b"access-control-allow-headers: %s\r\n" % asked.encode()
        found += b"access-control-max-age: %d\r\n" % MAX_AGE
        return found + b"vary: Access-Control-Request-Headers\r\n"


def _methods(request: IncomingRequest) -> list[str]:
    """Those of the path: what OPTIONS would answer."""
    try:
        route, handler, _ = request.app.router.get(
            request.path, "OPTIONS", request.headers.get("host")
        )
    except SanicException:
        return []
    return sorted(getattr(handler, "methods", route.methods))


def install(app: Sanic[Any, Any], config: CorsConfig | None, base_path: str) -> None:
    """Make the application answer so. Preflights are answered before anybody is asked for a key."""
    app.ctx.cors = cors = None if config is None else Cors(config, base_path)
    if cors is None:
        return

    async def answer(request: IncomingRequest) -> Answer | None:
        if (more := cors.preflight(request)) is None:
            return None
        request.app.ctx.gateway.identify(request)
        return Answer(204, more + identity_lines(request))

    app.register_middleware(answer, "request")
