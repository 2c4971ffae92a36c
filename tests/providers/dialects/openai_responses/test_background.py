"""A Response of a provider under the name that the gateway has told its caller."""

import json
from typing import Any

import pytest

from providers.base import Target
from providers.dialects.openai_responses.native import PassThrough
from providers.dialects.openai_responses.parse import parse
from schemas.replies import Chunk, Completed, Failed, Reply
from schemas.requests import Request
from tests.providers.dialects.openai_responses.test_native import TARGET

OURS = "resp_0198a000-0000-7000-8000-000000000001"
BODY = {"model": TARGET.model, "input": "hi", "background": True}
RESPONSE = {"id": "resp_theirs", "object": "response", "status": "completed", "output": []}


def request(keep: bool = True, **changes: Any) -> Request:
    return Request(
        request_id=OURS.removeprefix("resp_"),
        body=json.dumps({**BODY, **changes}).encode(),
        dialect="openai_responses",
        keep=keep,
    )


def sent(given: Request, target: Target = TARGET) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PassThrough(given, target).sent.body)
    return found


def folded(body: bytes, content_type: str, size: int) -> tuple[bytes, Reply]:
    """All bytes that its caller gets, and the end."""
    decoder = PassThrough(request(), TARGET).decoder(content_type)
    replies: list[Reply] = []
    for at in range(0, len(body), size):
        replies += decoder.feed(body[at : at + size])
    replies.append(end := decoder.finish())
    data = b"".join(each.data for each in replies if isinstance(each, Chunk | Completed))
    return data, end


def test_the_provider_is_asked_as_by_one_who_waits() -> None:
    """What makes it work in the background itself is not said; what a direct producer says is."""
    assert "background" not in sent(request())
    assert sent(request(keep=False))["background"] is True
    assert "background" not in parse(request()).extra


@pytest.mark.parametrize("size", [5, 1000])
def test_a_plain_answer(size: int) -> None:
    """It has our name, and nothing else of it is changed."""
    text = {"type": "message", "text": 'resp_theirs "resp_theirs2"', "id": "resp_theirs"}
    body = json.dumps({**RESPONSE, "output": [text]}).encode()

    data, end = folded(body, "application/json", size)

    expected = {**RESPONSE, "id": OURS, "output": [{**text, "id": OURS}]}
    assert json.loads(data) == expected
    assert isinstance(end, Completed)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [7, 100_000])
def test_a_stream(size: int, line_end: str) -> None:
    """Every event that names the Response names it so."""
    kinds = ("response.created", "response.in_progress", "response.completed")
    events = [
        {"type": kind, "sequence_number": number, "response": RESPONSE}
        for number, kind in enumerate(kinds)
    ]
    body = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)

    data, end = folded(body.replace("\n", line_end).encode(), "text/event-stream", size)

    lines = [line for line in data.decode().splitlines() if line.startswith("data: ")]
    assert [json.loads(line[6:])["response"]["id"] for line in lines] == [OURS] * 3
    assert b"resp_theirs" not in data
    assert isinstance(end, Completed)


def test_a_stream_that_breaks() -> None:
    """The event that ends it has our name, too."""
    decoder = PassThrough(request(), TARGET).decoder("text/event-stream")
    event = {"type": "response.created", "sequence_number": 0, "response": RESPONSE}
    list(decoder.feed(f"event: response.created\ndata: {json.dumps(event)}\n\n".encode()))

    end = decoder.finish()

    assert isinstance(end, Failed)
    event_of_failure = end.event or decoder.abort(end.error)
    assert OURS.encode() in event_of_failure
    assert b"resp_theirs" not in event_of_failure


def test_an_answer_without_a_name_passes() -> None:
    """Nothing can be put in its place."""
    data, _ = folded(b'{"object":"response"}', "application/json", 1000)

    assert data == b'{"object":"response"}'
