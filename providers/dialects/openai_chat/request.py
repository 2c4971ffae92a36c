"""The body that goes to an OpenAI-compatible provider: the caller's, or as near to it as can be."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.base import Members, Target, UpstreamRequest
from providers.dialects.openai_chat.foreign import without_foreign_thoughts
from providers.headers import upstream_headers
from providers.quirks.adapting import adapted
from schemas.errors import InvalidRequest
from schemas.requests import Request

_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str | None).decode
_flag = msgspec.json.Decoder(bool | None).decode
_count = msgspec.json.Decoder(int | None).decode
_encode = msgspec.json.Encoder().encode

_TRUE = Raw(b"true")


class Asked(Struct, frozen=True):
    """What goes to the provider, and what its decoder must know of it."""

    sent: UpstreamRequest
    choices: int  # answers asked for (`n`)
    hide_usage: bool  # usage was asked for by us, not by the caller
    dropped: tuple[str, ...] = ()  # what this provider would refuse


def asked(request: Request, target: Target, spoken: str = "openai_chat") -> Asked:
    """The caller's bytes untouched, unless the model's name, the usage flag or a quirk is to change.

    `spoken`: the route, since legacy completions say the same in these members.
    """
    endpoint = target.endpoint
    route = endpoint.routes[spoken]
    try:
        given = _members(request.body)
        members = _named(given, target.model)
        stream = bool(_flag(given.get("stream", b"null")))
        choices = _count(given.get("n", b"null")) or 1
        hide_usage = False
        if stream and route.stream_usage:
            counted = _with_usage(members)
            hide_usage = counted is not members
            members = counted
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no chat request: {error}.") from error
    foreign: tuple[str, ...] = ()
    if b'"reasoning_details"' in request.body:
        named, members = members, without_foreign_thoughts(members)
        foreign = ("messages.reasoning_details",) if members is not named else ()
    members, dropped = adapted(members, route.quirks, target.model)
    sent = UpstreamRequest(
        "POST",
        route.address(target.model, stream=stream),
        upstream_headers(request, endpoint, stream=stream),
        request.body if members is given else _encode(members),
        endpoint.proxy,
    )
    return Asked(sent, choices, hide_usage, foreign + dropped)


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
