"""Caller and provider both speak Gemini: bytes pass through."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from providers.base import Decoder, Members, Target, UpstreamRequest
from providers.dialects.gemini.answer import AnswerDecoder
from providers.dialects.gemini.stream import StreamDecoder
from providers.failure import failed
from providers.headers import upstream_headers
from schemas.envelopes import EVENT_STREAM
from schemas.errors import InvalidRequest
from schemas.replies import Failed
from schemas.requests import Request

_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode
_NESTED = ("generateContentRequest", "generate_content_request")


class PassThrough:
    """One request; a Dialogue. The body has no member that we change: model and stream are in the URL."""

    __slots__ = ("_candidates", "sent")

    dropped: tuple[str, ...] = ()

    def __init__(self, request: Request, target: Target) -> None:
        route = target.endpoint.routes["gemini"]
        try:
            given = _members(request.body)
            self._candidates = _candidates(given)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidRequest(f"The body is no request of generateContent: {error}.") from error
        members = given
        for quirk in route.quirks:
            members = quirk(members, target.model)
        stream = bool(request.stream)
        self.sent = UpstreamRequest(
            "POST",
            route.address(target.model, stream=stream),
            upstream_headers(request, target.endpoint, stream=stream),
            request.body if members is given else _encode(members),
            target.endpoint.proxy,
        )

    def media_type(self, content_type: str) -> str:
        return content_type

    def decoder(self, content_type: str) -> Decoder:
        if content_type.lstrip().lower().startswith(EVENT_STREAM):
            return StreamDecoder(self._candidates)
        return AnswerDecoder()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return failed(status, headers, body)


def _candidates(members: Members) -> int:
    """`generationConfig.candidateCount`, as far as it can be read: what is wrong with it, the provider
    says."""
    config = members.get("generationConfig") or members.get("generation_config")
    if config is None:
        return 1
    try:
        found = _members(config)
        count = found.get("candidateCount") or found.get("candidate_count") or b"1"
        return max(1, int(float(bytes(count).strip(b'"'))))
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError):
        return 1


class CountPassThrough:
    """A request for the number of tokens; a Dialogue on the route `gemini_count`."""

    __slots__ = ("sent",)

    dropped: tuple[str, ...] = ()

    def __init__(self, request: Request, target: Target) -> None:
        route = target.endpoint.routes["gemini_count"]
        try:
            given = _members(request.body)
            members = _nested(given, target.model)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidRequest(f"The body is no request of countTokens: {error}.") from error
        for quirk in route.quirks:
            members = quirk(members, target.model)
        self.sent = UpstreamRequest(
            "POST",
            route.address(target.model, stream=False),
            upstream_headers(request, target.endpoint, stream=False),
            request.body if members is given else _encode(members),
            target.endpoint.proxy,
        )

    def media_type(self, content_type: str) -> str:
        return content_type

    def decoder(self, content_type: str) -> Decoder:
        return AnswerDecoder()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return failed(status, headers, body)


def _nested(members: Members, model: str) -> Members:
    """A whole request inside of it names the model once more; the two must be one."""
    for name in _NESTED:
        if name in members:
            inner = named(_members(members[name]), model)
            if inner is not None:
                return {**members, name: Raw(_encode(inner))}
    return members


def named(members: Members, model: str) -> Members | None:
    """Members with the provider's name of the model, None if it is there: `models/gemini-2.5-pro`, or
    on Vertex AI `publishers/google/models/…`."""
    given = members.get("model")
    if given is None:
        return None
    kept, slash, name = _text(given).rpartition("/")
    if name == model:
        return None
    return {**members, "model": Raw(_encode(f"{kept}{slash}{model}"))}
