"""One answer for several who ask the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.canonical.answer import Answer
from providers.canonical.request import Text, ToolCall
from providers.retelling import Listener, as_answer, as_stream, writer
from schemas.errors import GatewayError, InvalidRequest, UpstreamError
from schemas.requests import Request
from schemas.usage import Usage

USER = [{"role": "user", "content": "hi"}]
ASKED: dict[str, dict[str, Any]] = {
    "openai_chat": {"model": "m", "messages": USER},
    "openai_completions": {"model": "m", "prompt": "hi"},
    "openai_responses": {"model": "m", "input": "hi"},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": USER},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "openai_chat": {
        "id": "up",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "unknown": {"a": [1]},
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    },
    "openai_completions": {
        "id": "up",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "text": "Hello", "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    },
    "openai_responses": {
        "id": "up",
        "object": "response",
        "created_at": 1,
        "completed_at": 2,
        "status": "completed",
        "model": "m",
        "metadata": {"whose": "the first"},
        "user": "first",
        "store": False,
        "output": [
            {
                "id": "msg_1",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
            }
        ],
        "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
    },
    "anthropic": {
        "id": "up",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4},
    },
    "gemini": {
        "responseId": "up",
        "createTime": "2024-01-01T00:00:00Z",
        "modelVersion": "m",
        "candidates": [
            {
                "index": 0,
                "content": {"role": "model", "parts": [{"text": "Hello"}]},
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 4,
            "totalTokenCount": 7,
        },
    },
}
DIALECTS = pytest.mark.parametrize("dialect", ASKED)
USAGE = Usage(3, 4)


def request(dialect: Any, name: str = "r1", **more: Any) -> Request:
    body = json.dumps({**ASKED[dialect], **more}).encode()
    stream = bool(more.get("stream")) if dialect == "gemini" else None
    return Request(
        request_id=name,
        body=body,
        dialect=dialect,
        created=1_700_000_000.5,
        model="m",
        stream=stream,
    )


def body_of(dialect: str) -> bytes:
    return json.dumps(ANSWERS[dialect]).encode()


def heard(
    asked: Request, content_type: str, *pieces: bytes, usage: Usage | None = None
) -> Listener:
    listener = Listener(asked)
    listener.begin(content_type, "m")
    for piece in pieces[:-1]:
        listener.hear(piece)
    listener.finish(pieces[-1], usage)
    return listener


def says(answer: Answer | None) -> tuple[str, str, Usage | None]:
    assert answer is not None
    (choice,) = answer.choices
    assert choice.finish is not None
    text = "".join(part.text for part in choice.parts if isinstance(part, Text))
    return text, choice.finish.reason, answer.usage


@DIALECTS
def test_a_plain_answer_is_understood(dialect: str) -> None:
    """It is kept as it is."""
    listener = heard(request(dialect), "application/json; charset=utf-8", body_of(dialect))

    assert listener.body == body_of(dialect)
    assert says(listener.answer)[:2] == ("Hello", "stop")


@DIALECTS
def test_a_plain_answer_is_told_as_a_stream_and_understood_again(dialect: str) -> None:
    """Nothing of it is lost on the way, wherever the stream is cut."""
    asked = request(dialect, "r2", stream=True)
    stream = as_stream(asked, body_of(dialect), "m")
    pieces = [stream[start : start + 7] for start in range(0, len(stream), 7)]
    listener = heard(asked, "text/event-stream", *pieces, usage=USAGE)

    assert b"r2" in stream
    assert b'"up"' not in stream
    found = says(listener.answer)
    assert found[:2] == ("Hello", "stop")
    assert found[2] is not None
    assert (found[2].input_tokens, found[2].output_tokens) == (3, 4)
    again = heard(request(dialect), "application/json", listener.body)
    assert says(again.answer)[:2] == ("Hello", "stop")


@DIALECTS
def test_a_plain_answer_is_told_again_with_everything_in_it(dialect: str) -> None:
    """But for its name, its time, and what a request says of itself."""
    told = json.loads(as_answer(request(dialect, "r2"), body_of(dialect)))
    given = ANSWERS[dialect]
    differ = {name for name in given if told[name] != given[name]}

    assert told.keys() == given.keys()
    assert (
        differ
        == {
            "openai_chat": {"id", "created"},
            "openai_completions": {"id", "created"},
            "openai_responses": {
                *("id", "created_at", "completed_at", "metadata", "user", "store"),
            },
            "anthropic": {"id"},
            "gemini": {"responseId", "createTime"},
        }[dialect]
    )
    assert "r2" in str(told.get("id") or told["responseId"])


def test_a_response_says_what_its_own_request_said() -> None:
    """Labels and users are the asker's, never those of whoever asked first."""
    asked = request("openai_responses", metadata={"whose": "mine"}, store=None, user="second")
    told = json.loads(as_answer(asked, body_of("openai_responses")))

    assert (told["metadata"], told["user"], told["store"]) == ({"whose": "mine"}, "second", True)


@DIALECTS
def test_a_stream_that_is_not_whole_is_no_answer(dialect: str) -> None:
    """Half of a stream, and half of a body, are errors."""
    asked = request(dialect, stream=True)
    stream = as_stream(asked, body_of(dialect), "m")
    first = stream[: stream.index(b"Hello")]
    with pytest.raises(GatewayError):
        heard(asked, "text/event-stream", first)
    with pytest.raises(GatewayError):
        heard(request(dialect), "application/json", body_of(dialect)[:-9])


@pytest.mark.parametrize("tool", [False, True])
def test_a_stream_of_its_own_for_each(tool: bool) -> None:
    """What one is told as a stream another is told as another stream, tool calls included."""
    message: dict[str, Any] = {"role": "assistant", "content": "Hello"}
    if tool:
        function = {"name": "look", "arguments": '{"a": 1}'}
        message["tool_calls"] = [{"id": "c", "type": "function", "function": function}]
    answer = json.loads(body_of("openai_chat"))
    answer["choices"][0]["message"] = message
    asked = request("openai_chat", "r3", stream=True, stream_options={"include_usage": True})
    first = as_stream(request("openai_chat", stream=True), json.dumps(answer).encode(), "m")
    listener = Listener(request("openai_chat", stream=True))
    listener.begin("text/event-stream", "m")
    told = writer(asked, "m")
    second = told.write(listener.hear(first)) + told.write(listener.finish(b"", USAGE)) + told.end()

    assert b"chatcmpl-r3" in second
    assert b"chatcmpl-r1" not in second
    assert b'"total_tokens":7' in second
    again = heard(asked, "text/event-stream", second)
    assert again.answer is not None
    calls = [part for part in again.answer.choices[0].parts if isinstance(part, ToolCall)]
    assert [(call.id, call.arguments) for call in calls] == ([("c", '{"a": 1}')] if tool else [])
    assert b"error" in told.abort(UpstreamError())


def test_what_cannot_be_told_again() -> None:
    """A request that can only be passed through has no answer for others, nor have broken bytes."""
    with pytest.raises(InvalidRequest):
        Listener(request("openai_completions", logprobs=2))
    with pytest.raises(InvalidRequest):
        Listener(request("openai_completions", prompt=[1, 2]))
    with pytest.raises(UpstreamError):
        as_answer(request("openai_chat"), b"{")
