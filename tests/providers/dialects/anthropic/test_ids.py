"""Ids and names within the letters that the API takes."""

import re

from hypothesis import given, strategies as st

from providers.dialects.anthropic.ids import from_wire, to_wire, wire_names

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@given(TEXTS | st.from_regex(r"b64_[A-Za-z0-9_-]{0,8}", fullmatch=True))
def test_every_id_comes_back(call_id: str) -> None:
    """Whatever a provider calls a call, the API's pattern fits it on the wire, and it comes back."""
    wire = to_wire(call_id)
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", wire)
    assert from_wire(wire) == call_id


@given(TEXTS)
def test_ids_of_others_are_left_alone(wire_id: str) -> None:
    """What we did not encode is not decoded."""
    assert from_wire(wire_id) == wire_id or to_wire(from_wire(wire_id)) == wire_id


def test_good_ids_stay() -> None:
    """Those of the API itself and of OpenAI need no coding."""
    for call_id in ("toolu_01A", "call_a-B_9"):
        assert to_wire(call_id) == call_id


@given(st.lists(TEXTS | st.sampled_from(["a.b", "a_b", "a:b", "a_b_2"]), max_size=6))
def test_names_stay_apart(names: list[str]) -> None:
    """Names that the API refuses get ones that it takes and that no other tool has."""
    changed = wire_names(tuple(names))
    wire = [changed.get(name, name) for name in dict.fromkeys(names)]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", name) for name in wire)
    assert len(set(wire)) == len(wire)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", name) is None for name in changed)
