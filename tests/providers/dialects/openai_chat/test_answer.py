"""Plain answers."""

import pytest

from providers.dialects.openai_chat.answer import AnswerDecoder
from schemas.errors import StreamTruncated, UpstreamError
from schemas.replies import Completed, Failed
from schemas.usage import Usage
from tests.providers.support import CHAT, fold, pass_through, plain_decoder

ANSWER = (
    '{ "id": "1", "model":"m", "choices": [{"index":0, "message":{"content":"ü€😀"}, '
    '"finish_reason":"stop", "new": 1.50}], "usage": {"prompt_tokens":1,"completion_tokens":2}}\n'
).encode()


def test_bytes_as_received() -> None:
    """However it is cut, the whole body is the end of the answer, and the interesting parts are read."""
    for at in range(len(ANSWER) + 1):
        chunks, end = fold(plain_decoder(), [ANSWER[:at], ANSWER[at:]])
        assert chunks == []
        assert end == Completed(ANSWER, "stop", Usage(1, 2), "m")


@pytest.mark.parametrize("at", range(1, len(ANSWER) - 1))
def test_cut(at: int) -> None:
    """Half an answer is never an answer."""
    _, end = fold(plain_decoder(), [ANSWER[:at]])
    assert isinstance(end, Failed)
    assert isinstance(end.error, UpstreamError)


def test_kinds_of_broken_answers() -> None:
    """Nothing and a cut are truncated; HTML, garbage behind JSON and bad UTF-8 are no answers."""
    for body in (b"", b" \n", ANSWER[:50], ANSWER[:-5]):
        _, end = fold(plain_decoder(), [body])
        assert isinstance(end, Failed)
        assert isinstance(end.error, StreamTruncated), body
    for body in (b"<html>", ANSWER + b"x", ANSWER.replace("ü".encode(), b"\xff"), b"[" * 5000):
        _, end = fold(plain_decoder(), [body])
        assert isinstance(end, Failed)
        assert type(end.error) is UpstreamError


def test_error_with_status_200() -> None:
    """An error object instead of an answer is a failure; beside an answer it is part of it."""
    body = b'{"error": {"code": 503, "message": "no provider"}}'
    _, end = fold(plain_decoder(), [body])
    assert isinstance(end, Failed)
    assert (end.status, end.body, end.error.message) == (503, body, "no provider")
    both = ANSWER.replace(b'"id"', b'"error": {"message": "partly"}, "id"')
    assert isinstance(fold(plain_decoder(), [both])[1], Completed)


def test_unusual_answers() -> None:
    """JSON of another shape passes, and nothing is read from it."""
    for body in (b"[1]", b'{"choices": 1}', b'{"usage": 1}', b"{}"):
        assert fold(plain_decoder(), [body])[1] == Completed(body)


def test_a_stream_request_answered_plainly() -> None:
    """What the provider says that it sends decides how it is read."""
    asked = pass_through(CHAT.replace(b"{", b'{"stream":true,', 1))
    assert isinstance(asked.decoder("application/json"), AnswerDecoder)
    assert asked.media_type("application/json") == "application/json"
