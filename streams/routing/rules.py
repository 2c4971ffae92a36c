"""Rules: conditions in CEL (https://cel.dev) over the facts of a request, checked and compiled once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from streams.routing.config import Rule
from streams.routing.facts import FACTS, Value

log = structlog.get_logger()

if TYPE_CHECKING:
    import cel_expr_python.cel as cel


class BadRule(ValueError):
    """A rule that cannot be used; the message begins with its name."""


# What a condition is made of, as far as it matters here. Texts and remarks come first, so that nothing is
# found in them.
_PARTS = re.compile(
    r"""
    //[^\n]* | \"{3}.*?\"{3} | '{3}.*?'{3} | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'
    | \b(?P<facts>metadata|headers)(?:\[\s*["'](?P<indexed>[\w-]+)["']\s*\]|\.(?P<dotted>\w+)\b(?!\())
    | (?P<lenient>\|\||\?|\bhas\(|\.(?:all|exists|exists_one|existsOne|filter|map)\()
    """,
    re.VERBOSE | re.DOTALL,
)
TOGETHER = 8  # rules in one expression; CEL takes about twice as many


class Rules:
    """The rules in their order."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """BadRule says which rule cannot be used and why."""
        self._rules = tuple(rules)
        self._groups = _grouped(rules) if rules else []

    def __bool__(self) -> bool:
        return bool(self._rules)

    def first(self, facts: Mapping[str, Value]) -> Rule | None:
        """The first rule whose condition holds. One that cannot be told of a request, for instance
        because it asks for metadata that is not there, does not hold."""
        for group in self._groups:
            if (found := group.first(facts)) is not None:
                return found
        return None


class _Group:
    """Rules that are asked together, for to ask costs more than to answer."""

    def __init__(self, env: cel.Env, rules: Sequence[Rule]) -> None:
        self._rules = [(rule, _Asked(_compiled(env, rule), rule.when)) for rule in rules]
        self._all = _joined(env, rules) if len(rules) > 1 else None

    def first(self, facts: Mapping[str, Value]) -> Rule | None:
        if self._all is not None:
            found = self._all.answer(facts)
            if isinstance(found, int):
                return self._rules[found][0] if found >= 0 else None
        # One of them cannot be told, and it is not known which: each by itself.
        for rule, condition in self._rules:
            holds = condition.answer(facts)
            if holds is True:
                return rule
            if holds is not False:
                log.debug("rule_not_applicable", rule=rule.name, reason=str(holds))
        return None


class _Asked:
    """An expression, and what of a request is converted for it: no more than it names."""

    __slots__ = ("_expression", "_names")

    def __init__(self, expression: cel.Expression, text: str) -> None:
        self._expression = expression
        self._names = tuple(name for name in FACTS if re.search(rf"\b{name}\b", text))

    def answer(self, facts: Mapping[str, Value]) -> object:
        return self._expression.eval(data={name: facts[name] for name in self._names}).value()


def _grouped(rules: Sequence[Rule]) -> list[_Group]:
    env = _environment()
    groups: list[list[Rule]] = [[]]
    for rule in rules:
        alone = _needs(rule.when) is None
        if alone or len(groups[-1]) == TOGETHER:
            groups.append([])
        groups[-1].append(rule)
        if alone:
            groups.append([])
    return [_Group(env, group) for group in groups if group]


def _needs(when: str) -> list[str] | None:
    """Conditions in CEL: what must be there for this one to hold. None: that depends, because it has
    alternatives."""
    found = [part for part in _PARTS.finditer(when) if part.lastgroup]
    needed = [part for part in found if part["facts"]]
    if len(needed) < len(found):
        return None if needed else []
    return [f"'{part['indexed'] or part['dotted']}' in {part['facts']}" for part in needed]


def _environment() -> cel.Env:
    import cel_expr_python.cel as cel  # 9 MB, which a worker without rules does without

    types = {
        "string": cel.Type.STRING,
        "bool": cel.Type.BOOL,
        "int": cel.Type.INT,
        "map of strings": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    }
    variables = {name: types[kind.partition(":")[0]] for name, kind in FACTS.items()}
    return cel.NewEnv(variables=variables)


def _compiled(env: cel.Env, rule: Rule) -> cel.Expression:
    if not rule.use:
        raise BadRule(f"{rule.name}: `use` names no model")
    try:
        condition = env.compile(rule.when)
    except RuntimeError as error:
        raise BadRule(f"{rule.name}: `when` is no condition: {error}") from error
    if str(kind := condition.return_type()) != "BOOL":
        raise BadRule(f"{rule.name}: `when` gives {kind}, not true or false")
    return condition


def _joined(env: cel.Env, rules: Sequence[Rule]) -> _Asked | None:
    """The number of the first one that holds, -1 if none does, as one expression."""
    text = "-1"
    for number in range(len(rules) - 1, -1, -1):
        when = rules[number].when
        # What is needed is asked for, since a single condition that cannot be told spoils the whole.
        conditions = " && ".join([*(_needs(when) or ()), f"({when}\n)"])
        text = f"{conditions} ? {number} : ({text})"
    try:
        return _Asked(env.compile(text), text)
    except RuntimeError:  # they are too long for one
        return None
