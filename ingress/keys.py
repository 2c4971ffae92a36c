"""Managed keys as an ingress looks them up: by hash, and what each may do."""

from __future__ import annotations

import hmac
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from msgspec import Struct

from schemas.clock import from_rfc3339
from schemas.errors import ModelAccessDenied, PermissionDenied, Unauthorized
from schemas.keys import ManagedKey, Role, secret_hash
from schemas.objects import Table

FOR_EVER = float("inf")


class Principal(Struct, frozen=True):
    """Who asks: nobody in particular on an open gateway, the holder of the master key, or of a managed one."""

    name: str | None = None  # of the key; stands in documents as `client`
    role: Role = "admin"
    key: ManagedKey | None = None

    def path(self, given: str) -> str:
        """The user path of its requests: what they say, but for a key of one path only that or one below."""
        own = self.key.user_path if self.key is not None else None
        if own is None or own == "/" or given == own or given.startswith(own + "/"):
            return given
        return own

    def check_model(self, *names: str) -> None:
        """ModelAccessDenied if the key may ask for none of the names that a model goes by."""
        if self.key is None or not self.key.models:
            return
        if not any(fnmatchcase(name, each) for each in self.key.models for name in names):
            raise ModelAccessDenied(f"This API key may not use `{names[0][:200]}`.", param="model")


OPEN = Principal()


class _Known(Struct):
    """A value of a key, ready to be compared."""

    hash: str
    until: float  # epoch seconds
    principal: Principal
    networks: tuple[IPv4Network | IPv6Network, ...]


class Keys:
    """All values of all managed keys. Follows the table: what is changed there is in force at once."""

    def __init__(self, table: Table[ManagedKey]) -> None:
        self.table = table
        self.read = False  # whether all of the log was read: before, nobody can be called unknown
        self._by_hash: dict[str, _Known] = {}
        self._hashes: dict[str, list[str]] = {}  # by id
        table.watch(self._changed)

    def __len__(self) -> int:
        return len(self.table)

    def find(self, given: str, now: float) -> _Known | None:
        """The key of that value, if it may be used now; None if there is none."""
        hashed = secret_hash(given)
        known = self._by_hash.get(hashed) if hashed is not None else None
        if known is None or hashed is None or not hmac.compare_digest(known.hash, hashed):
            return None
        return known if now < known.until else None

    def _changed(self, name: str, key: ManagedKey | None) -> None:
        for hashed in self._hashes.pop(name, ()):
            self._by_hash.pop(hashed, None)
        if key is None or key.deactivated_at is not None:
            return
        principal = Principal(key.id, key.role, key)
        networks = tuple(ip_network(each, strict=False) for each in key.ips)
        until = _moment(key.expires_at)
        values = {key.secret_hash: until}
        for former in key.former:
            values[former.secret_hash] = min(until, _moment(former.expires_at))
        for hashed, end in values.items():
            self._by_hash[hashed] = _Known(hashed, end, principal, networks)
        self._hashes[name] = list(values)


def check_place(known: _Known, path: str, client_ip: str | None) -> None:
    """Unauthorized if the key may not be used from there, PermissionDenied if not for that path."""
    key = known.principal.key
    assert key is not None
    if known.networks:
        address = ip_address(client_ip) if client_ip else None
        if address is None or not any(address in network for network in known.networks):
            raise Unauthorized("This API key may not be used from this address.")
    if key.endpoints and not any(fnmatchcase(path, each) for each in key.endpoints):
        raise PermissionDenied("This API key may not be used for this path.")


def _moment(text: str | None) -> float:
    return FOR_EVER if text is None else from_rfc3339(text)
