"""The request's body on the wire."""

import asyncio
import json

from tests.ingress.conftest import KEY, Start, body
from tests.ingress.worker import Worker

CONTENT = json.dumps(body()).encode()
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\n" % KEY.encode()


async def test_a_caller_that_asks_first_is_told_to_go_on(start: Start, worker: Worker) -> None:
    """`Expect: 100-continue` gets 100 before the body is sent, and the answer after."""
    ingress = await start()
    reader, writer = await asyncio.open_connection(ingress.host, ingress.port)

    writer.write(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(CONTENT))
    go_on = await reader.readuntil(b"\r\n\r\n")
    writer.write(CONTENT)
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()

    assert go_on == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert worker.requests[0].body == CONTENT


async def test_a_caller_that_asks_first_with_a_wrong_key_is_refused(start: Start) -> None:
    """Without being told to send a body that nobody reads."""
    ingress = await start()
    wrong = POST.replace(KEY.encode(), b"wrong")

    found = await ingress.raw(wrong + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")

    assert found.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in found


async def test_a_body_in_bytes_is_put_together(start: Start, worker: Worker) -> None:
    """Head and body may come in any pieces."""
    ingress = await start()
    reader, writer = await asyncio.open_connection(ingress.host, ingress.port)

    for piece in POST + b"Content-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT:
        writer.write(bytes([piece]))
        await asyncio.sleep(0)
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert worker.requests[0].body == CONTENT


async def test_a_caller_that_leaves_in_its_body_is_forgotten(start: Start, worker: Worker) -> None:
    """Nothing is published, and its room is free again."""
    ingress = await start()
    _, writer = await asyncio.open_connection(ingress.host, ingress.port)

    writer.write(POST + b"Content-Length: 1000\r\n\r\n" + CONTENT)
    async with asyncio.timeout(5):
        while not ingress.gateway.admission.bytes:  # noqa: ASYNC110  # it is in the server
            await asyncio.sleep(0.01)
        writer.close()
        while ingress.gateway.admission.count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert ingress.gateway.admission.bytes == 0
    assert worker.requests == []
