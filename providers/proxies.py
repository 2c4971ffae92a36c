"""Which proxy stands on the way to an address: HTTP_PROXY, HTTPS_PROXY and NO_PROXY."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}


class Proxies:
    """As Go's `net/http` reads them, so that what worked for GoModel works here.

    https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
    """

    def __init__(
        self, http: str | None = None, https: str | None = None, no_proxy: str = ""
    ) -> None:
        self._by_scheme = {"http": http, "https": https}
        self._exempt = [entry.strip().lower() for entry in no_proxy.split(",") if entry.strip()]
        self.of = lru_cache(256)(self._of)

    def _of(self, url: str) -> str | None:
        """The URL of the proxy to that address, None for the direct way."""
        parts = urlsplit(url)
        proxy = self._by_scheme.get(parts.scheme)
        if not proxy or self._is_exempt(parts):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"

    def _is_exempt(self, parts: SplitResult) -> bool:
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or _PORTS.get(parts.scheme, 0)
        address = _address(host)
        if host == "localhost" or (address is not None and address.is_loopback):
            return True
        return any(_matches(entry, host, port, address) for entry in self._exempt)


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _matches(entry: str, host: str, port: int, address: _Address | None) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, given = entry.rpartition(":")
    if colon and given.isdecimal() and (":" not in name or name.startswith("[")):
        if int(given) != port:
            return False
        entry = name
    entry = entry.strip("[]")
    if address is not None or _address(entry) is not None:
        return address is not None and _address(entry) == address
    suffix = entry.removeprefix("*")
    # `example.com` is itself and all below it, `.example.com` only what is below it.
    return host == suffix or host.endswith(suffix if suffix.startswith(".") else f".{suffix}")
