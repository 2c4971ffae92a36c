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
# Of an answer that is handed on as it is, all but what belongs to the connection, to the body's form
# or to the provider's own site.
_NOT_RELAYED = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "content-length", "content-type", "content-encoding"),
        *("set-cookie", "server", "date", "via", "alt-svc", "strict-transport-security"),
        *("nel", "report-to", "reporting-endpoints", "expect-ct", "x-powered-by"),
    }
)
_NOT_RELAYED_PREFIXES = ("access-control-", "cf-", "cross-origin-", "sluice-")
_MAX_RELAYED = 4096  # a Location may be long


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


def relayed(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that is handed on as it is, names in lower case."""
    dropped = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    found: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        if name in _NOT_RELAYED or name in dropped or name.startswith(_NOT_RELAYED_PREFIXES):
            continue
        name = _RENAMED.get(name, name)
        if len(value) <= _MAX_RELAYED and value.isascii() and value.isprintable():
            found[name] = f"{found[name]}, {value}" if name in found else value
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
