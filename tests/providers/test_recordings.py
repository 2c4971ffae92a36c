"""The dialect on recorded traffic of every provider."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.base import Target
from providers.dialects.openai_chat.request import asked
from schemas.replies import Completed, Failed
from schemas.requests import Request
from schemas.usage import Usage
from tests.providers.support import (
    ENDPOINT,
    fold,
    pass_through,
    plain_decoder,
    stream_decoder,
    whole,
)
from tests.recorded_provider import cut
from tests.recordings import Recording, chat_recordings


@pytest.fixture(scope="module")
def recordings(shared_dir: Path) -> list[Recording]:
    found = list(chat_recordings(shared_dir))
    assert len({recording.key.partition(":")[0] for recording in found}) >= 9
    return found


def expected(recording: Recording) -> tuple[str | None, dict[str, Any] | None]:
    """Finish reason and usage, read in the slow and obvious way."""
    if not recording.streamed:
        choices = recording.response["choices"]
        return choices[0]["finish_reason"], recording.response.get("usage")
    reason = usage = None
    for line in recording.response.splitlines():
        if line.startswith("data: ") and line != "data: [DONE]":
            event = msgspec.json.decode(line[6:])
            for choice in event["choices"]:
                reason = reason or choice.get("finish_reason")
            usage = event.get("usage") or usage
    return reason, usage


def as_usage(usage: dict[str, Any] | None) -> tuple[int, ...] | None:
    if usage is None:
        return None
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    cached = prompt.get("cached_tokens", usage.get("num_cached_tokens", usage.get("cached_tokens")))
    return (
        usage["prompt_tokens"],
        usage["completion_tokens"],
        cached or 0,
        completion.get("reasoning_tokens", 0),
    )


def found(usage: Usage | None) -> tuple[int, ...] | None:
    if usage is None:
        return None
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.reasoning_tokens,
    )


@pytest.mark.parametrize("longest", [7, 500, 70_000])
def test_answers_come_back_byte_for_byte(recordings: list[Recording], longest: int) -> None:
    """Every recorded answer passes unchanged however it is cut, and its end is read rightly."""
    pieces, seen = random.Random(longest), 0
    for recording in recordings:
        if recording.status != 200:
            continue
        body = recording.body()
        decoder = stream_decoder() if recording.streamed else plain_decoder()
        chunks, end = fold(decoder, cut(body, pieces, longest))
        if isinstance(end, Failed):
            assert b'"error":{' in body, recording.key
            continue
        reason, usage = expected(recording)
        assert whole(chunks, end) == body, recording.key
        assert end.finish_reason == reason, recording.key
        assert found(end.usage) == as_usage(usage), recording.key
        assert end.response_model, recording.key
        seen += 1
    assert seen >= 170


def test_stream_with_an_error_in_it(recordings: list[Recording]) -> None:
    """A recorded error event after the finish reason fails the call, keeps its bytes and the usage."""
    streams = [recording for recording in recordings if recording.streamed]
    failed = [
        (recording, end)
        for recording in streams
        for _, end in [fold(stream_decoder(), [recording.body()])]
        if isinstance(end, Failed)
    ]
    assert len(failed) == 1
    recording, end = failed[0]
    assert end.status == 400
    assert end.error.message == "Token limit reached"
    assert end.body is not None
    assert b"data: " + end.body + b"\n\n" in recording.body()
    assert end.usage is not None
    assert end.usage.output_tokens == 10


def test_content_is_seen(recordings: list[Recording]) -> None:
    """In every recorded stream the first events hold nothing to read, and some later one does."""
    for recording in recordings:
        if not recording.streamed:
            continue
        events = [event + b"\n\n" for event in recording.body().split(b"\n\n")[:-1]]
        chunks, end = fold(stream_decoder(), events)
        if isinstance(end, Completed):
            assert any(chunk.content for chunk in chunks), recording.key
            last = chunks[-1]
            assert not last.content, recording.key  # finish reason or usage
        for chunk in chunks:
            if chunk.data.startswith(b":") or b'"delta":{}' in chunk.data:
                assert not chunk.content, recording.key


def test_errors_keep_their_bytes(recordings: list[Recording]) -> None:
    """Every recorded error answer reaches the caller as it was, with its status and message."""
    errors = [recording for recording in recordings if recording.status != 200]
    assert len(errors) >= 4
    for recording in errors:
        failed = pass_through().failure(recording.status, recording.headers, recording.body())
        assert failed.body == recording.body()
        assert failed.status == recording.status
        assert failed.error.message == recording.response["error"]["message"]
        assert failed.error.param == recording.response["error"].get("param")
        assert not failed.error.retryable


def test_requests_keep_every_member(recordings: list[Recording]) -> None:
    """Of every recorded request only the model's prefix and the flag for usage are changed."""
    for recording in recordings:
        model = recording.request["model"]
        sent = dict(recording.request, model=f"east/{model}")
        body = msgspec.json.encode(sent)
        made = asked(Request(request_id="r", body=body), Target(ENDPOINT, model))
        got = msgspec.json.decode(made.sent.body)
        options = got.get("stream_options")
        if sent.get("stream"):
            assert options == {**(sent.get("stream_options") or {}), "include_usage": True}
            if "stream_options" not in sent:
                assert made.hide_usage
                del got["stream_options"]
        assert got == recording.request, recording.key


def test_requests_that_need_no_change_are_untouched(recordings: list[Recording]) -> None:
    """A recorded request whose model is named bare, and which asks for usage, is sent as it came."""
    for recording in recordings:
        if recording.request.get("stream") and "stream_options" not in recording.request:
            continue
        body = msgspec.json.format(msgspec.json.encode(recording.request))
        target = Target(ENDPOINT, recording.request["model"])
        assert pass_through(body, target).sent.body == body
