"""A value that fits a JSON schema: what the simulated provider writes where a shape is asked for."""

from __future__ import annotations

from sluice.sim.ask import Schema

_DEEP = 12  # references may lead to themselves
_TEXTS = {
    "date-time": "2025-01-01T00:00:00Z",
    "date": "2025-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "sim@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example(schema: Schema) -> object:
    """The simplest value; every property is there."""
    return _value(schema, schema, 0)


def _value(schema: object, root: Schema, depth: int) -> object:
    if not isinstance(schema, dict) or depth > _DEEP:
        return None
    for word in ("const", "default"):
        if schema.get(word) is not None:
            return schema[word]
    listed = schema.get("enum")
    if isinstance(listed, list) and listed:
        return listed[0]
    other = _elsewhere(schema, root)
    return _typed(schema, root, depth) if other is None else _value(other, root, depth + 1)


def _elsewhere(schema: Schema, root: Schema) -> Schema | None:
    """The schema to which this one leads; None if it speaks for itself."""
    found: object = None
    if "$ref" in schema:
        found = _referred(str(schema["$ref"]), root)
    for word in ("anyOf", "oneOf", "any_of"):
        options = schema.get(word)
        if isinstance(options, list) and options:
            found = options[0]
    parts = schema.get("allOf")
    if isinstance(parts, list) and parts:
        found = {name: of for part in parts if isinstance(part, dict) for name, of in part.items()}
    return found if isinstance(found, dict) else None


def _typed(schema: Schema, root: Schema, depth: int) -> object:
    match _type(schema):
        case "object":
            properties = schema.get("properties")
            found = properties if isinstance(properties, dict) else {}
            return {name: _value(of, root, depth + 1) for name, of in found.items()}
        case "array":
            count = max(1, _number(schema, "minItems", 1)) if depth < _DEEP else 0
            return [_value(schema.get("items"), root, depth + 1) for _ in range(int(count))]
        case "integer":
            return int(_bounded(schema))
        case "number":
            return _bounded(schema) + 0.5 if not schema.keys() & _BOUNDS else _bounded(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema)


_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})


def _type(schema: Schema) -> str:
    """Of several the first; Gemini writes types in capitals."""
    named = schema.get("type")
    if isinstance(named, list):
        named = next((one for one in named if one != "null"), "null")
    if named is None:
        named = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(named).lower()


def _number(schema: Schema, name: str, default: float) -> float:
    """Some send numbers as strings."""
    found = schema.get(name)
    if isinstance(found, str) and found.isdecimal():
        return int(found)
    return found if isinstance(found, int | float) else default


def _bounded(schema: Schema) -> float:
    low = _number(schema, "minimum", _number(schema, "exclusiveMinimum", 0) + 1)
    high = _number(schema, "maximum", _number(schema, "exclusiveMaximum", low + 2) - 1)
    return max(low, min(1, high)) if low <= 1 else min(low, high)


def _text(schema: Schema) -> str:
    text = _TEXTS.get(str(schema.get("format")), "simulated")
    least, most = _number(schema, "minLength", 0), _number(schema, "maxLength", 1 << 20)
    return text.ljust(int(least), "d")[: int(most)]


def _referred(path: str, root: Schema) -> object:
    found: object = root
    for name in path.removeprefix("#").strip("/").split("/"):
        if name:
            found = (
                found.get(name.replace("~1", "/").replace("~0", "~"))
                if isinstance(found, dict)
                else None
            )
    return found
