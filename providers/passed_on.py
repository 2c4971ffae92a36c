"""Which of a provider's response headers reach the caller."""

from __future__ import annotations

from collections.abc import Mapping

_AS_THEY_ARE = frozenset(
    {
        "retry-after",
        "retry-after-ms",
        "openai-organization",
        "openai-processing-ms",
        "openai-version",
        "azureml-model-session",
        "x-groq-region",
    }
)
_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
# A request id of theirs must not be taken for ours.
_RENAMED = {
    "x-request-id": "x-upstream-request-id",
    "request-id": "x-upstream-request-id",
    "apim-request-id": "x-upstream-request-id",
    "opc-request-id": "x-upstream-request-id",
}
_MAX_VALUE = 512


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth passing on, by an allow-list, names in lower case."""
    found: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        if name in _RENAMED:
            name = _RENAMED[name]
        elif name not in _AS_THEY_ARE and not name.startswith(_PREFIXES):
            continue
        if len(value) <= _MAX_VALUE and value.isascii() and value.isprintable():
            found[name] = value
    return found


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds that the provider asks to wait, rounded up; None if it does not say so in seconds."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            wait = float(headers.get(name, ""))
        except ValueError:
            continue
        if 0 <= wait < 1e9:
            return -int(-wait // unit)
    return None
