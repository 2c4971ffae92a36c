"""Requests as they go to the provider."""

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from providers.base import Members, Target, UpstreamRequest
from providers.dialects.openai_chat.request import Asked, asked
from schemas.errors import InvalidRequest
from schemas.requests import Request
from tests.providers.support import ENDPOINT, TARGET, with_route

BODY = b'{ "model": "gpt-4o", "messages": [{"role":"user","content":"\\u00e4"}], "x": 1.50 }'


def made(body: bytes, target: Target = TARGET, request_id: str = "r-1") -> UpstreamRequest:
    return ask(body, target, request_id).sent


def ask(body: bytes, target: Target = TARGET, request_id: str = "r-1") -> Asked:
    return asked(Request(request_id=request_id, body=body), target)


def test_untouched() -> None:
    """A body in which nothing must change is the very object that came in."""
    assert made(BODY).body is BODY


def test_only_the_model_changes() -> None:
    """With an instance before the model, the model's value changes; the others keep their bytes."""
    got = made(BODY.replace(b"gpt-4o", b"east/gpt-4o")).body
    assert got == b'{"model":"gpt-4o","messages":[{"role":"user","content":"\\u00e4"}],"x":1.50}'


@pytest.mark.parametrize(
    ("given", "sent", "hide"),
    [
        ("", '"stream_options":{"include_usage":true}', True),
        (',"stream_options":null', '"stream_options":{"include_usage":true}', True),
        (
            ',"stream_options":{"include_usage":false,"include_obfuscation":false}',
            '"stream_options":{"include_usage":true,"include_obfuscation":false}',
            True,
        ),
        (
            ',"stream_options":{ "include_usage":true, "x":1}',
            '"stream_options":{ "include_usage":true, "x":1}',
            False,
        ),
    ],
)
def test_usage_of_streams(given: str, sent: str, hide: bool) -> None:
    """A stream is asked for its usage; who had not asked does not see it, other options stay."""
    got = ask(f'{{"model":"gpt-4o","messages":[1],"stream":true{given}}}'.encode())
    assert got.sent.body.decode() == f'{{"model":"gpt-4o","messages":[1],"stream":true,{sent}}}'
    assert got.hide_usage == hide
    assert got.sent.headers["Accept"] == "text/event-stream"


def test_vendors_without_stream_options() -> None:
    """A vendor that does not know the option is not sent it."""
    body = BODY.replace(b'"x"', b'"stream":true, "x"')
    got = ask(body, with_route(stream_usage=False))
    assert got.sent.body is body
    assert not got.hide_usage


def test_how_it_is_sent() -> None:
    """Method, URL and headers; the key is in the headers and not in the text form."""
    got = made(BODY)
    assert (got.method, got.url) == ("POST", ENDPOINT.routes["openai_chat"].url)
    assert got.headers["Authorization"] == "Bearer secret"
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Accept"] == "application/json"
    assert "secret" not in f"{got!r} {TARGET!r} {got} {TARGET}"


def test_request_id() -> None:
    """A vendor that logs a caller's id gets ours, if a header takes it."""
    target = Target(replace(ENDPOINT, request_id_header="X-Client-Request-Id"), "gpt-4o")
    assert made(BODY, target).headers["X-Client-Request-Id"] == "r-1"
    for odd in ("ä", "a\nb", "x" * 513):
        assert "X-Client-Request-Id" not in made(BODY, target, odd).headers


def test_choices_and_model_in_the_url() -> None:
    """`n` is noted for the decoder; a `{model}` in the URL is filled in."""
    got = ask(BODY.replace(b'"x"', b'"n":3,"x"'), with_route(url="http://h/{model}/chat"))
    assert (got.choices, got.sent.url) == (3, "http://h/gpt-4o/chat")


def test_quirks() -> None:
    """A vendor's quirks see the upstream's model id, and what they hand back is sent."""

    def shout(members: Members, model: str) -> Members:
        return {**members, "loud": Raw(msgspec.json.encode(model))}

    got = made(BODY, with_route(quirks=(shout,)))
    assert msgspec.json.decode(got.body)["loud"] == "gpt-4o"
    assert list(msgspec.json.decode(got.body)) == ["model", "messages", "x", "loud"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"model":1}', b'{"model":"a","stream":"yes"}', b'{"model":"a","n":"2"}'],
)
def test_unreadable(body: bytes) -> None:
    """What is no chat body is the caller's mistake, not a crash."""
    with pytest.raises(InvalidRequest):
        made(body)
    with pytest.raises(InvalidRequest):
        made(b'{"model":"gpt-4o","stream":true,"stream_options":[1]}')
