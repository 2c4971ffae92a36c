"""The rows for browsers, and what they mean together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ingress.config import ANY_ORIGIN as ANY, CorsConfig
from sluice.settings.kinds import BOOLEAN, Kind
from sluice.settings.setting import Group, Setting

if TYPE_CHECKING:
    from sluice.settings.loading import Settings

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def _origin(text: str) -> str:
    """As browsers write it: scheme and host in lower case, no path."""
    if text in (ANY, "null"):
        return text
    parts = urlsplit(text)  # ValueError for bad ports and brackets
    beyond = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if not _SCHEME.fullmatch(parts.scheme) or not parts.netloc or beyond or not text.isascii():
        raise ValueError(f"{text!r} is no origin")
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    host = parts.netloc.lower()
    return f"{parts.scheme}://{host.removesuffix(usual) if usual else host}"


def _origins(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(_origin(each.strip()) for each in text.split(",") if each.strip()))
    if ANY in found and len(found) > 1:
        raise ValueError("* stands alone")
    return found


ORIGINS = Kind(
    "origins such as https://app.example.com, separated by commas, or * for any", _origins, ",".join
)
ALLOWED_ORIGINS = Setting[tuple[str, ...]](
    name="CORS_ALLOWED_ORIGINS",
    kind=ORIGINS,
    default=(),
    summary="Whose pages may ask the gateway from a browser, on all routes but those of the admin API.",
    unset="a browser lets no page of another origin read an answer",
)
ALLOW_CREDENTIALS = Setting(
    name="CORS_ALLOW_CREDENTIALS",
    kind=BOOLEAN,
    default=False,
    summary="Whether such pages may send cookies along, for a proxy in front: the gateway itself reads "
    "none. Not with `*`.",
)
GROUP = Group("Browsers", (ALLOWED_ORIGINS, ALLOW_CREDENTIALS))


def config(settings: Settings) -> CorsConfig | None:
    """None: nothing is said to browsers."""
    origins = settings[ALLOWED_ORIGINS]
    return CorsConfig(origins, settings[ALLOW_CREDENTIALS]) if origins else None


def contradictions(settings: Settings) -> Iterator[str]:
    """What is right by itself and wrong together."""
    if settings[ALLOW_CREDENTIALS] and ANY in settings[ALLOWED_ORIGINS]:
        yield (
            f"{ALLOW_CREDENTIALS.name} is true and {ALLOWED_ORIGINS.name} is *: with credentials every "
            "origin must be named"
        )
