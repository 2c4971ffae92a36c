"""Items of responses: listed, chained, found in streams."""

import json

import pytest
from msgspec import Raw

from schemas import response_items as items
from schemas.errors import InvalidRequest


def listed(body: object, request_id: str = "r") -> list[dict[str, object]]:
    return [
        json.loads(bytes(item)) for item in items.input_items(json.dumps(body).encode(), request_id)
    ]


def test_a_text_is_a_message() -> None:
    """A string as input is listed as OpenAI lists it: one user message with one input_text."""
    (found,) = listed({"input": "hello"})

    assert str(found.pop("id")).startswith("msg_")
    assert found == {
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "hello"}],
    }


def test_items_keep_what_they_have() -> None:
    """Own ids, unknown members and unknown types stay; the rest gets an id that is always the same."""
    body = {
        "input": [
            {"role": "assistant", "content": "text"},
            {"type": "function_call_output", "call_id": "c", "output": "1"},
            {"type": "reasoning", "id": "rs_own", "summary": [], "x": 1},
            {"type": "brand_new", "y": 2},
        ]
    }
    found = listed(body)

    assert found[0]["content"] == [{"type": "output_text", "text": "text"}]
    assert str(found[1]["id"]).startswith("fco_")
    assert found[2] == {"type": "reasoning", "id": "rs_own", "summary": [], "x": 1}
    assert found[3]["y"] == 2
    assert found == listed(body)
    assert [each["id"] for each in found[:2]] != [each["id"] for each in listed(body, "other")[:2]]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"input":3}', b'{"input":[3,null]}', b"\xff"])
def test_any_bytes_can_be_listed(body: bytes) -> None:
    """Input of any other shape is no error: what cannot be read is not listed, or as it is."""
    assert isinstance(items.input_items(body, "r"), list)


def test_the_history_goes_before_the_input() -> None:
    """The new body holds all items in order and continues nothing."""
    body = b'{"model":"m","previous_response_id":"resp_1","input":"next","store":true}'
    history = [Raw(b'{"role":"user","content":"first"}'), Raw(b'{"type":"x"}')]
    found = json.loads(items.with_history(body, history))

    assert found == {
        "model": "m",
        "store": True,
        "input": [
            {"role": "user", "content": "first"},
            {"type": "x"},
            {"role": "user", "content": "next"},
        ],
    }


def test_a_history_needs_a_body() -> None:
    """A body that is no object is the caller's mistake."""
    with pytest.raises(InvalidRequest):
        items.with_history(b"[1]", [])


def test_old_items_go_back_without_their_ids() -> None:
    """A provider that is told an id looks for the item in its own store, which does not have it."""
    found = items.as_input(
        [Raw(b'{"type":"message","id":"msg_1","x":1}'), Raw(b'{"type":"odd","id":"o"}')]
    )

    assert [json.loads(bytes(item)) for item in found] == [
        {"type": "message", "x": 1},
        {"type": "odd", "id": "o"},
    ]


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\n\ndata: [DONE]\n\n"])
def test_the_response_of_a_stream(kind: str, end: str) -> None:
    """The object in the terminal event, whatever its text says."""
    response = {"id": "resp_1", "text": "response.completed\ndata: nothing"}
    event = {"type": f"response.{kind}", "sequence_number": 1, "response": response}
    text = (
        'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_0"}}\n\n'
        f"event: response.{kind}\ndata: {json.dumps(event)}{end}"
    )
    found = items.terminal_response(text.encode(), "text/event-stream; charset=utf-8")

    assert found is not None
    assert json.loads(bytes(found)) == response
    assert items.response_id(found) == "resp_1"


@pytest.mark.parametrize(
    "text",
    ["", "data: x", 'data: {"type":"response.created","response":{}}\n\n', "response.completed"],
)
def test_a_stream_without_an_end_has_no_response(text: str) -> None:
    """None, for whatever is no whole stream."""
    assert items.terminal_response(text.encode(), "text/event-stream") is None


def test_what_a_request_continues() -> None:
    """Its previous_response_id, if it has one that is a text."""
    assert items.previous_id(b'{"previous_response_id":"resp_1"}') == "resp_1"
    assert items.previous_id(b'{"previous_response_id":null}') is None
    assert items.previous_id(b'{"input":"previous_response_id"}') is None
    assert items.previous_id(b'{"previous_response_id":3}') is None


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (
            b'event: response.created\ndata: {"type":"response.created","response":{"id":"r"}}\n\nx',
            b'{"id":"r"}',
        ),
        (b': ping\r\ndata:{"response":{"id":"r"}}\r\n\r\n', b'{"id":"r"}'),
        (b'data: {"type":"error"}\n\ndata: {"response":{}}\n\n', b""),
        (b'data: {"response":{"id"', b""),
        (b"data: [DONE]\n\n", b""),
        (b"data: " + b"[" * 100_000, b""),
        (b"", b""),
    ],
)
def test_how_a_stream_begins(stream: bytes, expected: bytes) -> None:
    """The Response of its first event; what cannot be read is none."""
    assert bytes(items.first_response(stream)) == expected
