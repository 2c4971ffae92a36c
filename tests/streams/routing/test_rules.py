"""Conditions in CEL over the facts of a request."""

import pytest

from schemas.requests import Request
from streams.routing.config import Choice, Rule
from streams.routing.facts import FACTS, Value, facts
from streams.routing.rules import BadRule, Rules

USE = (Choice("m"),)


def known(body: bytes = b'{"messages":[{}]}', **given: object) -> dict[str, Value]:
    request = Request(request_id="r", body=body, **given)  # type: ignore[arg-type]  # test's own
    return facts(request, "auto", stream=False, now=0.0)


def test_the_first_rule_that_holds_decides() -> None:
    """Rules are tried in their order; if none holds there is none."""
    rules = Rules(
        [
            Rule(name="tools", when="tools", use=USE),
            Rule(name="light", when="input_tokens < 10", use=USE),
            Rule(name="auto", when='model == "auto"', use=USE),
        ]
    )

    assert rules.first(known(b'{"messages":[{}],"tools":[{}]}')).name == "tools"  # type: ignore[union-attr]
    assert rules.first(known()).name == "light"  # type: ignore[union-attr]
    assert rules.first(known(b'{"messages":["%s"]}' % (b"x" * 99))).name == "auto"  # type: ignore[union-attr]
    assert rules.first({**known(b" " * 99), "model": "other"}) is None


def test_a_rule_that_asks_for_what_is_not_there_does_not_hold() -> None:
    """A condition on metadata that a request lacks is passed over, and the next rule decides."""
    rules = Rules(
        [
            Rule(name="gold", when='metadata["tier"] == "gold"', use=USE),
            Rule(name="rest", use=USE),
        ]
    )

    assert rules.first(known(b'{"messages":[{}],"metadata":{"tier":"gold"}}')).name == "gold"  # type: ignore[union-attr]
    assert rules.first(known()).name == "rest"  # type: ignore[union-attr]


@pytest.mark.parametrize("when", ["1 + 1", "modell == 'x'", "model <", "input_tokens < 'x'"])
def test_a_bad_condition_is_named_at_start(when: str) -> None:
    """A syntax error, an unknown name, a wrong type: the rule's name and the reason."""
    with pytest.raises(BadRule, match=r"^mine: `when` "):
        Rules([Rule(name="mine", when=when, use=USE)])


def test_a_rule_without_models_is_named_at_start() -> None:
    """`use` must name at least one model."""
    with pytest.raises(BadRule, match=r"^mine: `use`"):
        Rules([Rule(name="mine", use=())])


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_can_be_asked(name: str) -> None:
    """What the page says can be asked has its type in CEL and a value for every request."""
    kind = FACTS[name].partition(":")[0]
    value = {"string": '""', "bool": "false", "int": "-1", "map of strings": '{"a": "b"}'}[kind]
    rules = Rules([Rule(name="differs", when=f"{name} != {value}", use=USE)])
    body = b'{"messages":[{}],"tools":[1],"user":"u","max_tokens":5}'
    found = known(body, client="k", http_headers={"x": "y"})
    found |= {"stream": True, "images": True}

    assert rules.first(found) is not None


def test_pictures_are_not_counted_as_text() -> None:
    """A data URL of 100 kB is not 25,000 tokens."""
    picture = b'{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:%s"}}]}]}'
    found = known(picture % (b"A" * 100_000))

    assert found["images"] is True
    assert int(str(found["input_tokens"])) < 100


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b"[1]", b'{"tools":3,"metadata":{"a":1}}', b"\xff"]
)
def test_facts_of_anything(body: bytes) -> None:
    """Bodies of other shapes have facts, too: what cannot be read is empty."""
    assert known(body)["metadata"] in ({}, {"a": ""})
