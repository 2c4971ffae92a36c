"""Which answers may be given again."""

from typing import Any

import pytest
from msgspec import Raw

from providers.canonical.answer import Answer, Choice, Finish
from providers.canonical.request import Native, Reasoning, Refusal, Text, ToolCall
from streams.caches.rules import Rules, may_be_kept

TEXT = Text("Yes.")
CALL = ToolCall("c", "look", "{}")
SEARCH = Native("anthropic", "web_search_tool_result", Raw(b"{}"))


def answer(reason: str | None, *parts: Any) -> Answer:
    finish = None if reason is None else Finish(reason)
    return Answer("id", "m", (Choice(0, parts, finish),))


@pytest.mark.parametrize(
    ("found", "kept", "with_tools"),
    [
        (answer("stop", TEXT), True, True),
        (answer("stop", Reasoning("Hm."), TEXT), True, True),
        (answer("length", TEXT), False, False),
        (answer("content_filter", TEXT), False, False),
        (answer("pause_turn", TEXT), False, False),
        (answer(None, TEXT), False, False),
        (answer("stop"), False, False),
        (answer("stop", Text("")), False, False),
        (answer("stop", Reasoning("Hm.")), False, False),
        (answer("stop", Refusal("No.")), False, False),
        (answer("tool_calls", CALL), False, True),
        (answer("stop", TEXT, CALL), False, True),
        (answer("stop", SEARCH, TEXT), False, True),
        (Answer("id", "m", ()), False, False),
        (Answer("id", "m", (answer("stop", TEXT).choices[0], Choice(1, (TEXT,)))), False, False),
    ],
)
def test_whole_and_good_answers_only(found: Answer, kept: bool, with_tools: bool) -> None:
    """An answer that was cut, filtered or refused, or that says nothing, is never given again; one
    that acts is if tool calls are allowed."""
    assert may_be_kept(found, Rules()) is kept
    assert may_be_kept(found, Rules(tool_calls=True)) is with_tools
