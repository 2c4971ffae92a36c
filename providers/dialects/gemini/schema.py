"""Google's subset of OpenAPI schemas as JSON Schema: https://ai.google.dev/api/caching#Schema."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from providers.dialects.gemini.fields import camel
from schemas.errors import InvalidRequest

_decode = msgspec.json.Decoder(dict[str, object])
_encode = msgspec.json.Encoder().encode
_COUNTS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
# Google's own: says nothing of what is valid.
_LEFT_OUT = frozenset({"propertyOrdering"})


def json_schema(raw: Raw, path: str) -> Raw:
    """The same schema in JSON Schema's words: lower-case types, null as a type, counts as numbers."""
    try:
        return Raw(_encode(_object(_decode.decode(raw))))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"`{path}` is no schema: {error}.", param=path) from error
    except RecursionError as error:
        raise InvalidRequest(f"`{path}` is nested too deeply.", param=path) from error


def _object(given: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for written, value in given.items():
        name = camel(written)
        if value is not None and name not in _LEFT_OUT and name != "nullable":
            found[name] = _member(name, value)
    if given.get("nullable") is True:
        _allow_null(found)
    return found


def _member(name: str, value: object) -> object:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name in _COUNTS and isinstance(value, str) and value.isdecimal():
        return int(value)  # protobuf writes 64-bit integers as texts
    if name in ("properties", "$defs", "defs") and isinstance(value, dict):
        return {
            key: _object(inner) if isinstance(inner, dict) else inner
            for key, inner in value.items()
        }
    if name in ("items", "additionalProperties") and isinstance(value, dict):
        return _object(value)
    if name in ("anyOf", "prefixItems") and isinstance(value, list):
        return [_object(inner) if isinstance(inner, dict) else inner for inner in value]
    return value


def _allow_null(found: dict[str, object]) -> None:
    kind, any_of, values = found.get("type"), found.get("anyOf"), found.get("enum")
    if isinstance(kind, str) and kind != "null":
        found["type"] = [kind, "null"]
    if isinstance(any_of, list) and {"type": "null"} not in any_of:
        found["anyOf"] = [*any_of, {"type": "null"}]
    if isinstance(values, list) and None not in values:
        found["enum"] = [*values, None]
