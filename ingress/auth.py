"""Who may ask: the master key, compared in constant time."""

from __future__ import annotations

import hmac

from sanic.compat import Header

from schemas.errors import Unauthorized

MASTER = "master"


class Auth:
    """Knows the keys. Without a master key the gateway is open."""

    __slots__ = ("_master",)

    def __init__(self, master_key: str | None) -> None:
        self._master = master_key.encode() if master_key else None

    @property
    def open(self) -> bool:
        return self._master is None

    def client(self, headers: Header) -> str | None:
        """The name of the key that the request carries, None on an open gateway; else Unauthorized."""
        if self._master is None:
            return None
        given = _bearer(headers.get("authorization")) or headers.get("x-api-key")
        if given is None:
            raise Unauthorized()
        # Header bytes that are not UTF-8 arrive as surrogates; they must compare, not raise.
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), self._master):
            raise Unauthorized("This API key is not valid.")
        return MASTER


def _bearer(value: str | None) -> str | None:
    """The token of an Authorization header; Unauthorized if it is of another scheme."""
    if not value:
        return None
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("The `Authorization` header must be `Bearer <key>`.")
    return token.strip() or None
