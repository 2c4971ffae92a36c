"""The HTTP headers of a request to a provider."""

from __future__ import annotations

from providers.base import Endpoint
from schemas.requests import Request

# Ours alone: what proves who calls, and what HTTP needs to frame a message. A record on the log may
# name any header.
_OURS = frozenset(
    {
        *(
            "authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "cookie",
            "proxy-authorization",
        ),
        *("host", "content-type", "content-length", "content-encoding", "accept-encoding"),
        *("transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"),
    }
)
_MAX_REQUEST_ID = 512  # https://platform.openai.com/docs/api-reference/debugging-requests


def upstream_headers(request: Request, endpoint: Endpoint, *, stream: bool) -> dict[str, str]:
    """Those of a JSON request; the caller's own win over the endpoint's, but for keys and framing."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if stream else "application/json",
        **endpoint.headers,
    }
    if request.http_headers:
        taken = {name.lower(): name for name in headers}
        for name, value in request.http_headers.items():
            if name not in _OURS:
                headers[taken.get(name, name)] = value
    logged, own = endpoint.request_id_header, request.request_id
    if logged and len(own) <= _MAX_REQUEST_ID and own.isascii() and own.isprintable():
        headers[logged] = own
    for quirk in endpoint.header_quirks:
        headers = quirk(headers, request)
    return headers
