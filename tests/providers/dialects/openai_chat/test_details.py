"""Thoughts in `reasoning_details`."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from providers.canonical.request import Reasoning
from providers.dialects.openai_chat.details import own_entry, parse_details, write_details

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
TOKENS = st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), min_size=1, max_size=9)
ORIGINS = st.sampled_from(["anthropic", "openai_responses", "gemini"])
FOREIGN = st.one_of(
    st.builds(Reasoning, TEXT, st.booleans(), TOKENS, ORIGINS, st.none() | st.just("rs_1")),
    st.builds(
        lambda token, origin: Reasoning("", False, token, origin, None, True), TOKENS, ORIGINS
    ),
)


@given(st.lists(FOREIGN, max_size=4))
def test_foreign_thoughts_come_back(thoughts: list[Reasoning]) -> None:
    """Texts, summaries and redacted ones, with their tokens, ids and makers, in their order."""
    entries = [
        entry for index, each in enumerate(thoughts) for entry in write_details(each, 2 * index)
    ]
    assert parse_details(json.loads(json.dumps(entries))) == thoughts


@given(st.lists(FOREIGN, max_size=3), st.data())
def test_pieces_that_a_caller_kept(thoughts: list[Reasoning], data: st.DataObject) -> None:
    """A caller that keeps the pieces of a stream one by one sends the same back."""
    entries: list[dict[str, Any]] = []
    for index, each in enumerate(thoughts):
        for entry in write_details(each, 2 * index):
            field = {"reasoning.text": "text", "reasoning.summary": "summary"}.get(entry["type"])  # type: ignore[call-overload]
            if field is None:
                entries.append(entry)
                continue
            text = str(entry[field])
            at = data.draw(st.integers(0, len(text)))
            bare = {name: entry[name] for name in ("type", "index")}
            entries += [{**bare, field: text[:at]}, {**entry, field: text[at:]}]
    if all("signature" not in a or not a.get("text") for a in entries):
        assert parse_details(entries) == thoughts
    else:
        joined = parse_details(entries)
        assert [each.text for each in joined] == [each.text for each in thoughts]
        assert [each.token for each in joined] == [each.token for each in thoughts]


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "reasoning.text", "text": "t", "signature": "s", "format": "x", "index": 0},
        {"type": "reasoning.text", "signature": "s"},
        {"type": "reasoning.summary", "summary": "t", "index": 0},
        {"type": "reasoning.encrypted", "data": "d", "id": "rs"},
        {"type": "reasoning.of-tomorrow", "x": [1]},
    ],
)
def test_a_providers_own_entry(entry: dict[str, Any]) -> None:
    """It goes back as it came, whatever is in it."""
    (thought,) = parse_details([entry])
    assert thought.origin == "openai_chat"
    assert own_entry(thought) == entry
    assert write_details(thought, 7) == [entry]


def test_thoughts_without_a_token() -> None:
    """There is nothing to tell beside the text."""
    assert write_details(Reasoning("t"), 0) == []
    assert write_details(Reasoning("t", token="reasoning", origin="openai_chat"), 0) == []


def test_an_index_that_comes_again() -> None:
    """A text behind a signature is another one, and so is one without any index."""
    text = {"type": "reasoning.text", "index": 0}
    found = parse_details(
        [
            {**text, "text": "a", "signature": "s"},
            {**text, "text": "b"},
            {"type": "reasoning.text", "text": "c"},
        ]
    )
    assert [each.text for each in found] == ["a", "b", "c"]
