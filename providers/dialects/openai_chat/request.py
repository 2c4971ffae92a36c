"""The body that goes to an OpenAI-compatible provider: the caller's, or as near to it as can be."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from providers.base import Members, Target, UpstreamRequest
from schemas.errors import InvalidRequest
from schemas.requests import Request

_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_flag = msgspec.json.Decoder(bool | None).decode
_count = msgspec.json.Decoder(int | None).decode
_encode = msgspec.json.Encoder().encode

_TRUE = Raw(b"true")
_MAX_REQUEST_ID = 512  # https://platform.openai.com/docs/api-reference/debugging-requests


def upstream_request(request: Request, target: Target) -> UpstreamRequest:
    """The caller's bytes untouched, unless the model's name, the usage flag or a quirk is to change."""
    endpoint = target.endpoint
    try:
        given = _members(request.body)
        members = _named(given, target.model)
        stream = bool(_flag(given.get("stream", b"null")))
        choices = _count(given.get("n", b"null")) or 1
        hide_usage = False
        if stream and endpoint.stream_usage:
            asked = _with_usage(members)
            hide_usage = asked is not members
            members = asked
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no chat request: {error}.") from error
    for quirk in endpoint.quirks:
        members = quirk(members, target.model)
    return UpstreamRequest(
        "POST",
        endpoint.chat_url.replace("{model}", target.model),
        _headers(request, target, stream),
        request.body if members is given else _encode(members),
        stream,
        choices,
        hide_usage,
    )


def _named(members: Members, model: str) -> Members:
    if _text(members.get("model", b"null")) == model:
        return members
    return {**members, "model": Raw(_encode(model))}


def _with_usage(members: Members) -> Members:
    """With `stream_options.include_usage`, its other members kept; the same object if it is on already."""
    given = members.get("stream_options", Raw(b"null"))
    options = {} if bytes(given) == b"null" else _members(given)
    if "include_usage" in options and _flag(options["include_usage"]):
        return members
    return {**members, "stream_options": Raw(_encode({**options, "include_usage": _TRUE}))}


def _headers(request: Request, target: Target, stream: bool) -> dict[str, str]:
    endpoint = target.endpoint
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if stream else "application/json",
        **endpoint.headers,
    }
    name, value = endpoint.request_id_header, request.request_id
    if name and len(value) <= _MAX_REQUEST_ID and value.isascii() and value.isprintable():
        headers[name] = value
    return headers
