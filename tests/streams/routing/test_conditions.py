"""Conditions as Python functions: they mean what they mean in CEL."""

import random
from collections.abc import Iterator

import pytest

from streams.routing.conditions import simple
from streams.routing.facts import FACTS, Value
from streams.routing.rules import _environment

ENV = _environment()
TEXTS = ("", "auto", "/a/b", "gold", "sträße", "a // b", "x && y")
WORD = {
    "string": lambda chance: repr(chance.choice(TEXTS)),
    "int": lambda chance: str(chance.choice((-1, 0, 7, 2000))),
}
Facts = dict[str, Value]


def known(chance: random.Random) -> Facts:
    """Facts of some request."""
    kinds: dict[str, Value] = {
        "string": chance.choice(TEXTS),
        "bool": chance.random() < 0.5,
        "int": chance.choice((0, 6, 7, 2000)),
        "map of strings": {
            name: chance.choice(TEXTS) for name in ("tier", "x-y") if chance.random() < 0.5
        },
    }
    found: Facts = {}
    for name, kind in FACTS.items():
        found[name] = (
            chance.choice(TEXTS) if kind.startswith("string") else kinds[kind.partition(":")[0]]
        )
    return found


def operand(chance: random.Random, kind: str) -> str:
    names = [name for name, each in FACTS.items() if each.partition(":")[0] == kind]
    if kind == "string" and chance.random() < 0.4:
        return chance.choice(("metadata.tier", 'metadata["x-y"]', "headers['tier']"))
    return chance.choice(names)


def atom(chance: random.Random) -> str:
    match chance.randrange(7):
        case 0:
            return operand(chance, "bool")
        case 1:
            sign = chance.choice(("<", "<=", ">", ">=", "==", "!="))
            return f"{operand(chance, 'int')} {sign} {WORD['int'](chance)}"
        case 2:
            sign = chance.choice(("==", "!="))
            return f"{operand(chance, 'string')} {sign} {WORD['string'](chance)}"
        case 3:
            method = chance.choice(("startsWith", "endsWith", "contains"))
            return f"{operand(chance, 'string')}.{method}({WORD['string'](chance)})"
        case 4:
            texts = ", ".join(WORD["string"](chance) for _ in range(2))
            return f"{operand(chance, 'string')} in [{texts}]"
        case 5:
            return chance.choice(("has(metadata.tier)", "'x-y' in headers", "model in metadata"))
        case _:
            return chance.choice(("true", "false", f"{WORD['string'](chance)} != user_path"))


def condition(chance: random.Random, depth: int = 3) -> str:
    if not depth or chance.random() < 0.25:
        found = atom(chance)
        return f"!({found})" if chance.random() < 0.2 else found
    sign = chance.choice(("&&", "||", "&& // and\n"))
    found = f"{condition(chance, depth - 1)} {sign} {condition(chance, depth - 1)}"
    return (
        f"!({found})" if chance.random() < 0.1 else f"({found})" if chance.random() < 0.6 else found
    )


def conditions(count: int) -> Iterator[tuple[str, list[Facts]]]:
    """Always the same ones."""
    chance = random.Random(5)
    for _ in range(count):
        yield condition(chance), [known(chance) for _ in range(8)]


def test_they_mean_the_same_in_cel() -> None:
    """Conditions of all parts, each of eight requests: true, false, and what cannot be told."""
    told = []
    for when, requests in conditions(250):
        mine, theirs = simple(when), ENV.compile(when)
        assert mine is not None, when
        for facts in requests:
            found = theirs.eval(data=facts).value()
            expected = found if isinstance(found, bool) else None
            assert mine(facts) is expected, (when, facts)
            told.append(expected)

    assert min(told.count(each) for each in (True, False, None)) > 100


@pytest.mark.parametrize(
    "when",
    [
        "input_tokens + 1 > 2",
        "hour -3 > 0",
        "model.matches('^a')",
        "size(model) > 2",
        "images ? tools : stream",
        "['a'].exists(each, each == model)",
        "metadata == headers",
        "tools == images",
        "!tools == images",
        "model < 'b'",
        "model == 'a\\n'",
        'model == """a"""',
        "model == r'a'",
        "input_tokens > 2u || true",
        "9223372036854775807 > hour",
        "hour in [1, 2]",
        "metadata.size() > 0",
        "{'a': 1}.size() > hour",
    ],
)
def test_all_else_is_left_to_cel(when: str) -> None:
    """What is not of the common kind is not guessed at."""
    assert simple(when) is None


@pytest.mark.parametrize(
    "when",
    ['model == "auto" && (input_tokens > 2000 || tools)', "'x' in metadata", "hour >= -1", "true"],
)
def test_what_examples_ask_is_of_the_common_kind(when: str) -> None:
    """No call of CEL for it."""
    assert simple(when) is not None
