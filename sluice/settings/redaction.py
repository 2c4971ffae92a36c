"""The rows for what is hidden of what is stored and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.redaction import SECRET_HEADERS, Redaction, parsed
from sluice.settings.kinds import Kind
from sluice.settings.setting import Group, Setting

if TYPE_CHECKING:
    from sluice.settings.loading import Settings


def _items(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))


def _headers(text: str) -> tuple[str, ...]:
    return tuple(name.lower() for name in _items(text))


def _paths(text: str) -> tuple[str, ...]:
    found = _items(text)
    for each in found:
        parsed(each)
    return found


HEADERS = Setting[tuple[str, ...]](
    name="SLUICE_REDACT_HEADERS",
    kind=Kind[tuple[str, ...]]("names of headers, separated by commas", _headers, ",".join),
    default=SECRET_HEADERS,
    summary="Headers whose values are hidden in stored exchanges and wherever one is shown.",
)
PATHS = Setting[tuple[str, ...]](
    name="SLUICE_REDACT_PATHS",
    kind=Kind[tuple[str, ...]](
        "JSON paths such as $.user, $.messages[*].content or $..password, separated by commas",
        _paths,
        ",".join,
    ),
    default=(),
    summary="What is hidden of the bodies of stored exchanges and wherever one is shown; a body that is "
    "no JSON is then left out.",
)
GROUP = Group("Redaction", (HEADERS, PATHS))


def rules(settings: Settings) -> Redaction:
    """Both together."""
    headers, paths = settings[HEADERS], settings[PATHS]
    return Redaction(frozenset(headers), tuple(map(parsed, paths)))
