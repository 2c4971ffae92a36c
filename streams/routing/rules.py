"""Rules: conditions in CEL (https://cel.dev) over the facts of a request, checked and compiled once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        self._rules = [(rule, condition) for rule, condition in _compiled(rules)]

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


def _compiled(rules: Sequence[Rule]) -> Iterator[tuple[Rule, cel.Expression]]:
    if not rules:
        return
    import cel_expr_python.cel as cel  # 9 MB, which a worker without rules does without

    types = {
        "string": cel.Type.STRING,
        "bool": cel.Type.BOOL,
        "int": cel.Type.INT,
        "map of strings": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    }
    variables = {name: types[kind.partition(":")[0]] for name, kind in FACTS.items()}
    env = cel.NewEnv(variables=variables)
    for rule in rules:
        if not rule.use:
            raise BadRule(f"{rule.name}: `use` names no model")
        try:
            condition = env.compile(rule.when)
        except RuntimeError as error:
            raise BadRule(f"{rule.name}: `when` is no condition: {error}") from error
        if (kind := condition.return_type()) != cel.Type.BOOL:
            raise BadRule(f"{rule.name}: `when` gives {kind}, not true or false")
        yield rule, condition
