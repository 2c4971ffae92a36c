"""Opaque tokens of other dialects in `encrypted_content`."""

import pytest
from hypothesis import given, strategies as st

from providers.canonical.request import Reasoning, ToolCall
from providers.dialects.openai_responses.carrier import Carried, carried, carry, carry_call

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
TOKENS = TEXTS.filter(bool)


def test_own_tokens_are_bare() -> None:
    """A token of this dialect's own provider travels as it is."""
    assert carry(Reasoning("t", token="gAAA", origin="openai_responses")) == "gAAA"
    assert carried("gAAA") == Carried("gAAA", "openai_responses")
    assert carry(Reasoning("t")) is None
    assert carry_call(ToolCall("c", "f", "{}")) is None


@given(
    TOKENS,
    st.sampled_from(["anthropic", "openai_chat", "gemini"]),
    st.none() | TOKENS,
    TEXTS,
    st.booleans(),
)
def test_foreign_tokens_come_back(
    token: str, origin: str, name: str | None, text: str, redacted: bool
) -> None:
    """Token, maker, id and the thoughts themselves come back, whatever characters are in them."""
    sealed = carry(Reasoning(text, False, token, origin, name, redacted))
    assert sealed is not None
    assert carried(sealed) == Carried(token, origin, name, None, text, redacted)


@given(TOKENS, TOKENS)
def test_tokens_of_calls_come_back(token: str, call: str) -> None:
    """A call's token comes back with the call that it belongs to."""
    sealed = carry_call(ToolCall(call, "f", "{}", token=token))
    assert sealed is not None
    assert carried(sealed) == Carried(token, "gemini", call_id=call)


@pytest.mark.parametrize("text", ["anthropic:text=%%%:t", "anthropic:text=a:t", "anthropic:x"])
def test_what_is_not_as_we_wrote_it(text: str) -> None:
    """A token that somebody has changed is still a token."""
    assert carried(text).token
    assert carried(text).text == ""
