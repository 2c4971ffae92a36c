"""Rules: conditions in CEL (https://cel.dev) over the facts of a request, checked and compiled once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from streams.routing.conditions import Condition, simple
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
        self._rules = [(rule, _condition(env, rule)) for rule in rules if env is not None]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def first(self, facts: Mapping[str, Value]) -> Rule | None:
        """The first rule whose condition holds. One that cannot be told of a request, for instance
        because it asks for metadata that is not there, does not hold."""
        return next((rule for rule, holds in self._rules if holds(facts)), None)


def _condition(env: cel.Env, rule: Rule) -> Condition:
    """In Python where that is possible."""
    compiled = _compiled(env, rule)
    if (found := simple(rule.when)) is not None:
        return found
    # What the condition does not name is not converted for it.
    names = tuple(name for name in FACTS if re.search(rf"\b{name}\b", rule.when))

    def asked(facts: Mapping[str, Value]) -> bool:
        found = compiled.eval(data={name: facts[name] for name in names}).value()
        if not isinstance(found, bool):
            log.debug("rule_not_applicable", rule=rule.name, reason=str(found))
        return found is True

    return asked


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
