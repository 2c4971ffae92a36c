"""Items for a store of responses."""

from typing import Any

import msgspec
import pytest

from providers.dialects.openai_responses.items import (
    input_items,
    output_items,
    response_of_stream,
    with_history,
)
from schemas.errors import InvalidRequest
from tests.providers.dialects.openai_responses.support import raw, sse


def listed(value: Any) -> list[dict[str, Any]]:
    body = msgspec.json.encode({"model": "m", "input": value})
    return [msgspec.json.decode(item) for item in input_items(body, "r-1")]


def test_text_is_a_message() -> None:
    """A text is listed as a user's message with an id."""
    assert listed("hi") == [
        {
            "id": "msg_r-1_i0",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_text", "text": "hi"}],
        }
    ]


def test_items_are_listed_as_openai_does() -> None:
    """Messages have parts, items ids and a status; what is there stays as it is."""
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    content = [{"type": "input_text", "text": "x", "new": 1}]
    found = listed(
        [
            {"role": "assistant", "content": "a"},
            {"role": "user", "content": content, "id": "msg_1", "status": "incomplete"},
            {**call, "id": None},
            {"type": "function_call_output", "call_id": "c", "output": "y"},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "new_thing"},
            {"type": "item_reference", "id": "msg_9"},
        ]
    )
    assert found[0]["content"] == [{"type": "output_text", "text": "a", "annotations": []}]
    assert found[1] == {
        "type": "message",
        "role": "user",
        "content": content,
        "id": "msg_1",
        "status": "incomplete",
    }
    assert found[2] == {**call, "id": "fc_r-1_i2", "status": "completed"}
    assert [item["id"] for item in found[3:]] == ["fco_r-1_i3", "rs_1", "item_r-1_i5", "msg_9"]
    assert found[4] == {"type": "reasoning", "id": "rs_1", "summary": []}


@pytest.mark.parametrize("value", [5, [5], [{"role": "user"}], [{"role": "user", "content": 5}]])
def test_mistakes(value: Any) -> None:
    """An input that cannot be read is the caller's mistake."""
    with pytest.raises(InvalidRequest):
        listed(value)


def test_history_comes_first() -> None:
    """History stands in front of the request's own input; ids of ours are left out, others stay."""
    first = msgspec.json.encode({"model": "m", "input": "hi"})
    response = {"output": [{"type": "reasoning", "id": "rs_0a", "summary": []}]}
    history = [*input_items(first, "r-1"), *output_items(msgspec.json.encode(response))]
    body = b'{"model":"m", "previous_response_id":"resp_1","input":"more","new":{"a": 1}}'
    found = with_history(body, history)

    assert b'{"a": 1}' in found
    assert msgspec.json.decode(found) == {
        "model": "m",
        "new": {"a": 1},
        "input": [
            {
                "type": "message",
                "status": "completed",
                "role": "user",
                "content": [{"type": "input_text", "text": "hi"}],
            },
            {"type": "reasoning", "id": "rs_0a", "summary": []},
            {"type": "message", "role": "user", "content": "more"},
        ],
    }


def test_history_without_input() -> None:
    """A request may have history alone."""
    body = with_history(b'{"model":"m","previous_response_id":"x"}', [raw({"id": "a"})])
    assert msgspec.json.decode(body) == {"model": "m", "input": [{"id": "a"}]}


@pytest.mark.parametrize("response", [b"{}", b"5", b"{", b'{"output":5}'])
def test_no_output(response: bytes) -> None:
    """What is no Response has no items."""
    assert output_items(response) == []


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b": bye"])
def test_response_of_a_stream(kind: str, tail: bytes) -> None:
    """The Response of the terminal event is that of the stream."""
    body = sse(
        {"type": "response.created", "response": {"id": "no"}},
        {"type": f"response.{kind}", "response": {"id": "yes"}},
    )
    assert response_of_stream(body + tail) == raw({"id": "yes"})
    assert response_of_stream((body + tail).decode()) == raw({"id": "yes"})


def test_stream_without_an_end() -> None:
    """A stream that was cut has none."""
    assert response_of_stream(sse({"type": "response.created", "response": {}})) is None
