"""The one place that talks to providers: sends an UpstreamRequest, gives back status, headers and bytes."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, PayloadEncodingError
from msgspec.structs import replace
from multidict import CIMultiDictProxy
from yarl import URL

from providers.base import UpstreamRequest
from providers.config import TransportConfig
from providers.payload import payload
from providers.proxies import Proxies
from schemas.errors import (
    GatewayError,
    StreamTruncated,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)

_USER_AGENT = "sluice"
_PULSE = 1.0  # seconds between looks at a body that waits
_GRACE = 0.25  # seconds for the last bytes of a body whose content is whole
_NOT_HTTP = "The provider's answer is not valid HTTP."
_url = lru_cache(1024)(lambda url: URL(url, encoded=True))


class Transport:
    """A pool of connections to all providers. `send` may be used between `open` and `close`.

    A deadline over a whole call is the caller's business: cancelling closes the connection.
    """

    def __init__(self, config: TransportConfig) -> None:
        self._config = config
        self._proxies = Proxies(config.http_proxy, config.https_proxy, config.no_proxy)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        connector = aiohttp.TCPConnector(
            limit=0, limit_per_host=0, ttl_dns_cache=300, keepalive_timeout=60
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=self._config.connect_timeout,  # with the look-up of the name
                sock_connect=self._config.connect_timeout,
                sock_read=None,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": _USER_AGENT},
            auto_decompress=False,
            raise_for_status=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Closes every connection, idle or not."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def send(self, request: UpstreamRequest, *, content_expected: bool = False) -> Call:
        """`async with transport.send(request) as response:`; entering it raises a GatewayError.

        `content_expected`: it is a stream, whose first content must come within the time for it. Who
        reads it says so by `response.content_seen()`.
        """
        if self._session is None:
            raise RuntimeError("the transport is not open")
        first = self._config.first_token_timeout if content_expected else 0.0
        if request.proxy is None and (proxy := self._proxies.of(request.url)) is not None:
            request = replace(request, proxy=proxy)
        return Call(self._session, self._config, request, first)


class Call:
    """One request on its way; as a context manager it holds the connection."""

    __slots__ = ("_config", "_first", "_request", "_response", "_session")

    def __init__(
        self,
        session: aiohttp.ClientSession,
        config: TransportConfig,
        request: UpstreamRequest,
        first: float,
    ) -> None:
        self._session = session
        self._first = first  # seconds until the first content must be here; 0: no matter when
        self._config = config
        self._request = request
        self._response: UpstreamResponse | None = None

    async def __aenter__(self) -> UpstreamResponse:
        request = self._request
        loop = asyncio.get_running_loop()
        due = loop.time() + self._first if self._first else None
        patience = self._config.response_header_timeout
        if self._first:
            patience = min(patience, self._first)
        try:
            async with asyncio.timeout(patience):
                response = await self._session.request(
                    request.method,
                    _url(request.url),
                    data=payload(request),
                    headers=request.headers,
                    allow_redirects=False,
                    proxy=request.proxy,
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _no_response(error, self._config, patience) from error
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise UpstreamError("The provider compressed its answer, which it was asked not to do.")
        self._response = UpstreamResponse(response, self._config, due)
        return self._response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._response is not None:
            self._response.release()


class UpstreamResponse:
    """A response whose body is still on its way: `async for data in response`.

    Iterating raises a GatewayError when the body is cut, is malformed or falls silent.
    """

    __slots__ = (
        "_config",
        "_content_due",
        "_loop",
        "_response",
        "_since",
        "_size",
        "_timer",
        "_verdict",
        "content_type",
        "headers",
        "status",
    )

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        config: TransportConfig,
        content_due: float | None = None,
    ) -> None:
        self.status = response.status
        self.headers: CIMultiDictProxy[str] = response.headers
        self.content_type = self.headers.get("Content-Type", "application/octet-stream")
        self._response = response
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None  # when the read that waits began
        self._verdict: GatewayError | None = None
        self._size = 0
        self._content_due = content_due  # loop time at which the first content must be here
        # One timer a body, which looks how long the read has waited: a timer a read would cost more
        # than the read.
        first_look = self._loop.time() + min(config.stream_idle_timeout, _PULSE)
        if content_due is not None:
            first_look = min(first_look, content_due)
        self._timer = self._loop.call_at(first_look, self._look)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self._since = self._loop.time()
        try:
            data = await self._response.content.readany()
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise self._cut(error) from error
        finally:
            self._since = None
        if not data:
            raise StopAsyncIteration
        self._size += len(data)
        if self._size > self._config.max_response:
            raise UpstreamError(
                f"The provider's answer is larger than {self._config.max_response} bytes."
            )
        return data

    def content_seen(self) -> None:
        """The first content is here; only silence matters from now on."""
        self._content_due = None

    async def read(self, limit: int) -> bytes:
        """The body, at most `limit` bytes of it, and as much as came if it is cut."""
        pieces, size = [], 0
        try:
            async for data in self:
                pieces.append(data)
                size += len(data)
                if size >= limit:
                    break
        except GatewayError:  # what came of an error body still says what is wrong
            pass
        return b"".join(pieces)[:limit]

    async def drain(self) -> None:
        """Give the end of a body whose content is whole a moment to come, so that the connection lives."""
        try:
            async with asyncio.timeout(_GRACE):
                async for _ in self:
                    pass
        except (GatewayError, TimeoutError):
            return

    def release(self) -> None:
        """Back to the pool if the body was read to its end; else the connection is closed."""
        self._timer.cancel()
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()

    def _look(self) -> None:
        """Ends a read that waits for what will not come; it fails as soon as the response is closed."""
        now = self._loop.time()
        # A caller that does not read is not the provider's silence.
        due = (now if self._since is None else self._since) + self._config.stream_idle_timeout
        if now >= due:
            self._verdict = UpstreamTimeout(
                f"The provider sent nothing for {self._config.stream_idle_timeout:g} seconds."
            )
        elif self._content_due is not None and now >= self._content_due:
            self._verdict = UpstreamTimeout(
                f"The provider sent no content within {self._config.first_token_timeout:g} seconds."
            )
        elif self._lost_unnoticed():
            self._verdict = UpstreamError(_NOT_HTTP)
        else:
            due = min(due, now + _PULSE)
            if self._content_due is not None:
                due = min(due, self._content_due)
            self._timer = self._loop.call_at(due, self._look)
            return
        self._response.close()

    def _lost_unnoticed(self) -> bool:
        """aiohttp (3.14) closes the connection at a malformed chunk and leaves the body's reader waiting."""
        connection, content = self._response.connection, self._response.content
        return (
            connection is not None
            and connection.transport is None
            and not content.is_eof()
            and content.exception() is None
        )

    def _cut(self, error: Exception) -> GatewayError:
        if self._verdict is not None:
            return self._verdict
        cause = error if isinstance(error, HttpProcessingError) else error.__cause__
        # A PayloadEncodingError is the parser's word for a connection that ended too early.
        if isinstance(cause, HttpProcessingError) and not isinstance(cause, PayloadEncodingError):
            return UpstreamError(_NOT_HTTP)
        return StreamTruncated()


def _no_response(error: Exception, config: TransportConfig, patience: float) -> GatewayError:
    """What it means that no response headers came."""
    if isinstance(error, aiohttp.ServerTimeoutError):
        return UpstreamTimeout(
            f"No connection to the provider within {config.connect_timeout:g} seconds."
        )
    if isinstance(error, TimeoutError):
        return UpstreamTimeout(f"The provider did not begin to answer within {patience:g} seconds.")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return UpstreamUnreachable(f"The proxy refused the way: HTTP {error.status}.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamUnreachable(f"The provider could not be reached: {error}.")
    if isinstance(error, aiohttp.ClientResponseError):
        return UpstreamError(_NOT_HTTP)
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return UpstreamError("The provider closed the connection before it answered.")
    return UpstreamError(f"The provider cannot be called: {error}.")
