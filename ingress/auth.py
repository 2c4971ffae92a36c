"""Who may ask: the master key, compared in constant time, and the managed keys."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from sanic.compat import Header

from ingress.keys import OPEN, Keys, Principal, check_place
from schemas.errors import LogUnavailable, PermissionDenied, Unauthorized
from schemas.keys import ROLES, Role

if TYPE_CHECKING:  # a caller's headers are read with what stands here
    from ingress.gateway import Gateway
    from ingress.guards import IncomingRequest

MASTER = "master"
# Beside `Authorization: Bearer`: what Anthropic's, Google's and Azure's SDKs send.
KEY_HEADERS = ("x-api-key", "x-goog-api-key", "api-key")
# https://cloud.google.com/docs/authentication/api-keys-use#using-with-rest
KEY_PARAMETER = "key"
_MASTER = Principal(MASTER)
_UNREAD = "The keys are not known yet: ask again."


class Auth:
    """Knows the keys. Without any the gateway is open."""

    __slots__ = ("_keys", "_master")

    def __init__(self, master_key: str | None, keys: Keys | None = None) -> None:
        self._master = master_key.encode() if master_key else None
        self._keys = keys

    @property
    def has_master(self) -> bool:
        return self._master is not None

    @property
    def open(self) -> bool:
        """Whether nobody is asked for a key. One managed key closes it, be it deactivated."""
        return self._master is None and not self._keys

    def who(
        self, headers: Header, query: str = "", *, now: float = 0.0, path: str = "", ip: str | None
    ) -> Principal:
        """Whose key the request carries, and whether it may be used so; Unauthorized, PermissionDenied.

        Each SDK has its own place for the key, and some send two; one that is valid is enough.
        """
        keys = self._keys
        if self._master is None and (keys is None or (keys.read and not keys)):
            return OPEN
        for given in self._asked(headers, query):
            if self._is_master(given):
                return _MASTER
            if keys is not None and (known := keys.find(given, now)) is not None:
                check_place(known, path, ip)
                return known.principal
        if keys is not None and not keys.read:
            raise LogUnavailable(_UNREAD, retry_after=1)
        raise Unauthorized("This API key is not valid.")

    def _asked(self, headers: Header, query: str) -> list[str]:
        """The keys of the request; LogUnavailable where it is not known yet whether one is needed."""
        try:
            return _given(headers, query)
        except Unauthorized:
            if self._master is None and self._keys is not None and not self._keys.read:
                raise LogUnavailable(_UNREAD, retry_after=1) from None
            raise

    def _is_master(self, given: str) -> bool:
        # Header bytes that are not UTF-8 arrive as surrogates; they must compare, not raise.
        return self._master is not None and hmac.compare_digest(
            given.encode(errors="surrogateescape"), self._master
        )


def who(gateway: Gateway, request: IncomingRequest) -> Principal:
    """Who asks; Unauthorized, PermissionDenied, LogUnavailable."""
    return gateway.auth.who(
        request.headers,
        request.query_string,
        now=gateway.clock.time(),
        path=request.path.removeprefix(gateway.config.base_path),
        ip=gateway.addresses.client_ip(request),
    )


def must_be(principal: Principal, role: Role) -> None:
    """PermissionDenied if a key has less than the role: a client less than an analyst less than an admin."""
    if ROLES.index(principal.role) > ROLES.index(role):
        raise PermissionDenied(f"This API key has the role {principal.role}: it takes {role}.")


def _given(headers: Header, query: str) -> list[str]:
    """The keys that a request carries, at least one; Unauthorized."""
    given = [found for name in KEY_HEADERS if (found := headers.get(name))]
    if "key=" in query:
        given += parse_qs(query).get(KEY_PARAMETER, ())
    try:
        bearer = _bearer(headers.get("authorization"))
    except Unauthorized:
        if not given:
            raise
        bearer = None
    if bearer is not None:
        given.append(bearer)
    if not given:
        raise Unauthorized()
    return given


def _bearer(value: str | None) -> str | None:
    """The token of an Authorization header; Unauthorized if it is of another scheme."""
    if not value:
        return None
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("The `Authorization` header must be `Bearer <key>`.")
    return token.strip() or None
