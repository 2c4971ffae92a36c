"""Connections that take their time."""

import asyncio

import pytest

from tests.ingress.conftest import Start


async def test_a_head_that_trickles_times_out(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """408 although bytes keep coming, while another connection is answered."""
    monkeypatch.setattr("ingress.app.HEAD_TIMEOUT", 0.4)
    ingress = await start()
    reader, writer = await asyncio.open_connection(ingress.host, ingress.port)
    writer.write(b"GET /health HTTP/1.1\r\n")
    answering = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))

    async with asyncio.timeout(10):
        while not answering.done():
            writer.write(b"X-A: b\r\n")
            assert (await ingress.client.get("/health")).status_code == 200
            await asyncio.sleep(0.05)
    writer.close()

    assert answering.result().startswith(b"HTTP/1.1 408 ")
