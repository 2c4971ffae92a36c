"""How a stream goes on, by what its caller has seen."""

import json
from typing import Any, get_args

import pytest

from ingress.seen import MAX_FIRST, Seen
from schemas.envelopes import error_event
from schemas.errors import Interrupted
from schemas.requests import Dialect

ERROR = Interrupted()


def event(kind: str, number: int, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, "sequence_number": number, **fields})
    return f"event: {kind}\ndata: {data}\n\n".encode()


CREATED = event("response.created", 0, response={"id": "resp_1", "status": "in_progress"})


def data_of(found: bytes) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(found.partition(b"data: ")[2])
    return data


@pytest.mark.parametrize("dialect", [d for d in get_args(Dialect) if d != "openai_responses"])
def test_most_errors_stand_alone(dialect: Dialect) -> None:
    """In these dialects nothing of what was said before is repeated in an error."""
    seen = Seen(dialect, CREATED)

    assert seen.error(ERROR) == error_event(dialect, ERROR)


def test_a_response_fails_as_itself() -> None:
    """The Response with which the stream began is the one that failed, with the next number."""
    seen = Seen("openai_responses", CREATED + event("response.in_progress", 1))
    seen.note(event("a", 2) + event("b", 3, delta='"sequence_number":99'))
    seen.note(b": a comment\n")

    found = data_of(seen.error(ERROR))
    assert (found["type"], found["sequence_number"]) == ("response.failed", 4)
    assert found["response"]["id"] == "resp_1"
    assert found["response"]["status"] == "failed"
    assert found["response"]["error"]["code"] == "server_error"


@pytest.mark.parametrize(
    "first",
    [b"", b"data: [DONE]\n\n", event("response.created", 0, response={"x": "x" * MAX_FIRST})],
)
def test_an_unknown_response_fails_without_it(first: bytes) -> None:
    """What did not begin as a Response, or with one too large to be held for so long."""
    seen = Seen("openai_responses", first)
    seen.note(event("a", 7))

    assert data_of(seen.error(ERROR)) == {
        "type": "error",
        "code": ERROR.code,
        "message": ERROR.message,
        "param": None,
        "sequence_number": 8,
    }


@pytest.mark.parametrize(
    ("pieces", "between", "glued"),
    [
        ([], True, False),
        ([b"data: 1\n\n"], True, False),
        ([b"data: 1\r\n\r\n"], True, False),
        ([b"data: 1\r\r"], False, False),
        ([b"data: 1\n", b"\n"], True, False),
        ([b"data: 1\n"], True, True),
        ([b"data: 1\r\n"], True, True),
        ([b"data: 1\r"], False, True),
        ([b"data: 1"], False, True),
        ([b"data: 1\n\n", b"", b"d"], False, True),
    ],
)
def test_where_a_piece_was_cut(pieces: list[bytes], between: bool, glued: bool) -> None:
    """A comment may follow a whole line; an error ends the event before it, if that is open."""
    seen = Seen("openai_chat", b"")
    for piece in pieces:
        seen.note(piece)

    assert seen.between_lines is between
    assert seen.error(ERROR) == b"\n\n" * glued + error_event("openai_chat", ERROR)
