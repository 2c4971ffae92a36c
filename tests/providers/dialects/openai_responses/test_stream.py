"""Streams straight through: what is read of them."""

from typing import Any

import pytest

from providers.dialects.openai_responses.stream import StreamDecoder
from providers.sse import MAX_EVENT
from schemas.errors import StreamTruncated
from schemas.replies import Completed, Failed
from tests.providers.dialects.openai_responses.support import events_of, sse
from tests.providers.support import fold, whole

CREATED = {
    "type": "response.created",
    "response": {"id": "resp_1", "model": "m", "status": "in_progress", "new": [1]},
    "sequence_number": 0,
}
DELTA = {"type": "response.output_text.delta", "delta": "a", "sequence_number": 1}
USAGE = {"input_tokens": 5, "output_tokens": 2}
DONE = b"data: [DONE]\n\n"


def ended(kind: str = "completed", **members: Any) -> dict[str, Any]:
    response = {**CREATED["response"], "status": kind, "usage": USAGE, **members}  # type: ignore[dict-item]
    return {"type": f"response.{kind}", "response": response, "sequence_number": 2}


@pytest.mark.parametrize("tail", [b"", DONE, b": bye\n\n"])
def test_the_terminal_event_is_held_back(tail: bytes) -> None:
    """The terminal event and what some providers send behind it go out with the outcome."""
    body = sse(CREATED, DELTA, ended()) + tail
    chunks, end = fold(StreamDecoder(), [body])

    assert isinstance(end, Completed)
    assert end.data == sse(ended()) + tail
    assert whole(chunks, end) == body
    assert (end.finish_reason, end.response_model) == ("stop", "m")
    assert end.usage is not None
    assert end.usage.input_tokens == 5


def test_content_is_seen() -> None:
    """Only what a reader would see is content."""
    decoder = StreamDecoder()
    assert [reply.content for reply in decoder.feed(sse(CREATED))] == [False]  # type: ignore[union-attr]
    assert [reply.content for reply in decoder.feed(sse(DELTA))] == [True]  # type: ignore[union-attr]


def test_last_event_without_its_blank_line() -> None:
    """A terminal event that lacks only the blank line counts."""
    body = sse(CREATED, ended())[:-2]
    chunks, end = fold(StreamDecoder(), [body])
    assert whole(chunks, end) == body + b"\n\n"


@pytest.mark.parametrize("body", [b"", sse(CREATED, DELTA), sse(CREATED) + DONE])
def test_truncated(body: bytes) -> None:
    """Without a terminal event there is no answer, and the caller is told in its own Response."""
    _, end = fold(StreamDecoder(), [body])

    assert isinstance(end, Failed)
    assert isinstance(end.error, StreamTruncated)
    assert end.event is not None
    (event,) = events_of(end.event)
    if body:
        assert event["type"] == "response.failed"
        assert event["response"]["new"] == [1]
        assert event["response"]["status"] == "failed"
    else:
        assert event["type"] == "error"


def test_numbers_without_numbers() -> None:
    """Where a provider does not number its events, they are counted."""
    decoder = StreamDecoder()
    list(decoder.feed(b'data: {"type":"response.created","response":{}}\n\n' * 3))
    (event,) = events_of(decoder.abort(StreamTruncated()))
    assert event["sequence_number"] == 3


@pytest.mark.parametrize(
    "last",
    [
        ended("failed", error={"code": "rate_limit_exceeded", "message": "slow"}),
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow"},
    ],
)
def test_failed(last: dict[str, Any]) -> None:
    """An error in the stream fails the call and reaches the caller as the provider wrote it."""
    chunks, end = fold(StreamDecoder(), [sse(CREATED, DELTA, last)])

    assert isinstance(end, Failed)
    assert (end.status, end.error.message) == (429, "slow")
    assert end.event == sse(last)
    assert b"".join(chunk.data for chunk in chunks) == sse(CREATED, DELTA)
    assert (end.usage is not None) is (last["type"] == "response.failed")


def test_not_json() -> None:
    """An event that is no JSON fails the call; one of another shape passes."""
    _, end = fold(StreamDecoder(), [b"data: {\n\n"])
    assert isinstance(end, Failed)
    odd = b'data: {"type":5}\n\ndata: {"type":"response.completed","response":5}\n\n'
    chunks, end = fold(StreamDecoder(), [odd])
    assert whole(chunks, end) == odd


def test_too_large() -> None:
    """An event without an end is not waited for forever."""
    decoder = StreamDecoder()
    (failed,) = decoder.feed(b"data: " + b"x" * MAX_EVENT)
    assert isinstance(failed, Failed)
    assert decoder.done
    assert decoder.finish() == failed
