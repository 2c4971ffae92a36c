"""Reading the fields of an instance's configuration."""

from __future__ import annotations

from urllib.parse import urlsplit


class BadVariable(ValueError):
    """A variable or key of a provider that cannot be used; the message begins with its name."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable} {reason}")
        self.variable = variable


def checked_url(url: str, called: str) -> str:
    """The URL without a slash at its end; BadVariable if nothing can be called at it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise BadVariable(called, f"is no URL: {error}") from error
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise BadVariable(called, "is no http:// or https:// URL")
    if parts.query or parts.fragment:
        raise BadVariable(called, "must have neither a query nor a fragment")
    return url.rstrip("/")


def header_value(value: str, called: str) -> str:
    """The text, if a header may hold it."""
    if not (value.isascii() and value.isprintable()):
        raise BadVariable(called, "holds characters that no HTTP header takes")
    return value


def positive(value: str, called: str) -> int:
    """A count."""
    if not (value.isascii() and value.isdecimal() and 0 < int(value) < 1 << 31):
        raise BadVariable(called, "is no whole number above 0")
    return int(value)


def listed(text: str) -> tuple[str, ...]:
    """A comma list, in its order, each once."""
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
