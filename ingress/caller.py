"""What the headers say about who asks: request id, user path, trace, address."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from msgspec import Struct
from sanic.compat import Header

from ingress.auth import KEY_HEADERS, who
from ingress.draft import Draft
from ingress.guards import IncomingRequest
from ingress.keys import Principal
from schemas.envelopes import JSON
from schemas.errors import InvalidRequest, UnsupportedMediaType
from schemas.ids import new_id

if TYPE_CHECKING:
    from ingress.gateway import Gateway

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,256}")
# W3C Trace Context: version ff is forbidden, and so are ids of zeros only.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
USER_PATH_HEADERS = ("x-sluice-user-path", "x-gomodel-user-path")
MAX_USER_PATH = 1024
# OpenAI's organization, project and betas, and what providers that speak its dialect ask for beside.
OPENAI_HEADERS = ("openai-", "x-grok-conv-id", "http-referer", "x-title", "x-openrouter-title")


class Caller(Struct, frozen=True):
    """Everything that a request's headers say about its sender."""

    principal: Principal
    client_ip: str | None
    client_request_id: str | None
    user_path: str
    traceparent: str | None

    @property
    def client(self) -> str | None:
        """The name of the key."""
        return self.principal.name

    @property
    def models(self) -> tuple[str, ...]:
        """Patterns of what its key may ask for; empty: anything."""
        return () if self.principal.key is None else self.principal.key.models

    @property
    def log_bodies(self) -> bool:
        """Whether its key lets bodies be stored."""
        return self.principal.key is None or self.principal.key.log_bodies


def identify(request: IncomingRequest, milliseconds: int, slot: int) -> None:
    """Give the request our id, and its caller's; InvalidRequest if that one could not be echoed."""
    request.gateway_id = new_id(milliseconds, slot)
    request.client_request_id = client_request_id(request.headers)


def caller_of(gateway: Gateway, request: IncomingRequest) -> Caller:
    """Who asks; what is known of it stands in the request's draft, too. Unauthorized and what else `who` raises,
    InvalidRequest, UnsupportedMediaType."""
    headers = request.headers
    principal = who(gateway, request)
    request.draft = Draft(principal, gateway.addresses.client_ip(request))
    check_coding(headers)
    caller = request.draft.caller = Caller(
        principal,
        request.draft.client_ip,
        request.client_request_id,
        principal.path(user_path(headers)),
        traceparent(headers) if request.span is None else request.span.traceparent,
    )
    return caller


def client_request_id(headers: Header) -> str | None:
    """The caller's X-Request-ID; InvalidRequest if it could not be echoed as it is."""
    given: str | None = headers.get("x-request-id")
    if given is None:
        return None
    if _REQUEST_ID.fullmatch(given) is None:
        raise InvalidRequest("`X-Request-ID` must be 1 to 256 visible ASCII characters.")
    return given


def traceparent(headers: Header) -> str | None:
    """The W3C trace context, None if there is none or it is invalid (the standard says: ignore it)."""
    given: str | None = headers.get("traceparent")
    if given is None or len(given) > 512 or _TRACEPARENT.fullmatch(given) is None:
        return None
    if given.startswith("00") and len(given) != 55:
        return None
    return given


def user_path(headers: Header) -> str:
    """The tenant label `/a/b/c`: slashes are tidied, `/` if none is given; InvalidRequest if it is bad."""
    for name in USER_PATH_HEADERS:
        if (given := headers.get(name)) is not None:
            return tidy_path(_TITLES[name], given)
    return "/"


@lru_cache(maxsize=1024)
def tidy_path(name: str, given: str) -> str:
    """The same of what stands in a header or field of that name; InvalidRequest."""
    segments = [segment for segment in given.strip().split("/") if segment]
    readable = given.isascii() and given.isprintable() and len(given) <= MAX_USER_PATH
    if not readable or ":" in given or "." in segments or ".." in segments:
        raise InvalidRequest(f"invalid {name}: write /a/b/c, without `.`, `..` or `:` in it.")
    return "/" + "/".join(segments)


_TITLES = {
    "x-sluice-user-path": "X-Sluice-User-Path header",
    "x-gomodel-user-path": "X-GoModel-User-Path header",
}


def drop_params(headers: Header, default: bool) -> bool:
    """Whether what a provider cannot be told may be left out."""
    given: str | None = headers.get("sluice-drop-params")
    if given is None:
        return default
    if given not in ("true", "false"):
        raise InvalidRequest("`sluice-drop-params` must be true or false.")
    return given == "true"


def passed_headers(headers: Header, prefixes: tuple[str, ...]) -> dict[str, str]:
    """The headers that a provider must see, names in lower case, several of one name joined."""
    found: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        if name.startswith(prefixes) and value.isascii() and value.isprintable():
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


# Of a request that is handed on as it is, what stays here: credentials, what belongs to the
# connection or to the proxies before us, and what is said to the gateway itself.
_NOT_RELAYED = frozenset(
    {
        *("authorization", "proxy-authorization", *KEY_HEADERS, "cookie", "cookie2", "set-cookie"),
        *("host", "connection", "keep-alive", "proxy-connection", "te", "trailer", "expect"),
        *("transfer-encoding", "upgrade", "content-length", "content-type", "content-encoding"),
        *("accept-encoding", "forwarded", "via", "x-real-ip", "true-client-ip", "origin"),
        *("traceparent", "tracestate", "baggage"),
    }
)
_NOT_RELAYED_PREFIXES = ("x-forwarded-", "x-gomodel-", "x-sluice-", "sluice-", "cf-", "sec-")


def relayed_headers(headers: Header) -> dict[str, str]:
    """All that go with a request that is handed on as it is, names in lower case."""
    named = ",".join(headers.getall("connection", ())).lower().split(",")
    left_out = _NOT_RELAYED.union(name.strip() for name in named)
    return {
        name: value
        for name, value in passed_headers(headers, ("",)).items()
        if name not in left_out and not name.startswith(_NOT_RELAYED_PREFIXES)
    }


def content_type(headers: Header) -> str:
    """The body's type, JSON if none is given; UnsupportedMediaType if it is no text."""
    given: str = headers.get("content-type") or JSON
    if not (given.isascii() and given.isprintable()):
        raise UnsupportedMediaType("`Content-Type` must be visible ASCII characters.")
    return given


def check_coding(headers: Header) -> None:
    """UnsupportedMediaType if the body is compressed: it goes into the log as it came."""
    coding = headers.get("content-encoding")
    if coding is not None and coding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType()


class Addresses:
    """Finds the client's address behind the proxies that are trusted to name it."""

    __slots__ = ("_trusted", "is_trusted")

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._trusted = [ip_network(network, strict=False) for network in trusted]
        self.is_trusted = lru_cache(maxsize=4096)(self._is_trusted)

    def client_ip(self, request: IncomingRequest) -> str | None:
        """The peer, or what the right-most untrusted entry of X-Forwarded-For says if it is a proxy of ours."""
        peer: str | None = request.conn_info.client_ip if request.conn_info else None
        if not self._trusted or peer is None or not self.is_trusted(peer):
            return peer or None
        client = peer
        hops = ",".join(request.headers.getall("x-forwarded-for", ())).split(",")
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:
                break  # a proxy that we trust does not write that; further left is anyone's
            client = address
            if not self.is_trusted(address):
                break
        return client

    def _is_trusted(self, address: str) -> bool:
        found = ip_address(address)
        return any(_within(found, network) for network in self._trusted)


def _within(address: object, network: IPv4Network | IPv6Network) -> bool:
    return address in network


def _address(hop: str) -> str | None:
    """An address as proxies write it: bare, `[v6]`, or with a port."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
