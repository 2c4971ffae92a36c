"""Errors in each dialect of callers."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from providers.sse import payload
from schemas import errors
from schemas.envelopes import (
    error_body,
    error_code,
    error_event,
    failed_event,
    openai_error,
)
from schemas.errors import GatewayError
from schemas.requests import DIALECTS


def every(kind: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in every(child))]


def body(dialect: str, error: GatewayError, status: int | None = None) -> Any:
    return msgspec.json.decode(error_body(dialect, error, status))


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_completions", "openai_responses"])
def test_openai(dialect: str) -> None:
    """Message, type, param and code; param and code may be null but are there."""
    error = errors.ModelNotFound("none", param="model")
    detail = {
        "message": "none",
        "type": "not_found_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert body(dialect, error) == {"error": detail}
    assert error_body(dialect, error) == openai_error(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_anthropic(status: int, kind: str) -> None:
    """The type follows from the status that the caller is told."""
    found = body("anthropic", errors.UpstreamError("no"), status)
    assert found == {"type": "error", "error": {"type": kind, "message": "no"}}


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (404, "NOT_FOUND"),
        (422, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (529, "INTERNAL"),
    ],
)
def test_gemini(status: int, word: str) -> None:
    """Status as number and word; our code is the reason, which Google's SDK keeps in the details."""
    found = body("gemini", errors.StreamTruncated("no"), status)["error"]
    assert (found["code"], found["status"], found["message"]) == (status, word, "no")
    assert found["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "STREAM_TRUNCATED",
            "domain": "sluice",
        }
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", every())
def test_events(dialect: str, kind: type[GatewayError]) -> None:
    """Every error is one event on its own, with a name where its dialect names events; no end follows
    that would make the stream look whole."""
    error = kind("line\nend", param="p")
    event = error_event(dialect, error, 7)
    named = dialect in ("anthropic", "openai_responses")
    assert event.startswith(b"event: error\ndata: {" if named else b"data: {")
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == (3 if named else 2)
    data = msgspec.json.decode(payload(event))
    if dialect == "openai_responses":
        assert data == {
            "type": "error",
            "code": error.code,
            "message": "line\nend",
            "param": "p",
            "sequence_number": 7,
        }
    else:
        assert data == body(dialect, error)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.RateLimited(), "rate_limit_exceeded"),
        (errors.InvalidRequest(), "invalid_prompt"),
        (errors.StreamTruncated(), "server_error"),
    ],
)
def test_codes_of_failed_responses(error: GatewayError, code: str) -> None:
    """Our errors go by OpenAI's words there, the only ones that its SDK knows."""
    assert error_code(error) == code


def test_a_failed_response() -> None:
    """The Response as its stream began with it, but failed; unknown members stay."""
    begun = Raw(b'{"id":"resp_1","status":"in_progress","error":null,"new":{"a":1}}')
    event = failed_event(begun, errors.Interrupted("gone"), 4)

    assert event.startswith(b"event: response.failed\ndata: {")
    assert event.endswith(b"}\n\n")
    assert msgspec.json.decode(payload(event)) == {
        "type": "response.failed",
        "response": {
            "id": "resp_1",
            "status": "failed",
            "error": {"code": "server_error", "message": "gone"},
            "new": {"a": 1},
        },
        "sequence_number": 4,
    }


@pytest.mark.parametrize("begun", [b"", b"[]", b"{", b"[" * 100_000])
def test_a_failed_response_that_nobody_has_seen(begun: bytes) -> None:
    """Without its beginning the error is an event of its own."""
    error = errors.Interrupted("gone")

    assert failed_event(Raw(begun), error, 4) == error_event("openai_responses", error, 4)
