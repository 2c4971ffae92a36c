"""Checks that ask somebody: OpenAI's moderation, a service of one's own."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct
from typing_extensions import override

from providers.base import Target, UpstreamRequest
from providers.transport import Transport
from schemas.errors import UpstreamError, UpstreamTimeout
from schemas.guardrails import Moderation, Phase, Webhook
from schemas.requests import Request

MAX_ANSWER = 1 << 20
_encode = msgspec.json.Encoder().encode


class Question(Struct, frozen=True):
    """What is to be judged."""

    name: str  # of the guardrail
    phase: Phase
    request: Request
    model: str  # as asked for
    texts: tuple[tuple[str, str], ...]  # role and text


class _Result(Struct):
    flagged: bool = False
    categories: dict[str, bool | None] = {}
    category_scores: dict[str, float] = {}


class _Moderated(Struct):
    results: list[_Result]


class _Decision(Struct):
    action: str
    reason: str = ""


_moderated = msgspec.json.Decoder(_Moderated).decode
_decision = msgspec.json.Decoder(_Decision).decode


class PrivateAddress(OSError):
    """A webhook's name leads into the own network."""


class _Guarded(AbstractResolver):
    """Looks names up, and hands out no address of a private network: the connection goes to the very
    address that was looked at."""

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, family=family
        )
        public = [(kind, proto, at) for kind, _, proto, _, at in found if is_public(str(at[0]))]
        if not public:
            raise PrivateAddress(f"{host} is an address of a private network")
        return [
            ResolveResult(
                hostname=host, host=str(at[0]), port=port, family=kind, proto=proto, flags=0
            )
            for kind, proto, at in public
        ]

    @override
    async def close(self) -> None:
        return


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet, not to this machine or its network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is not None:
            found = inner
    return found.is_global and not found.is_multicast


class Remote:
    """Asks. `close` closes its connections."""

    def __init__(
        self,
        instance: Callable[[str], Target],
        transport: Transport,
        *,
        private: bool = False,
    ) -> None:
        """`private`: webhooks may lead into the own network."""
        self._instance = instance
        self._transport = transport
        self._private = private
        self._session: aiohttp.ClientSession | None = None

    async def moderated(self, config: Moderation, question: Question) -> str | None:
        """The reason to refuse, None if there is none; GatewayError if it cannot be told."""
        endpoint = self._instance(config.provider).endpoint
        body = _encode({"model": config.model, "input": [text for _, text in question.texts]})
        headers = {**endpoint.headers, "content-type": "application/json"}
        sent = UpstreamRequest("POST", endpoint.relay_url("/moderations"), headers, body)
        try:
            async with asyncio.timeout(config.timeout), self._transport.send(sent) as response:
                answer = await response.read(MAX_ANSWER)
        except TimeoutError:
            raise UpstreamTimeout from None
        if response.status != 200:
            raise UpstreamError(f"The moderation answered {response.status}.")
        try:
            results = _moderated(answer).results
        except msgspec.DecodeError as error:
            raise UpstreamError("The moderation's answer cannot be read.") from error
        named = dict.fromkeys(each for result in results for each in _flagged(config, result))
        return ", ".join(named) or None

    async def decided(self, config: Webhook, question: Question) -> str | None:
        """The same of a webhook."""
        body = {
            "guardrail": question.name,
            "phase": question.phase,
            "request_id": question.request.request_id,
            "model": question.model,
            "dialect": question.request.dialect,
            "user_path": question.request.user_path,
            "client": question.request.client,
            "texts": [{"role": role, "text": text} for role, text in question.texts],
        }
        answer = await self._posted(config, _encode(body))
        try:
            found = _decision(answer)
        except msgspec.DecodeError as error:
            raise UpstreamError("The webhook's answer is no decision.") from error
        if found.action not in ("allow", "block"):
            raise UpstreamError("The webhook's `action` is neither allow nor block.")
        return None if found.action == "allow" else found.reason[:500] or "refused"

    async def _posted(self, config: Webhook, body: bytes) -> bytes:
        host = urlsplit(config.url).hostname or ""
        if not self._private and _is_literal(host) and not is_public(host):
            raise UpstreamError(
                "The webhook's address is private: WEBHOOK_ALLOW_PRIVATE allows it."
            )
        headers = {**config.headers, "content-type": "application/json"}
        try:
            async with (
                asyncio.timeout(config.timeout),
                self._opened().post(
                    config.url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                answer = await response.content.read(MAX_ANSWER)
        except TimeoutError:
            raise UpstreamTimeout from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError(f"The webhook cannot be asked: {type(error).__name__}.") from error
        if response.status != 200:
            raise UpstreamError(f"The webhook answered {response.status}.")
        return answer

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = None if self._private else _Guarded()
            connector = aiohttp.TCPConnector(resolver=resolver, ttl_dns_cache=60)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _flagged(config: Moderation, result: _Result) -> Sequence[str]:
    """The categories for which a text is refused."""
    threshold = config.threshold
    if threshold is not None:
        named: list[str] = [n for n, score in result.category_scores.items() if score >= threshold]
    else:
        named = [name for name, flagged in result.categories.items() if flagged]
    if config.categories:
        return [name for name in named if name in config.categories]
    return named or (["flagged"] if threshold is None and result.flagged else [])
