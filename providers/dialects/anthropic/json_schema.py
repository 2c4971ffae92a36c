"""Schemas as the API takes them where it promises that an answer keeps them.

It knows a part of JSON Schema, and objects without members that are not named. What it does not know goes
into descriptions, for the model to read; that is what Anthropic's own SDKs do.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

Schema = dict[str, object]
_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode
_KEPT = frozenset(
    {
        *(
            "type",
            "title",
            "description",
            "properties",
            "required",
            "items",
            "additionalProperties",
        ),
        *("anyOf", "allOf", "enum", "const", "default", "$ref", "$defs", "definitions"),
    }
)
_FORMATS = frozenset(
    {
        *("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6"),
        "uuid",
    }
)
# Without these a schema would say something else.
_NEEDED = frozenset(
    {
        *("not", "if", "then", "else", "patternProperties", "dependentSchemas", "prefixItems"),
        *("unevaluatedProperties", "dependentRequired", "$dynamicRef"),
    }
)


class _Open(Exception):
    """An object may have members that are not named, or there is more that cannot be said."""


def closed(schema: Raw, description: str | None = None) -> Raw | None:
    """The schema as the API takes it; None if it could only take one that means something else."""
    try:
        given = _decode(schema)
        made = _closed(given)
    except (msgspec.DecodeError, RecursionError, _Open):
        return None
    if description is not None:
        made.setdefault("description", description)
    return schema if made == given else Raw(_encode(made))


def _closed(given: object) -> Schema:
    if not isinstance(given, dict) or given.keys() & _NEEDED:
        raise _Open
    found: Schema = {}
    told: list[str] = []
    for name, value in given.items():
        if name in _INNER:
            found["anyOf" if name == "oneOf" else name] = _INNER[name](value)
        elif _keeps(name, value):
            found[name] = value
        elif name != "$schema":
            told.append(f"{name}: {_encode(value).decode()}")
    _close(found)
    if told:
        text = found.get("description")
        found["description"] = "\n\n".join(
            filter(None, (str(text or ""), f"{{{', '.join(told)}}}"))
        )
    return found


def _keeps(name: str, value: object) -> bool:
    if name == "format":
        return value in _FORMATS
    if name == "minItems":
        return value in (0, 1)
    return name in _KEPT


def _close(schema: Schema) -> None:
    if schema.get("type") != "object" and "properties" not in schema:
        return
    others = schema.get("additionalProperties")
    if others is not False and (others is not None or not schema.get("properties")):
        raise _Open
    schema["additionalProperties"] = False


def _each(value: object) -> list[Schema]:
    if not isinstance(value, list):
        raise _Open
    return [_closed(inner) for inner in value]


def _named(value: object) -> Schema:
    if not isinstance(value, dict):
        raise _Open
    return {name: _closed(inner) for name, inner in value.items()}


_INNER: dict[str, Callable[[object], object]] = {  # where schemas stand in a schema
    "properties": _named,
    "$defs": _named,
    "definitions": _named,
    "anyOf": _each,
    "allOf": _each,
    "oneOf": _each,
    "items": _closed,
}
