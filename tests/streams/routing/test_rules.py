"""Conditions in CEL over the facts of a request."""

import pytest

from schemas.requests import Request
from streams.routing.config import Choice, Rule
from streams.routing.facts import FACTS, Facts, Value, facts
from streams.routing.rules import BadRule, Rules

USE = (Choice("m"),)


def known(body: bytes = b'{"messages":[{}]}', **given: object) -> Facts:
    request = Request(request_id="r", body=body, **given)  # type: ignore[arg-type]  # test's own
    return facts(request, "auto", stream=False, now=0.0)


def everything(found: Facts) -> dict[str, Value]:
    return {name: found[name] for name in FACTS}


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
    assert rules.first({**everything(known(b" " * 99)), "model": "other"}) is None


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


@pytest.mark.parametrize(
    ("when", "with_it", "without_it"),
    [
        ('metadata["tier"] == "gold"', True, False),
        ("metadata.tier.startsWith('go') && model == 'auto'", True, False),
        ('metadata["tier"] != "silver"', True, False),
        ("!(metadata.tier == 'silver')", True, False),
        ("metadata.tier == 'silver' || model == 'auto'", True, True),
        ("!has(metadata.tier)", False, True),
        ("has(metadata.tier) ? false : model == 'auto'", False, True),
        ("!('tier' in metadata) && metadata.size() == 0", False, True),
        ("['a'].exists(each, metadata.tier == each || true)", True, True),
        ("user_path != 'metadata.tier'", True, True),
        ('user_path != """metadata.tier\'"""', True, True),
        ("model == 'auto' // and not metadata.tier", True, True),
        (r"""metadata.tier == "\"" || model == "auto" """, True, True),
        ("metadata.tier == 'gold' && 9223372036854775807 + hour > 0", False, False),
    ],
)
def test_a_condition_means_the_same_among_others(
    when: str, with_it: bool, without_it: bool
) -> None:
    """Many rules are asked at once; each holds where it would alone, whatever its neighbours ask for."""
    before = [
        Rule(name=f"b{n}", when=f"metadata.b{n} == 'x' && turns > 9", use=USE) for n in range(9)
    ]
    behind = [Rule(name=f"c{n}", when=f"headers['c{n}'] == 'x'", use=USE) for n in range(9)]
    mine, rest = Rule(name="mine", when=when, use=USE), Rule(name="rest", use=USE)
    for body, holds in ((b'{"metadata":{"tier":"gold"}}', with_it), (b"{}", without_it)):
        for rules in ([mine], [mine, rest], [*before, mine, *behind, rest]):
            found = Rules(rules).first({**everything(known(body)), "hour": 1})
            expected = "mine" if holds else "rest" if rest in rules else None
            assert (found and found.name) == expected


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
    "body",
    [
        b"",
        b"no JSON",
        b"[1]",
        b'{"tools":3,"metadata":{"a":1}}',
        b"\xff",
        b'{"metadata":{"a":"\xff"}}',
    ],
)
def test_facts_of_anything(body: bytes) -> None:
    """Bodies of other shapes have facts, too: what cannot be read is empty."""
    assert known(body)["metadata"] in ({}, {"a": ""})
