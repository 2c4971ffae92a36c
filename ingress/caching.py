"""What a caller's headers say of caches, as one text for the worker."""

from __future__ import annotations

from sanic.compat import Header

_LONGEST = 2048
_PLAIN = ("cache-control", "x-cache-control")
_NAMED = {
    "x-cache-type": "type",
    "x-cache-ttl": "ttl",
    "x-cache-semantic-threshold": "threshold",
}


def directives(headers: Header) -> str | None:
    """As in `Cache-Control`, with our own beside HTTP's; None if nothing is said that can be read."""
    found: list[str] = []
    for name in _PLAIN:
        found += headers.getall(name, ())
    for name, word in _NAMED.items():
        if (value := headers.get(name)) is not None:
            found.append(f"{word}={value.partition(',')[0].strip()}")
    for value in headers.getall("x-cache-tags", ()):
        found += [f"tag={tag.strip()}" for tag in value.split(",") if tag.strip()]
    text = ", ".join(found)
    return (
        text if text and text.isascii() and text.isprintable() and len(text) <= _LONGEST else None
    )
