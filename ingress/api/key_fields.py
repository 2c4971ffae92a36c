"""What the fields of a managed key must look like."""

from __future__ import annotations

from ipaddress import ip_network

from msgspec.structs import replace

from ingress.caller import tidy_path
from schemas.clock import from_rfc3339, rfc3339
from schemas.errors import InvalidRequest
from schemas.keys import ManagedKey

_LONGEST = {"name": 200, "description": 2000}
_MOST = 1000  # entries of a list
_DAY = 86_400.0


def checked(key: ManagedKey) -> ManagedKey:
    """The key with paths and times in their one form; InvalidRequest names the field that is wrong."""
    for name, longest in _LONGEST.items():
        if len(getattr(key, name)) > longest:
            raise InvalidRequest(f"`{name}` may have {longest} characters.", param=name)
    if not key.name.strip():
        raise InvalidRequest("`name` must not be empty.", param="name")
    for name in ("models", "endpoints", "ips", "metadata"):
        if len(getattr(key, name)) > _MOST:
            raise InvalidRequest(f"`{name}` may have {_MOST} entries.", param=name)
    for network in key.ips:
        _network(network)
    return replace(
        key,
        name=key.name.strip(),
        user_path=tidy_path("user_path", key.user_path) if key.user_path else None,
        expires_at=expiry(key.expires_at),
    )


def expiry(given: str | None) -> str | None:
    """A time as RFC 3339, or a day, which is meant to its end (UTC); InvalidRequest."""
    if not given:
        return None
    try:
        if len(given) == 10:
            return rfc3339(from_rfc3339(f"{given}T00:00:00Z") + _DAY)
        return rfc3339(from_rfc3339(given))
    except ValueError as error:
        raise InvalidRequest(
            "`expires_at` must be a time with an offset, as in 2030-01-31T12:00:00Z, or a day.",
            param="expires_at",
        ) from error


def moment(text: str | None) -> float:
    """Epoch seconds; without a text, never."""
    return float("inf") if text is None else from_rfc3339(text)


def _network(text: str) -> None:
    try:
        ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidRequest(f"`ips`: {error}.", param="ips") from error
