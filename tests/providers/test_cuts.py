"""Streams of every dialect as networks and vendors deform them: cut anywhere, with other line ends, comments,
data over several lines, and without the line end that should be their last."""

from collections.abc import Callable

import msgspec
import pytest

from providers.base import Dialogue
from providers.canonical.answer import Answer, Choice, Finish
from providers.canonical.fold import unfold
from providers.canonical.request import Reasoning, Text, ToolCall
from providers.dialogue import CLIENTS, PASS_THROUGH, UPSTREAMS
from providers.translated import Translated
from schemas.replies import Chunk, Completed
from schemas.requests import Dialect, Request
from schemas.usage import Usage
from tests.providers.pairs import SPOKEN, chat, streamed, target

ANSWER = Answer(
    "a-1",
    "m",
    (
        Choice(
            0,
            (Reasoning("hm"), Text("Grüß €😀"), ToolCall("call_1", "look", '{"at":"sky"}')),
            Finish("tool_calls"),
        ),
    ),
    Usage(10, 5, 4, 0, 2),
)


def spread(body: bytes) -> bytes:
    """Every event's data over two lines, as the standard allows where JSON has white space."""
    return body.replace(b'data: {"', b'data: {\ndata: "')


DEFORMED: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda body: body,
    "CRLF": lambda body: body.replace(b"\n", b"\r\n"),
    "CR": lambda body: body.replace(b"\n", b"\r"),
    "comments": lambda body: b": hello\n\n" + body.replace(b"\n\n", b"\n\n: ping\n\n"),
    "several lines": spread,
    "no last line end": lambda body: body.rstrip(b"\n"),
    "all of it": lambda body: (
        b":\r\n" + spread(body).replace(b"\n\n", b"\n: x\n\n").rstrip(b"\n").replace(b"\n", b"\r\n")
    ),
}


STEPS = {"all of it": 13}  # bytes between two cuts; every dialect has a test of every single one


def stream_of(provider: Dialect) -> bytes:
    asked = chat(provider, stream=True, include_usage=True)
    # One kind of line end, whichever this dialect has.
    return streamed(unfold(ANSWER), provider, asked).replace(b"\r\n", b"\n")


def translated(provider: Dialect) -> Dialogue:
    """For a caller that speaks another dialect."""
    caller: Dialect = "anthropic" if provider != "anthropic" else "openai_chat"
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    if caller == "openai_chat":
        body["stream_options"] = {"include_usage": True}
    return Translated(
        request(caller, body), target(provider), CLIENTS[caller], UPSTREAMS[provider], provider
    )


def straight(provider: Dialect) -> Dialogue:
    """For a caller that speaks the same."""
    greeting = [{"role": "user", "content": "hi"}]
    body: dict[str, object] = {"messages": greeting, "max_tokens": 9}
    if provider == "openai_responses":
        body = {"input": greeting}
    elif provider == "gemini":
        body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    if provider == "openai_chat":
        body["stream_options"] = {"include_usage": True}
    return PASS_THROUGH[provider](request(provider, {"model": "m", **body}), target(provider))


def request(caller: Dialect, body: dict[str, object]) -> Request:
    gemini = caller == "gemini"
    if not gemini:
        body = {**body, "stream": True}
    return Request(
        request_id="r",
        body=msgspec.json.encode(body),
        dialect=caller,
        model="m" if gemini else None,
        stream=True if gemini else None,
    )


def got(dialogue: Dialogue, *pieces: bytes) -> tuple[bytes, object]:
    """What the caller gets, and what is recorded of it."""
    decoder = dialogue.decoder("text/event-stream")
    replies = [reply for piece in pieces for reply in decoder.feed(piece)]
    end = decoder.finish()
    assert isinstance(end, Completed), end
    data = b"".join(reply.data for reply in replies if isinstance(reply, Chunk)) + end.data
    return data, (end.finish_reason, end.usage, end.response_model)


@pytest.mark.parametrize("deformed", DEFORMED)
@pytest.mark.parametrize("provider", SPOKEN)
def test_deformed_streams(provider: Dialect, deformed: str) -> None:
    """In single bytes, and cut in two at places all over it, a stream says the same: to a caller of another
    dialect the very bytes of the stream as it should be, to one of its own the bytes as they came."""
    plain = stream_of(provider)
    body = DEFORMED[deformed](plain)
    other, own = translated(provider), straight(provider)
    expected, counted = got(other, plain)
    _, recorded = got(own, plain)
    assert "Grüß €😀".encode() in expected
    cuts = [(body[:at], body[at:]) for at in range(0, len(body), STEPS.get(deformed, 97))]
    for pieces in (*cuts, [body[at : at + 1] for at in range(len(body))]):
        assert got(other, *pieces) == (expected, counted)
        found, known = got(own, *pieces)
        assert known == recorded
        assert found.rstrip(b"\r\n") == body.rstrip(b"\r\n")
