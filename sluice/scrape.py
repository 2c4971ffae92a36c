"""`/metrics` of the roles that have no HTTP server of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.metrics import Metrics

REQUEST_TIMEOUT = 5.0  # seconds
CONTENT_TYPE = b"text/plain; version=1.0.0; charset=utf-8"


class CannotListen(Exception):
    """The port is taken, or the address is not this machine's."""


@asynccontextmanager
async def metrics_server(metrics: Metrics, host: str, port: int | None) -> AsyncIterator[None]:
    """Serve GET /metrics while the block runs; nothing without a port. May raise CannotListen."""
    if port is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(head, metrics))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass  # a scraper that does not ask properly gets no answer
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(answer, host, port)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


def _response(head: bytes, metrics: Metrics) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
    if path != b"/metrics":
        status, body = b"404 Not Found", b"only /metrics is here\n"
    elif method not in (b"GET", b"HEAD"):
        status, body = b"405 Method Not Allowed", b"only GET\n"
    else:
        status, body = b"200 OK", metrics.exposition()
    lines = (
        b"HTTP/1.1 " + status,
        b"Content-Type: " + CONTENT_TYPE,
        b"Content-Length: " + str(len(body)).encode(),
        b"Connection: close",
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if method == b"HEAD" else body)
