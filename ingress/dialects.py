"""Which of the dialects a caller speaks: by its path, and where several share one, by its headers."""

from __future__ import annotations

import re

from sanic.compat import Header

from schemas.requests import Dialect

# What is asked of a model stands behind a colon at the end of its path; the name itself may hold
# colons and slashes. https://ai.google.dev/api
ACTIONS = (
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
)
_ACTION = re.compile(rb"(?::|%3[Aa])(?:" + "|".join(ACTIONS).encode() + rb")\Z")
# The first that fits counts. Also of paths below them that do not exist: the sender's SDK is the same.
_PATHS: tuple[tuple[re.Pattern[bytes], Dialect], ...] = (
    (re.compile(rb"/v1/messages(?![^/?])|/anthropic(?![^/?])"), "anthropic"),
    (re.compile(rb"/v1beta(?![^/?])|/gemini(?![^/?])"), "gemini"),
    (re.compile(rb"/v1/responses(?![^/?])"), "openai_responses"),
    (re.compile(rb"/v1/completions(?![^/?])"), "openai_completions"),
    (re.compile(rb"/v1/(?:chat|embeddings)(?![^/?])"), "openai_chat"),
    # Handed on to a provider: by what the path behind its name is.
    (re.compile(rb"/p/[^/?]+(?:/v\d\w*)?/messages(?![^/?])"), "anthropic"),
    (re.compile(rb"/p/[^/?]+(?:/v\d\w*)?/responses(?![^/?])"), "openai_responses"),
    (re.compile(rb"/p/[^/?]+/v1(?:alpha|beta)(?![^/?])"), "gemini"),
)
_HEADERS: tuple[tuple[str, Dialect], ...] = (
    ("anthropic-version", "anthropic"),
    ("x-goog-api-key", "gemini"),
    ("x-goog-api-client", "gemini"),
)


def dialect_of(url: bytes, headers: Header) -> Dialect:
    """The dialect of whoever asks for that path (below the gateway's own prefix)."""
    for pattern, dialect in _PATHS:
        if pattern.match(url):
            return dialect
    if b"/models/" in url and _asks_a_model(url.partition(b"?")[0]):
        return "gemini"
    for name, dialect in _HEADERS:
        if name in headers:
            return dialect
    return "openai_chat"


def _asks_a_model(path: bytes) -> bool:
    found = _ACTION.search(path)
    return found is not None and b"/models/" in path[: found.start()]
