"""The transport, against servers that misbehave byte by byte."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from providers.base import UpstreamRequest
from providers.config import TransportConfig
from providers.transport import Transport
from schemas.errors import (
    GatewayError,
    StreamTruncated,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)

CONFIG = TransportConfig(
    connect_timeout=1.0,
    response_header_timeout=0.3,
    first_token_timeout=0.5,
    stream_idle_timeout=0.3,
    max_response=1 << 20,
)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
Script = Callable[["Connection"], Awaitable[None]]


class Connection:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.closed = asyncio.Event()

    async def request(self) -> tuple[bytes, bytes]:
        """The head and the body of the next request."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower, size = head.lower(), 0
        if b"content-length:" in lower:
            size = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
        return head, await self._reader.readexactly(size)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Until the client has closed."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(1 << 16):
                pass

    def reset(self) -> None:
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Server:
    """Runs a script for each connection."""

    def __init__(self) -> None:
        self.port = 0
        self.connections: list[Connection] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Script], Awaitable[Server]]]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(script: Script) -> Server:
            server = Server()

            async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                connection = Connection(reader, writer)
                server.connections.append(connection)
                try:
                    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                        await script(connection)
                finally:
                    connection.closed.set()
                    writer.close()

            listening = await asyncio.start_server(accept, "127.0.0.1", 0)
            server.port = listening.sockets[0].getsockname()[1]

            async def close() -> None:
                listening.close()
                for connection in server.connections:
                    connection.writer.close()
                    await connection.closed.wait()
                await listening.wait_closed()

            stack.push_async_callback(close)
            return server

        yield start


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport(CONFIG)
    await made.open()
    yield made
    await made.close()


def post(url: str, body: bytes = b"{}") -> UpstreamRequest:
    return UpstreamRequest("POST", url, {"Content-Type": "application/json"}, body)


async def fetch(transport: Transport, request: UpstreamRequest) -> bytes:
    """The whole body."""
    got = b""
    async with transport.send(request) as response:
        async for data in response:
            got += data
    return got


async def test_request_and_answer(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """Body and headers arrive as they were made; status, headers and body come back."""
    seen: list[tuple[bytes, bytes]] = []

    async def script(connection: Connection) -> None:
        seen.append(await connection.request())
        await connection.send(
            b"HTTP/1.1 429 Slow Down\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\n{}"
        )

    server = await serve(script)
    request = UpstreamRequest(
        "POST", server.url + "/x?a=%2F", {"Authorization": "Bearer k"}, b"abc"
    )
    async with transport.send(request) as response:
        assert (response.status, response.headers["retry-after"]) == (429, "3")
        assert response.content_type == "application/octet-stream"
        assert await response.read(100) == b"{}"
    head, body = seen[0]
    assert body == b"abc"
    assert head.startswith(b"POST /v1/x?a=%2F HTTP/1.1\r\n")
    for line in (b"Authorization: Bearer k", b"Accept-Encoding: identity", b"Content-Length: 3"):
        assert line in head


async def test_connections_are_used_again(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """A body read to its end gives the connection back, streamed or not; `drain` reads what is left."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(CHUNKED + b"3\r\nabc\r\n")
            await asyncio.sleep(0.01)
            await connection.send(b"0\r\n\r\n")

    server = await serve(script)
    for _ in range(3):
        assert await fetch(transport, post(server.url)) == b"abc"
        async with transport.send(post(server.url)) as response:
            assert await anext(response) == b"abc"
            await response.drain()
    assert len(server.connections) == 1


async def test_leaving_early_closes_the_connection(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """Whoever leaves a body unread, or is cancelled in it, hangs up on the provider."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(CHUNKED + b"3\r\nabc\r\n")
        await connection.gone()

    server = await serve(script)
    async with transport.send(post(server.url)) as response:
        assert await anext(response) == b"abc"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await fetch(transport, post(server.url))
    assert len(server.connections) == 2
    async with asyncio.timeout(5):
        for connection in server.connections:
            await connection.closed.wait()


async def test_cancelled_while_waiting_for_headers(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """A call that is cancelled before the provider answered hangs up, too."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.gone()

    server = await serve(script)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await fetch(transport, post(server.url))
    async with asyncio.timeout(5):
        await server.connections[0].closed.wait()


async def test_large_bodies(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """8 MiB go up whole; an answer above the limit is given up."""
    sizes: list[int] = []

    async def script(connection: Connection) -> None:
        sizes.append(len((await connection.request())[1]))
        size = CONFIG.max_response + 1
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        await connection.gone()

    server = await serve(script)
    with pytest.raises(UpstreamError, match="larger than 1048576 bytes"):
        await fetch(transport, post(server.url, b"x" * (8 << 20)))
    assert sizes == [8 << 20]


async def test_read_is_limited(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """`read` stops at its limit, and gives what came when the body is cut."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 500 No\r\nContent-Length: 900\r\n\r\n" + b"x" * 500)

    server = await serve(script)
    for limit, size in ((100, 100), (1000, 500)):
        async with transport.send(post(server.url)) as response:
            assert await response.read(limit) == b"x" * size


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", UpstreamError),
        (b"HTTP/1.1 200 OK\r\nContent-", UpstreamError),
        (b"garbage\r\n\r\n", UpstreamError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", StreamTruncated),
        (CHUNKED, StreamTruncated),
        (CHUNKED + b"3\r\nabc\r\n", StreamTruncated),
        (CHUNKED + b"5\r\nabc", StreamTruncated),
        (CHUNKED + b"3\r\nabc\r\nzz\r\n", UpstreamError),
        (CHUNKED + b"3\r\nabcde\r\n0\r\n\r\n", UpstreamError),
    ],
)
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_broken_answers(
    transport: Transport,
    serve: Callable[[Script], Awaitable[Server]],
    answer: bytes,
    kind: type[GatewayError],
    how: str,
) -> None:
    """An answer that breaks off or is no HTTP is the provider's failure, by its kind."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer)
        if how == "reset":
            await asyncio.sleep(0.05)  # a reset overtakes what was not read yet
            connection.reset()

    server = await serve(script)
    with pytest.raises(GatewayError) as caught:
        await fetch(transport, post(server.url))
    assert type(caught.value) is kind


async def test_garbage_later_in_the_body(serve: Callable[[Script], Awaitable[Server]]) -> None:
    """Chunks that are no chunks, long after the headers, are the provider's failure."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(CHUNKED + b"3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        await connection.send(b"zz\r\n")
        await connection.gone()

    server = await serve(script)
    transport = Transport(TransportConfig())
    await transport.open()
    async with transport.send(post(server.url)) as response:
        assert await anext(response) == b"abc"
        with pytest.raises(UpstreamError, match="not valid HTTP"):
            await anext(response)
    await transport.close()


async def test_bytes_before_a_cut_arrive(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """What came before the cut is handed on first."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n")

    server = await serve(script)
    got = b""
    with contextlib.suppress(StreamTruncated):
        async with transport.send(post(server.url)) as response:
            async for data in response:
                got += data
    assert got == b"abcde"


async def test_silence_before_the_headers(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """No headers in time: UpstreamTimeout, and the provider is hung up on."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.gone()

    server = await serve(script)
    with pytest.raises(UpstreamTimeout, match=r"within 0\.3 seconds"):
        await fetch(transport, post(server.url))
    async with asyncio.timeout(5):
        await server.connections[0].closed.wait()


async def test_silence_in_the_body(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """A body may take any time while bytes come; when they cease, it is given up."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(CHUNKED)
        for _ in range(5):
            await asyncio.sleep(0.15)
            await connection.send(b"1\r\nx\r\n")
        await connection.gone()

    server = await serve(script)
    async with transport.send(post(server.url)) as response:
        assert [await anext(response) for _ in range(5)] == [b"x"] * 5
        with pytest.raises(UpstreamTimeout, match=r"nothing for 0\.3 seconds"):
            await anext(response)
    async with asyncio.timeout(5):
        await server.connections[0].closed.wait()


async def test_the_first_content_must_come_in_time(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """A stream that pings but says nothing is ended; one whose content was seen goes on."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(CHUNKED)
        for _ in range(12):
            await connection.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.1)
        await connection.send(b"0\r\n\r\n")

    server = await serve(script)
    async with transport.send(post(server.url), content_expected=True) as response:
        with pytest.raises(UpstreamTimeout, match=r"no content within 0\.5 seconds"):
            async for _ in response:
                pass
    async with transport.send(post(server.url), content_expected=True) as response:
        response.content_seen()
        assert len([piece async for piece in response]) >= 1


async def test_headers_are_not_waited_for_longer_than_for_the_first_content(
    serve: Callable[[Script], Awaitable[Server]],
) -> None:
    """Some providers send the head of a stream with its first token."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await asyncio.sleep(1)

    server = await serve(script)
    transport = Transport(TransportConfig(response_header_timeout=600.0, first_token_timeout=0.2))
    await transport.open()
    with pytest.raises(UpstreamTimeout, match=r"within 0\.2 seconds"):
        async with transport.send(post(server.url), content_expected=True):
            pass
    await transport.close()


async def test_slow_readers_are_no_silence(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """Who reads slowly loses nothing: only a read that waits counts as the provider's silence."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(CHUNKED + b"3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        await connection.send(b"3\r\ndef\r\n0\r\n\r\n")

    server = await serve(script)
    async with transport.send(post(server.url)) as response:
        assert await anext(response) == b"abc"
        await asyncio.sleep(3 * CONFIG.stream_idle_timeout)
        assert await anext(response) == b"def"


async def test_nobody_listens(transport: Transport, free_port: Callable[[], int]) -> None:
    """Refused connections and hosts that do not exist are unreachable."""
    for host in (f"127.0.0.1:{free_port()}", "localhost:1"):
        with pytest.raises(UpstreamUnreachable):
            await fetch(transport, post(f"http://{host}/"))


async def test_no_tls(transport: Transport, serve: Callable[[Script], Awaitable[Server]]) -> None:
    """A server that does not speak TLS is unreachable by https."""

    async def script(connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = await serve(script)
    with pytest.raises(UpstreamUnreachable):
        await fetch(transport, post(f"https://127.0.0.1:{server.port}/"))


async def test_redirects_are_not_followed(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """A redirect could carry the key to another host: it is handed back as it is."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        )

    server = await serve(script)
    async with transport.send(post(server.url)) as response:
        assert response.status == 302


async def test_cookies_are_not_kept(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """A provider's cookie does not come back with the next caller's request."""
    heads: list[bytes] = []

    async def script(connection: Connection) -> None:
        for _ in range(2):
            heads.append((await connection.request())[0])
            await connection.send(
                b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
            )

    server = await serve(script)
    for _ in range(2):
        await fetch(transport, post(server.url))
    assert b"Cookie" not in heads[1]


async def test_compressed_answers_are_refused(
    transport: Transport, serve: Callable[[Script], Awaitable[Server]]
) -> None:
    """Nothing compressed was asked for; passed on as it is, nobody could read it."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
        )

    server = await serve(script)
    with pytest.raises(UpstreamError, match="compressed"):
        await fetch(transport, post(server.url))


async def test_send_needs_open() -> None:
    """Before `open` and after `close` nothing can be sent; closing twice does no harm."""
    transport = Transport(CONFIG)
    with pytest.raises(RuntimeError):
        transport.send(post("http://127.0.0.1:1/"))
    await transport.open()
    await transport.close()
    await transport.close()
