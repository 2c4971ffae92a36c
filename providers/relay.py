"""Requests that are handed on as they are, and answers that come back untouched.

Where the path is one that we know, the dialect's own decoder looks on, so that what was used is
accounted for; it changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from msgspec.structs import replace

from providers.base import Decoder, Dialogue, Endpoint, PassThrough, Target, UpstreamRequest
from providers.failure import failed
from providers.file_body import whole
from providers.headers import upstream_headers
from providers.passed_on import relayed
from schemas.envelopes import EVENT_STREAM, JSON, error_body, error_event
from schemas.errors import GatewayError, InvalidRequest, StreamTruncated
from schemas.replies import Chunk, Completed, Failed, Reply
from schemas.requests import Dialect, Operation, Relay, Request

_VERSION = re.compile(r"/v\d\w*(?=[/?]|$)")
# What may stand before OpenAI's paths: its name, a version, a model that is deployed under a name.
_BEFORE = r"(?:/openai)?(?:/v\d\w*)?(?:/deployments/[^/]+)?"
# Path behind the base URL and its version -> how the dialogue there is known in `Endpoint.routes`,
# and what it is to us.
_KNOWN: tuple[tuple[re.Pattern[str], str, Operation, Dialect], ...] = (
    (re.compile(rf"{_BEFORE}/chat/completions"), "openai_chat", "chat", "openai_chat"),
    (re.compile(rf"{_BEFORE}/completions"), "openai_completions", "chat", "openai_completions"),
    (re.compile(rf"{_BEFORE}/responses"), "openai_responses", "chat", "openai_responses"),
    (re.compile(rf"{_BEFORE}/embeddings"), "openai_embeddings", "embeddings", "openai_chat"),
    (re.compile(r"/messages"), "anthropic", "chat", "anthropic"),
    (re.compile(r"/models/(?P<model>.+):generateContent"), "gemini", "chat", "gemini"),
    (re.compile(r"/models/(?P<model>.+):streamGenerateContent"), "gemini", "chat", "gemini"),
)
# In any of these dialects.
_ANY_BODY = b'{"model":"","messages":[],"input":"","prompt":"","contents":[]}'


class Relayed:
    """One request; a Dialogue."""

    __slots__ = ("_dialect", "_method", "_observer", "sent")

    dropped: tuple[str, ...] = ()

    def __init__(
        self, request: Request, target: Target, observers: Mapping[str, PassThrough]
    ) -> None:
        """`observers`: dialogues by the name of their route."""
        assert request.relay is not None
        relay, endpoint = request.relay, target.endpoint
        path = path_at(endpoint, relay.path)
        headers = upstream_headers(request, endpoint, stream=False)
        if "accept" not in request.http_headers:
            headers["Accept"] = "*/*"
        headers["Content-Type"] = request.content_type
        file = None
        if request.file is not None:
            file = whole(request.file)
            headers["Content-Length"] = str(len(file))
        elif not request.body:
            del headers["Content-Type"]
        self.sent = UpstreamRequest(
            relay.method, endpoint.relay_url(path), headers, request.body, endpoint.proxy, file
        )
        self._method = relay.method
        self._dialect = request.dialect
        self._observer = _observer(request, target, replace(relay, path=path), observers)

    def media_type(self, content_type: str) -> str:
        return content_type

    def decoder(self, content_type: str) -> Decoder:
        observer = self._observer.decoder(content_type) if self._observer is not None else None
        return _AsItIs(self._dialect, content_type, observer)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        """The provider's own answer, but for one that was cut."""
        found = failed(status, headers, body)
        length = headers.get("Content-Length", "")
        if self._method != "HEAD" and length.isdecimal() and int(length) != len(body):
            return Failed(StreamTruncated(), StreamTruncated.status)
        return replace(
            found,
            status=status,
            body=body,
            content_type=headers.get("Content-Type", "application/octet-stream"),
            http_headers=relayed(headers),
        )


def path_at(endpoint: Endpoint, path: str) -> str:
    """The path behind an instance's base URL: a version at its beginning is that of the base URL, if
    this has a path at all. So an SDK can add its own to the address that it was given."""
    if urlsplit(endpoint.base_url).path and (version := _VERSION.match(path)):
        return path[version.end() :] or "/"
    return path


def _observer(
    request: Request, target: Target, relay: Relay, observers: Mapping[str, PassThrough]
) -> Dialogue | None:
    """The dialogue that this would be if it were asked on its own route."""
    if relay.method != "POST" or not request.content_type.startswith(JSON):
        return None
    path, _, _ = relay.path.partition("?")
    for pattern, spoken, operation, dialect in _KNOWN:
        if (found := pattern.fullmatch(path)) is None:
            continue
        if spoken not in observers or spoken not in target.endpoint.routes:
            return None
        model = found.groupdict().get("model")
        if request.file is not None:
            # Not even its model is known; what was used stands in the answer alone.
            request = replace(request, body=_ANY_BODY)
        asked = replace(
            request,
            operation=operation,
            dialect=dialect,
            relay=None,
            model=model,
            stream=path.endswith(":streamGenerateContent") if model else None,
        )
        try:
            return observers[spoken](asked, replace(target, model=model or target.model))
        except InvalidRequest:  # the provider will say so
            return None
    return None


class _AsItIs:
    """Passes bytes on, and notes what an observer reads of them."""

    __slots__ = ("_content_type", "_dialect", "_failed", "_held", "_observer", "_streams")

    done = False  # only the body's end ends it

    def __init__(self, dialect: Dialect, content_type: str, observer: Decoder | None) -> None:
        self._dialect = dialect
        self._content_type = content_type
        self._streams = content_type.lstrip().lower().startswith(EVENT_STREAM)
        self._observer = observer
        self._failed: Failed | None = None  # what the observer found
        self._held: list[bytes] = []  # what goes out with it

    def feed(self, data: bytes) -> Iterable[Reply]:
        if self._observer is None:
            return (Chunk(data),)
        if self._failed is None:
            for reply in self._observer.feed(data):
                if isinstance(reply, Failed):
                    self._failed = reply
        if self._failed is None and self._streams:
            return (Chunk(data),)
        self._held.append(data)
        return ()

    def finish(self) -> Completed | Failed:
        if self._observer is None:
            return Completed()
        held = b"".join(self._held)
        end = self._failed or self._observer.finish()
        if isinstance(end, Completed):
            return replace(end, data=held)
        if self._failed is None and self._streams:
            # It ended as HTTP has it, but not as its dialect has it.
            return replace(end, event=held + self.abort(end.error))
        if end.body is None and not self._streams:
            return Completed(held)  # not of the shape that we know
        return replace(
            end, status=200, body=held, event=held or None, content_type=self._content_type
        )

    def cut(self, error: GatewayError) -> Failed:
        """The end of a body of which a part is missing."""
        end = self.finish()
        return Failed(
            error,
            error.status,
            event=self.abort(error) if self._streams else None,
            usage=end.usage,
            response_model=end.response_model,
        )

    def abort(self, error: GatewayError) -> bytes:
        return (error_event if self._streams else error_body)(self._dialect, error)
