"""`/metrics` of the roles without an HTTP server."""

import asyncio

import pytest

from schemas.metrics import Metrics
from sluice.scrape import CannotListen, metrics_server
from tests import services


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_metrics_are_served() -> None:
    """GET /metrics gives what was counted; other paths and methods are refused; nonsense is closed."""
    metrics, port = Metrics(), services.free_port()
    metrics.counter("sluice_outcomes", "completed").inc(3)
    async with metrics_server(metrics, "127.0.0.1", port):
        answer = await ask(port, b"GET /metrics?x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b'sluice_outcomes_total{outcome="completed"} 3' in answer
        head, _, body = (await ask(port, b"HEAD /metrics HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")
        assert b"200" in head
        assert body == b""
        assert b"404" in await ask(port, b"GET / HTTP/1.1\r\n\r\n")
        assert b"405" in await ask(port, b"POST /metrics HTTP/1.1\r\n\r\n")
        assert await ask(port, b"x" * 100_000) == b""


async def test_no_port_no_server() -> None:
    """Without METRICS_PORT nothing listens."""
    async with metrics_server(Metrics(), "127.0.0.1", None):
        pass


async def test_a_taken_port_is_told() -> None:
    """A port that is taken names itself."""
    port = services.free_port()
    async with metrics_server(Metrics(), "127.0.0.1", port):
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}"):
            async with metrics_server(Metrics(), "127.0.0.1", port):
                pass
