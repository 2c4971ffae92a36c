"""Rules: conditions in CEL (https://cel.dev) over the facts of a request, checked and compiled once."""

from __future__ import annotations

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


class Rules:
    """The rules in their order."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """BadRule says which rule cannot be used and why."""
        env = _environment() if rules else None
        # What a condition does not ask for is not converted for it.
        self._rules = [
            (rule, _compiled(env, rule), tuple(name for name in FACTS if name in rule.when))
            for rule in rules
            if env is not None
        ]
        self._all = _combined(env, rules) if env is not None else None
        self._names = tuple(dict.fromkeys(name for *_, names in self._rules for name in names))

    def __bool__(self) -> bool:
        return bool(self._rules)

    def first(self, facts: Mapping[str, Value]) -> Rule | None:
        """The first rule whose condition holds. One that cannot be told of a request, for instance
        because it asks for metadata that is not there, does not hold."""
        if self._all is not None:
            index = self._all.eval(data={name: facts[name] for name in self._names}).value()
            if isinstance(index, int):
                return self._rules[index][0] if index >= 0 else None
        # One of them cannot be told: each by itself.
        for rule, condition, names in self._rules:
            found = condition.eval(data={name: facts[name] for name in names}).value()
            if found is True:
                return rule
            if found is not False:
                log.debug("rule_not_applicable", rule=rule.name, reason=str(found))
        return None


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


def _combined(env: cel.Env, rules: Sequence[Rule]) -> cel.Expression | None:
    """The number of the first rule that holds, as one expression: to ask costs more than to answer."""
    text = "-1"
    for number in range(len(rules) - 1, -1, -1):
        text = f"({rules[number].when}\n) ? {number} : ({text})"
    try:
        return env.compile(text)
    except RuntimeError:  # there are too many for one
        return None
