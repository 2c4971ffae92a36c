"""`guardrails.rules` of config.yaml, as GoModel writes it: `system_prompt: {mode, content}` beside `type`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.errors import InvalidRequest
from schemas.guardrails import CONFIGS, NAME, TYPES, Guardrail, config_of
from sluice.settings.faults import Faults

_OWN = {"name", "type", "user_path", "order", "step", "description", "config"}


def understood(tables: Mapping[str, object], faults: Faults) -> dict[str, tuple[int, Guardrail]]:
    """Step and guardrail by name."""
    part = tables.get("guardrails")
    rules = part.get("rules") if isinstance(part, dict) else None
    found: dict[str, tuple[int, Guardrail]] = {}
    for number, rule in enumerate(rules if isinstance(rules, list) else []):
        key = f"guardrails.rules[{number}]"
        try:
            name, step, each = _rule(rule)
            if name in found:
                raise InvalidRequest(f"the name `{name}` stands there twice")
            found[name] = step, each
        except (InvalidRequest, msgspec.ValidationError, ValueError) as error:
            faults.problems.append(f"{faults.file} key {key}: {error}")
    return found


def _rule(rule: object) -> tuple[str, int, Guardrail]:
    if not isinstance(rule, dict):
        raise InvalidRequest("it must be a table with name, type and config")
    name = str(rule.get("name") or "")
    kind = next((each for each in TYPES if each == rule.get("type")), None)
    if kind is None or NAME.fullmatch(name) is None:
        raise InvalidRequest(f"it needs a name and a type of {', '.join(TYPES)}")
    if unknown := [each for each in rule if each not in _OWN and each != kind]:
        raise InvalidRequest(f"{unknown[0]} is unknown")
    given = rule.get("config") or rule.get(kind) or {}
    if kind == "json_schema" and isinstance(given, dict) and isinstance(given.get("schema"), str):
        given = {**given, "schema": msgspec.json.decode(given["schema"])}
    # All scalars of the file are texts.
    typed = given if kind == "json_schema" else msgspec.convert(given, CONFIGS[kind], strict=False)
    raw = msgspec.Raw(msgspec.json.encode(typed))
    config_of(kind, raw)
    step = int(str(rule.get("order") or rule.get("step") or 0))
    path, text = str(rule.get("user_path") or ""), str(rule.get("description") or "")
    return name, step, Guardrail(type=kind, config=raw, user_path=path, description=text)
