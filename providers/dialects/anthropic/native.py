"""Caller and provider both speak Anthropic Messages: bytes pass through."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from providers.base import Decoder, Members, Target, UpstreamRequest
from providers.dialects.anthropic.native_answer import AnswerDecoder
from providers.dialects.anthropic.native_stream import StreamDecoder
from providers.failure import failed
from providers.headers import upstream_headers
from providers.quirks.adapting import adapted
from schemas.envelopes import EVENT_STREAM
from schemas.errors import InvalidRequest
from schemas.replies import Failed
from schemas.requests import Request

_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_flag = msgspec.json.Decoder(bool | None).decode
_encode = msgspec.json.Encoder().encode


class PassThrough:
    """One request for an answer; a Dialogue."""

    __slots__ = ("dropped", "sent")

    def __init__(self, request: Request, target: Target) -> None:
        self.sent, self.dropped = _sent(request, target, "anthropic")

    def media_type(self, content_type: str) -> str:
        return content_type

    def decoder(self, content_type: str) -> Decoder:
        """By what the provider says that it sends: some answer a stream with plain JSON."""
        if content_type.lstrip().lower().startswith(EVENT_STREAM):
            return StreamDecoder()
        return AnswerDecoder()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return failed(status, headers, body)


class CountPassThrough(PassThrough):
    """One request for a count of tokens: https://platform.claude.com/docs/en/api/messages-count-tokens."""

    __slots__ = ()

    def __init__(self, request: Request, target: Target) -> None:
        self.sent, self.dropped = _sent(request, target, "anthropic_count")


def _sent(request: Request, target: Target, spoken: str) -> tuple[UpstreamRequest, tuple[str, ...]]:
    """The caller's bytes untouched, unless the model's name or a quirk is to change; and what a quirk
    left out. The caller's headers, with version and betas, win over the endpoint's."""
    route = target.endpoint.routes[spoken]
    try:
        given = members = _members(request.body)
        if _text(members.get("model", b"null")) != target.model:
            members = {**members, "model": Raw(_encode(target.model))}
        stream = bool(_flag(members.get("stream", b"null")))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no Messages request: {error}.") from error
    members, dropped = adapted(members, route.quirks, target.model)
    sent = UpstreamRequest(
        "POST",
        route.address(target.model, stream=stream),
        upstream_headers(request, target.endpoint, stream=stream),
        request.body if members is given else _encode(members),
        target.endpoint.proxy,
    )
    return sent, dropped
