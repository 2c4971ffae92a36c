"""The way to an address, as Go reads the variables."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from providers.base import UpstreamRequest
from providers.config import TransportConfig
from providers.proxies import Proxies
from providers.transport import Transport
from schemas.errors import UpstreamUnreachable

PROXIES = Proxies(
    "http://plain:3128",
    "secure:3129",
    "exact.example, .below.example,10.0.0.0/8, 192.168.1.1,port.example:8443,[2001:db8::1], *.star.example",
)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://far.example/v1", "http://plain:3128"),
        ("https://far.example/v1", "http://secure:3129"),
        ("https://exact.example/v1", None),
        ("https://api.exact.example/v1", None),
        ("https://inexact.example/v1", "http://secure:3129"),
        ("https://below.example/v1", "http://secure:3129"),
        ("https://api.below.example/v1", None),
        ("https://api.star.example/v1", None),
        ("http://10.1.2.3:8000/v1", None),
        ("http://192.168.1.1/v1", None),
        ("http://192.168.1.2/v1", "http://plain:3128"),
        ("https://port.example:8443/v1", None),
        ("https://port.example/v1", "http://secure:3129"),
        ("http://[2001:db8::1]/v1", None),
        ("http://localhost:11434/v1", None),
        ("http://127.0.0.1:8000/v1", None),
        ("http://[::1]:8000/v1", None),
    ],
)
def test_ways(url: str, proxy: str | None) -> None:
    """The proxy of the scheme, but for what is exempt and for this machine."""
    assert PROXIES.of(url) == proxy


def test_all_are_exempt() -> None:
    """`*` exempts everything, and without proxies every way is direct."""
    assert Proxies("http://p", "http://p", "*").of("https://far.example") is None
    assert Proxies().of("https://far.example") is None


class Proxy:
    """Answers what it is asked in the form for proxies, and remembers it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.partition("\r\n")[0])
        refused = "refused.example" in head
        status = b"403 Forbidden" if refused else b"200 OK"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" % status)
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    found = Proxy()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield found


async def test_requests_go_through_the_proxy(proxy: Proxy) -> None:
    """The one that is configured for the address, or the request's own, which counts more."""
    for config, own in (
        (TransportConfig(http_proxy=proxy.url), None),
        (TransportConfig(http_proxy="http://127.0.0.1:1"), proxy.url),
    ):
        transport = Transport(config)
        await transport.open()
        sent = UpstreamRequest("GET", "http://far.example/v1/models", {}, proxy=own)
        async with transport.send(sent) as response:
            assert await response.read(10) == b"ok"
        await transport.close()
    assert proxy.asked == ["GET http://far.example/v1/models HTTP/1.1"] * 2


async def test_a_proxy_that_refuses(proxy: Proxy) -> None:
    """To https:// a tunnel is asked for; who refuses it keeps the provider out of reach."""
    transport = Transport(TransportConfig(https_proxy=proxy.url))
    await transport.open()
    with pytest.raises(UpstreamUnreachable, match="proxy"):
        async with transport.send(UpstreamRequest("GET", "https://refused.example/", {})):
            pass
    await transport.close()
    assert proxy.asked == ["CONNECT refused.example:443 HTTP/1.1"]
