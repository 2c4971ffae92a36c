"""Errors as OpenAI writes them: https://platform.openai.com/docs/guides/error-codes"""

from __future__ import annotations

from sluice.sim.ask import Refused
from sluice.sim.base import encode

HEADERS = {"openai-version": "2020-10-01"}
# Status: type and code.
_KINDS: dict[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", None),
    429: ("requests", "rate_limit_exceeded"),
}


def error(refused: Refused) -> bytes:
    """The body of an error answer."""
    other = ("server_error" if refused.status >= 500 else "invalid_request_error", None)
    kind, code = _KINDS.get(refused.status, other)
    told = {
        "message": refused.message,
        "type": kind,
        "param": refused.param,
        "code": refused.code or code,
    }
    return encode({"error": told})


def in_band() -> bytes:
    """An error inside an answer."""
    message = "The simulated provider was asked to fail."
    return encode({"error": {"message": message, "type": "server_error", "code": 503}})
