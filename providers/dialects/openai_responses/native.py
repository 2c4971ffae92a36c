"""Caller and provider both speak Responses: bytes pass through.

A Response in the background whose answer is kept is made by the gateway: its caller knows it by the
gateway's name for it, and the provider is asked as by one who waits.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from providers.base import Decoder, Members, Target, UpstreamRequest
from providers.dialects.openai_responses.answer import AnswerDecoder
from providers.dialects.openai_responses.background import Renamed
from providers.dialects.openai_responses.foreign import without_foreign_thoughts
from providers.dialects.openai_responses.stream import StreamDecoder
from providers.failure import failed
from providers.headers import upstream_headers
from providers.quirks.adapting import adapted
from schemas.envelopes import EVENT_STREAM
from schemas.errors import InvalidRequest
from schemas.kept import asked, name_of_response
from schemas.replies import Failed
from schemas.requests import Request

_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str | None).decode
_flag = msgspec.json.Decoder(bool | None).decode
_encode = msgspec.json.Encoder().encode


class PassThrough:
    """One request; a Dialogue."""

    __slots__ = ("_name", "dropped", "sent")

    route = "openai_responses"

    def __init__(self, request: Request, target: Target) -> None:
        self.sent, self.dropped = _sent(request, target, self.route)
        background = request.keep and asked(request.body).background
        self._name = name_of_response(request.request_id) if background else None

    def media_type(self, content_type: str) -> str:
        return content_type

    def decoder(self, content_type: str) -> Decoder:
        """By what the provider says that it sends: some answer a stream with plain JSON."""
        streamed = content_type.lstrip().lower().startswith(EVENT_STREAM)
        decoder = StreamDecoder() if streamed else AnswerDecoder()
        return decoder if self._name is None else Renamed(decoder, self._name)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return failed(status, headers, body)


class CountPassThrough(PassThrough):
    """`/responses/input_tokens`; https://platform.openai.com/docs/api-reference/responses/input-tokens."""

    __slots__ = ()

    route = "openai_count"


class CompactPassThrough(PassThrough):
    """`/responses/compact`; https://platform.openai.com/docs/api-reference/responses/compact."""

    __slots__ = ()

    route = "openai_compact"


def _sent(request: Request, target: Target, name: str) -> tuple[UpstreamRequest, tuple[str, ...]]:
    """The caller's bytes untouched, unless the model's name or a quirk is to change, or thoughts of
    other providers are in it; and what is left out."""
    route = target.endpoint.routes[name]
    try:
        given = _members(request.body)
        members = given
        if _text(given.get("model", b"null")) != target.model:
            members = {**given, "model": Raw(_encode(target.model))}
        # What a provider does not do, the gateway does: it is not asked for it.
        ours = {"background"} if request.keep else set()
        if bytes(given.get("store", b"")) == b"true" and not route.keeps:
            ours.add("store")
        if ours & given.keys():
            members = {name: value for name, value in members.items() if name not in ours}
        stream = bool(_flag(given.get("stream", b"null")))
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no Responses request: {error}.") from error
    dropped: tuple[str, ...] = ()
    if b'"reasoning"' in request.body:
        named, members = members, without_foreign_thoughts(members)
        dropped = ("reasoning",) if members is not named else ()
    members, left_out = adapted(members, route.quirks, target.model)
    sent = UpstreamRequest(
        "POST",
        route.address(target.model, stream=stream),
        upstream_headers(request, target.endpoint, stream=stream),
        request.body if members is given else _encode(members),
        target.endpoint.proxy,
    )
    return sent, (*dropped, *left_out)
