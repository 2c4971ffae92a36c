"""Rules: conditions in CEL (https://cel.dev) over the facts of a request, checked and compiled once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cel_expr_python.cel as cel
import structlog

from streams.routing.config import Rule
from streams.routing.facts import FACTS, Value

log = structlog.get_logger()

_TYPES = {
    "string": cel.Type.STRING,
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "map of strings": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
}


class BadRule(ValueError):
    """A rule that cannot be used; the message begins with its name."""


class Rules:
    """The rules in their order."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """BadRule says which rule cannot be used and why."""
        variables = {name: _TYPES[kind.partition(":")[0]] for name, kind in FACTS.items()}
        env = cel.NewEnv(variables=variables)
        self._rules = [(rule, _compiled(env, rule)) for rule in rules]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def first(self, facts: Mapping[str, Value]) -> Rule | None:
        """The first rule whose condition holds. One that cannot be told of a request, for instance
        because it asks for metadata that is not there, does not hold."""
        for rule, condition in self._rules:
            found = condition.eval(data=facts).value()
            if found is True:
                return rule
            if found is not False:
                log.debug("rule_not_applicable", rule=rule.name, reason=str(found))
        return None


def _compiled(env: cel.Env, rule: Rule) -> cel.Expression:
    if not rule.use:
        raise BadRule(f"{rule.name}: `use` names no model")
    try:
        condition = env.compile(rule.when)
    except RuntimeError as error:
        raise BadRule(f"{rule.name}: `when` is no condition: {error}") from error
    if condition.return_type() != cel.Type.BOOL:
        kind = condition.return_type()
        raise BadRule(f"{rule.name}: `when` gives {kind}, not true or false")
    return condition
