"""Responses in the background as their callers see them."""

import json
from typing import Any

import pytest
from openai.types.responses import Response

from ingress.background import queued, response_object
from schemas.kept import Kept
from schemas.requests import Request

ASKED = {
    "model": "m",
    "input": "hi",
    "background": True,
    "metadata": {"a": "b"},
    "temperature": None,
    "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}],
    "new": 1,
}
WHOLE = {"id": "resp_r", "object": "response", "status": "completed", "output": [], "new": {"a": 1}}


def kept(outcome: str, answer: object = b"", **changes: Any) -> Kept:
    return Kept(
        request_id="r",
        created_at="2026-01-01T00:00:00.000000Z",
        dialect="openai_responses",
        background=True,
        outcome=outcome,
        request=json.dumps(ASKED).encode(),
        answer=answer if isinstance(answer, bytes) else json.dumps(answer).encode(),
        **changes,
    )


def test_a_request_that_was_taken_is_queued() -> None:
    """A whole Response for OpenAI's own types; it repeats what was asked and says what was not."""
    found = json.loads(
        queued(Request(request_id="r", body=json.dumps(ASKED).encode(), created=9.5))
    )
    response = Response.model_validate(found)

    assert (response.id, response.status, response.created_at) == ("resp_r", "queued", 9)
    assert (response.background, response.model, response.output) == (True, "m", [])
    assert (response.metadata, response.temperature) == ({"a": "b"}, 1.0)
    assert found["tools"] == ASKED["tools"]
    assert "new" not in found
    assert "input" not in found


@pytest.mark.parametrize("outcome", ["queued", "in_progress"])
def test_one_that_runs(outcome: str) -> None:
    found = json.loads(response_object(kept(outcome)))

    assert (found["id"], found["status"], found["error"]) == ("resp_r", outcome, None)
    assert found["created_at"] == 1767225600


def test_one_that_was_made_is_as_it_came() -> None:
    """But that it says that it was made in the background."""
    assert json.loads(response_object(kept("completed", WHOLE))) == {**WHOLE, "background": True}


def test_one_that_was_streamed_is_that_of_its_last_event() -> None:
    event = {"type": "response.completed", "response": WHOLE}
    stream = b'data: {"type":"response.created"}\n\ndata: %b\n\n' % json.dumps(event).encode()

    found = json.loads(response_object(kept("completed", stream, content_type="text/event-stream")))

    assert found == {**WHOLE, "background": True}


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "server_error"), (429, "rate_limit_exceeded"), (400, "invalid_prompt")],
)
def test_an_error_is_a_response_that_failed(status: int, code: str) -> None:
    """Its message is the error's; its code one of those that OpenAI has."""
    error = {"error": {"message": "Not now.", "code": "x"}}

    found = json.loads(response_object(kept("failed", error, status=status)))

    assert (found["id"], found["status"]) == ("resp_r", "failed")
    assert found["error"] == {"code": code, "message": "Not now."}


def test_an_answer_that_is_no_json_failed_all_the_same() -> None:
    found = json.loads(response_object(kept("expired", b"\xff<html>", status=504)))

    assert found["status"] == "failed"
    assert found["error"]["message"]


def test_a_failed_response_stays_what_its_stream_said() -> None:
    """With what was made of it before."""
    failed = {**WHOLE, "status": "failed", "error": {"code": "server_error", "message": "Cut."}}
    event = {"type": "response.failed", "response": failed}
    stream = b"data: %b\n\n" % json.dumps(event).encode()

    found = json.loads(response_object(kept("failed", stream, content_type="text/event-stream")))

    assert found == {**failed, "background": True}


def test_one_that_was_cancelled_has_no_error() -> None:
    """Before its first byte or after it."""
    failed = {**WHOLE, "status": "failed", "error": {"code": "server_error", "message": "x"}}
    stream = b"data: %b\n\n" % json.dumps({"type": "response.failed", "response": failed}).encode()

    for found in (
        kept("cancelled", {"error": {"message": "x"}}, status=499),
        kept("cancelled", stream, content_type="text/event-stream"),
    ):
        shown = json.loads(response_object(found))
        assert (shown["status"], shown["error"]) == ("cancelled", None)
