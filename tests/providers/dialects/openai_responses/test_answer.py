"""Plain answers straight through: what is read of them."""

from typing import Any

import msgspec
import pytest

from providers.dialects.openai_responses.answer import AnswerDecoder
from schemas.errors import StreamTruncated, UpstreamError
from schemas.replies import Completed, Failed
from tests.providers.support import fold

USAGE = {"input_tokens": 5, "output_tokens": 2}


def outcome(body: bytes) -> Completed | Failed:
    return fold(AnswerDecoder(), [body[:3], body[3:]])[1]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"status": "completed"}, "stop"),
        ({"status": "completed", "output": [{"type": "function_call"}]}, "tool_calls"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ({"status": "queued"}, None),
        ({"object": "response.compaction"}, None),
    ],
)
def test_finish(members: dict[str, Any], reason: str | None) -> None:
    """The bytes stay; why the answer ended, its model and its counts are read."""
    body = msgspec.json.encode({"model": "m", "usage": USAGE, **members})
    end = outcome(body)

    assert isinstance(end, Completed)
    assert (end.data, end.finish_reason, end.response_model) == (body, reason, "m")
    assert end.usage is not None
    assert end.usage.output_tokens == 2


def test_failed() -> None:
    """A Response that failed is an error, whose body the caller gets as it is."""
    body = b'{"status":"failed","error":{"code":"server_error","message":"no"},"usage":{"input_tokens":1}}'
    end = outcome(body)

    assert isinstance(end, Failed)
    assert (end.status, end.error.message, end.body) == (502, "no", body)
    assert end.usage is not None


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", StreamTruncated), (b'{"id":', StreamTruncated), (b"<html>", UpstreamError)],
)
def test_no_json(body: bytes, kind: type[UpstreamError]) -> None:
    """A body that was cut, or that is no JSON, is no answer."""
    end = outcome(body)
    assert isinstance(end, Failed)
    assert type(end.error) is kind


@pytest.mark.parametrize("body", [b"[]", b'{"status":5}'])
def test_another_shape(body: bytes) -> None:
    """JSON of a shape that we do not know passes."""
    assert outcome(body) == Completed(body)


def test_abort() -> None:
    """Whoever asked for a plain answer gets an error body."""
    body = AnswerDecoder().abort(StreamTruncated())
    assert msgspec.json.decode(body)["error"]["code"] == "stream_truncated"
