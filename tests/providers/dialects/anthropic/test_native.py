"""Caller and provider both speak the dialect."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Raw
from msgspec.structs import replace

from providers.base import Members, Route, Target
from providers.dialects.anthropic.native import PassThrough
from providers.dialects.anthropic.native_answer import AnswerDecoder
from providers.dialects.anthropic.native_stream import StreamDecoder
from schemas.errors import (
    Cancelled,
    InvalidRequest,
    KeyRefused,
    RateLimited,
    StreamTruncated,
    UpstreamError,
)
from schemas.replies import Chunk, Completed, Failed
from tests.providers.dialects.anthropic.support import ENDPOINT, request, sse, target
from tests.providers.support import fold

BODY = b'{ "model": "m",\n "stream": true, "messages": [], "new": {"x": 1.50} }'
START = {"type": "message_start", "message": {"model": "c", "usage": {"input_tokens": 5}}}
END = [
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]


def test_the_body_is_not_touched() -> None:
    """Neither its bytes nor its unknown members, if the model is named as the provider knows it."""
    sent = PassThrough(request(BODY), target("m")).sent
    assert sent.body == BODY
    assert sent.headers["Accept"] == "text/event-stream"
    named = PassThrough(request(BODY), target("other")).sent
    assert msgspec.json.decode(named.body) == {**msgspec.json.decode(BODY), "model": "other"}
    assert b"1.50" in named.body


def test_the_callers_headers_win() -> None:
    """Its version and its betas reach the provider; without them the endpoint's are sent."""
    given = {"anthropic-version": "2026-10-21", "anthropic-beta": "a,b"}
    sent = PassThrough(request(BODY, http_headers=given), target("m")).sent
    assert sent.headers["anthropic-version"] == "2026-10-21"
    assert sent.headers["anthropic-beta"] == "a,b"
    assert sent.headers["x-api-key"] == "secret"
    assert PassThrough(request(BODY), target("m")).sent.headers["anthropic-version"] == "2023-06-01"


def test_the_route() -> None:
    """Its quirks, its URL of streams and the endpoint's proxy are used."""

    def quirk(members: Members, model: str) -> Members:
        return {**members, "seen": Raw(b'"%b"' % model.encode())}

    route = Route("http://x/{model}", "http://x/{model}/stream", (quirk,))
    endpoint = replace(ENDPOINT, routes={"anthropic": route}, proxy="http://proxy")
    sent = PassThrough(request(BODY), Target(endpoint, "m")).sent
    assert (sent.url, sent.proxy) == ("http://x/m/stream", "http://proxy")
    assert msgspec.json.decode(sent.body)["seen"] == "m"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model":1}', b'{"model":"m","stream":1}', b"\xff"])
def test_a_body_that_cannot_be_read(body: bytes) -> None:
    """It is the caller's mistake."""
    with pytest.raises(InvalidRequest):
        PassThrough(request(body), target("m"))


def test_by_what_the_provider_sends() -> None:
    """The decoder follows the type of the answer; the caller gets that type."""
    dialogue = PassThrough(request(BODY), target("m"))
    assert isinstance(dialogue.decoder("text/event-stream; charset=utf-8"), StreamDecoder)
    assert isinstance(dialogue.decoder("application/json"), AnswerDecoder)
    assert dialogue.media_type("text/event-stream") == "text/event-stream"
    assert dialogue.dropped == ()


def test_events_pass_as_they_came() -> None:
    """Pings, comments, unknown events and line ends of any kind are the caller's, too."""
    stream = (
        sse(START)
        + b'event: ping\r\ndata: {"type": "ping"}\r\n\r\n: comment\n\n'
        + b'event: new\ndata: {"type":"new","delta":1}   \n\n'
        + sse(*END)
    )
    chunks, end = fold(StreamDecoder(), [stream[:70], stream[70:]])
    assert isinstance(end, Completed)
    assert b"".join(chunk.data for chunk in chunks) + end.data == stream
    assert end.data == sse(END[1])
    assert end.usage is not None
    assert (end.usage.input_tokens, end.usage.output_tokens) == (5, 3)
    assert (end.finish_reason, end.response_model) == ("stop", "c")


def test_content_is_told_from_what_nobody_sees() -> None:
    """Only blocks are content."""
    piece = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "a"},
    }
    decoder = StreamDecoder()
    (first,) = decoder.feed(sse(START))
    (second,) = decoder.feed(sse(piece))
    assert isinstance(first, Chunk)
    assert isinstance(second, Chunk)
    assert (first.content, second.content) == (False, True)


def test_an_error_in_a_stream_ends_it() -> None:
    """It goes to the caller as it came, with the counts so far, and nothing behind it."""
    told = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}
    decoder = StreamDecoder()
    chunk, failed = decoder.feed(sse(START, told, *END))
    assert isinstance(chunk, Chunk)
    assert chunk.data == sse(START)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, RateLimited)
    assert failed.event == sse(told)
    assert failed.usage is not None
    assert decoder.done
    assert decoder.finish() is failed


def test_a_refused_key_is_not_the_callers() -> None:
    """The provider's words on the gateway's key stay here."""
    told = {"type": "error", "error": {"type": "authentication_error", "message": "x"}}
    (failed,) = StreamDecoder().feed(sse(told))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, KeyRefused)
    assert failed.event is None


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (b"", StreamTruncated),
        (sse(START), StreamTruncated),
        (sse(START) + b"data: {\n\n", UpstreamError),
        (sse(START) + b'data: {"type":"mess', StreamTruncated),
    ],
)
def test_what_is_no_whole_stream(stream: bytes, error: type[UpstreamError]) -> None:
    """Without its stop reason a stream was cut."""
    _, end = fold(StreamDecoder(), [stream])
    assert isinstance(end, Failed)
    assert type(end.error) is error


@pytest.mark.parametrize("cut", [0, 2])
def test_a_stop_reason_is_enough(cut: int) -> None:
    """All content was there; the caller gets the last event that the provider left out."""
    stream = sse(START, END[0])
    found, end = fold(StreamDecoder(), [stream[: len(stream) - cut]])
    assert isinstance(end, Completed)
    assert end.finish_reason == "stop"
    assert end.data.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    told = b"".join(chunk.data for chunk in found if isinstance(chunk, Chunk)) + end.data
    assert told.count(b"event: message_delta") == 1


def test_a_last_event_without_its_blank_line() -> None:
    """It counts if it is whole."""
    _, end = fold(StreamDecoder(), [sse(START, *END)[:-2]])
    assert isinstance(end, Completed)
    assert end.data == sse(END[1])


def test_what_comes_behind_the_end_is_kept() -> None:
    """Up to a limit."""
    decoder = StreamDecoder()
    decoder.feed(sse(START, *END))
    decoder.feed(b": more\n\n")
    decoder.feed(b"x" * (65 << 10))
    end = decoder.finish()
    assert isinstance(end, Completed)
    assert end.data == sse(END[1]) + b": more\n\n"


def test_an_event_too_large() -> None:
    """More than 16 MiB without an end is no event."""
    decoder = StreamDecoder()
    (failed,) = decoder.feed(b"data: " + b"x" * (17 << 20))
    assert isinstance(failed, Failed)
    assert "16 MiB" in failed.error.message


def plain(body: bytes) -> Completed | Failed:
    _, end = fold(AnswerDecoder(), [body[:9], body[9:]])
    return end


def test_plain_answers() -> None:
    """Handed on as they are, also in a shape that we do not know."""
    body = (
        b'{"type": "message", "model":"c","stop_reason":"max_tokens","usage":{"output_tokens":1}}\n'
    )
    end = plain(body)
    assert isinstance(end, Completed)
    assert (end.data, end.finish_reason, end.response_model) == (body, "length", "c")
    assert plain(b'{"type": 1}') == Completed(b'{"type": 1}')
    assert plain(b'{"input_tokens": 5}') == Completed(b'{"input_tokens": 5}')


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", StreamTruncated),
        (b'{"type":"message"', StreamTruncated),
        (b"<html></html>", UpstreamError),
        (b'{"type":"\xff"}', UpstreamError),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"o"}}', UpstreamError),
        (b'{"type":"error","error":{"type":"rate_limit_error"}}', RateLimited),
        (b'{"type":"error"}', UpstreamError),
    ],
)
def test_what_is_no_plain_answer(body: bytes, error: type[Exception]) -> None:
    """Cut, malformed, or an error with status 200, whose bytes are the caller's."""
    end = plain(body)
    assert isinstance(end, Failed)
    assert type(end.error) is error
    if b'"error"' in body:
        assert end.body == body


def test_aborts() -> None:
    """The gateway's own errors are in the dialect."""
    assert StreamDecoder().abort(Cancelled()).startswith(b'event: error\ndata: {"error":{"type":')
    assert msgspec.json.decode(AnswerDecoder().abort(Cancelled()))["type"] == "error"


@given(st.lists(st.binary(max_size=20) | st.sampled_from([sse(START), sse(*END)]), max_size=6))
def test_no_bytes_break_a_decoder(pieces: list[bytes]) -> None:
    """Whatever comes, there is an end."""
    for decoder in (StreamDecoder(), AnswerDecoder()):
        _, end = fold(decoder, pieces)
        assert isinstance(end, Completed | Failed)


def test_failures_keep_their_bytes() -> None:
    """An answer that is no 2xx reaches the caller as the provider wrote it."""
    told: dict[str, Any] = {"type": "error", "error": {"type": "overloaded_error", "message": "o"}}
    body = msgspec.json.encode(told)
    failed = PassThrough(request(BODY), target("m")).failure(529, {"retry-after": "3"}, body)
    assert (failed.status, failed.body) == (529, body)
    assert failed.error.retry_after == 3
