"""Thoughts of other providers in a conversation that goes on at one of this dialect."""

from typing import Any

import pytest

from providers.dialects.openai_responses.foreign import without_foreign_thoughts
from tests.providers.dialects.openai_responses.support import raw

THOUGHTS = {"type": "reasoning", "id": "rs_0a1b", "summary": []}
USER = {"role": "user", "content": 'say "reasoning"'}


@pytest.mark.parametrize(
    "value",
    [
        "a text",
        None,
        [USER, {**THOUGHTS, "encrypted_content": "gAAA"}],
        [THOUGHTS],
        [{"type": "message", "id": "rs_r-1_0", "content": "reasoning", "role": "user"}],
        [{"type": "reasoning", "id": 5}],
    ],
)
def test_nothing_to_leave_out(value: Any) -> None:
    """What is the provider's own, or what it will refuse by itself, stays as it is."""
    members = {"model": raw("m"), "input": raw(value)}
    assert without_foreign_thoughts(members) is members


@pytest.mark.parametrize(
    "item",
    [
        {**THOUGHTS, "encrypted_content": "anthropic::EqoB"},
        {**THOUGHTS, "encrypted_content": "gemini:call=c:sig"},
        {**THOUGHTS, "id": "rs_0198f2a4-7c55-7000-8000-0242ac120002_0"},
    ],
)
def test_foreign(item: dict[str, Any]) -> None:
    """Sealed tokens of others, and thoughts with an id of ours and no content of the provider's."""
    members = {"model": raw("m"), "input": raw([USER, item])}
    found = without_foreign_thoughts(members)

    assert found == {"model": raw("m"), "input": raw([USER])}
    assert members["input"] == raw([USER, item])
