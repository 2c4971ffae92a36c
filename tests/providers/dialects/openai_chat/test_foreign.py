"""A conversation that another dialect's provider has taken part in."""

from typing import Any

import msgspec
import pytest

from tests.providers.support import pass_through

OURS = {"type": "reasoning.text", "text": "t", "signature": "anthropic::s", "index": 0}
THEIRS = {"type": "reasoning.text", "text": "t", "signature": "ErcB", "format": "x", "index": 0}


def body(*details: Any, **members: Any) -> bytes:
    spoken = {"role": "assistant", "content": "a", **members}
    if details:
        spoken["reasoning_details"] = list(details)
    user = {"role": "user", "content": "hi"}
    return msgspec.json.encode({"model": "gpt-4o", "messages": [user, spoken, user]})


@pytest.mark.parametrize(
    "details", [(OURS,), (THEIRS, OURS), ({"type": "reasoning.encrypted", "data": "gemini::d"},)]
)
def test_foreign_thoughts_stay_away(details: tuple[Any, ...]) -> None:
    """What another provider thought is left out, text and all, and is named; the rest is as it was."""
    asked = pass_through(body(*details, reasoning_content="t", extra=1))
    assert msgspec.json.decode(asked.sent.body) == msgspec.json.decode(body(extra=1))
    assert asked.dropped == ("messages.reasoning_details",)


@pytest.mark.parametrize(
    "sent",
    [
        body(THEIRS, reasoning="t"),
        body(reasoning_details=None),
        body(reasoning_details=[]),
        body(reasoning_details="x"),
        body(reasoning_content='"reasoning_details"'),
        b'{"model":"gpt-4o","messages":"reasoning_details"}',
    ],
)
def test_everything_else_passes(sent: bytes) -> None:
    """A provider's own thoughts, and what is malformed, reach it byte for byte."""
    asked = pass_through(sent)
    assert asked.sent.body is sent
    assert asked.dropped == ()
