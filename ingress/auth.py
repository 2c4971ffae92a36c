"""Who may ask: the master key, compared in constant time."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs

from sanic.compat import Header

from schemas.errors import Unauthorized

MASTER = "master"
# Beside `Authorization: Bearer`: what Anthropic's, Google's and Azure's SDKs send.
KEY_HEADERS = ("x-api-key", "x-goog-api-key", "api-key")
# https://cloud.google.com/docs/authentication/api-keys-use#using-with-rest
KEY_PARAMETER = "key"


class Auth:
    """Knows the keys. Without a master key the gateway is open."""

    __slots__ = ("_master",)

    def __init__(self, master_key: str | None) -> None:
        self._master = master_key.encode() if master_key else None

    @property
    def open(self) -> bool:
        return self._master is None

    def client(self, headers: Header, query: str = "") -> str | None:
        """The name of the key that the request carries, None on an open gateway; else Unauthorized.

        Each SDK has its own place for the key, and some send two; one that is valid is enough.
        """
        if self._master is None:
            return None
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
        if not any(self._is_master(key) for key in given):
            raise Unauthorized("This API key is not valid.")
        return MASTER

    def _is_master(self, given: str) -> bool:
        assert self._master is not None
        # Header bytes that are not UTF-8 arrive as surrogates; they must compare, not raise.
        return hmac.compare_digest(given.encode(errors="surrogateescape"), self._master)


def _bearer(value: str | None) -> str | None:
    """The token of an Authorization header; Unauthorized if it is of another scheme."""
    if not value:
        return None
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("The `Authorization` header must be `Bearer <key>`.")
    return token.strip() or None
