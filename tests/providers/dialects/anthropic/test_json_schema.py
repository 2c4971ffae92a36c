"""Schemas as the API takes them."""

import msgspec
import pytest
from msgspec import Raw

from providers.dialects.anthropic.json_schema import closed


def made(schema: object, description: str | None = None) -> object:
    found = closed(Raw(msgspec.json.encode(schema)), description)
    return None if found is None else msgspec.json.decode(found)


def test_what_it_takes_stays() -> None:
    """A schema within its bounds is sent byte by byte."""
    schema = Raw(
        b'{"type": "object", "properties": {"a": {"type": "string", "format": "date"}},'
        b' "required": ["a"], "additionalProperties": false, "$defs": {}}'
    )
    assert closed(schema) is schema


def test_objects_are_closed() -> None:
    """At every depth; a choice of one is a choice of any."""
    inner = {"type": "object", "properties": {"b": {"type": "integer"}}}
    schema = {
        "type": "object",
        "properties": {"a": {"oneOf": [inner, {"type": "null"}]}, "c": {"items": inner}},
    }
    shut = {**inner, "additionalProperties": False}
    assert made(schema) == {
        "type": "object",
        "properties": {"a": {"anyOf": [shut, {"type": "null"}]}, "c": {"items": shut}},
        "additionalProperties": False,
    }


def test_what_it_does_not_know_is_described() -> None:
    """Bounds go into the description, where the model reads them."""
    found = made({"type": "integer", "minimum": 1, "maximum": 5, "description": "A number."})
    assert found == {"type": "integer", "description": "A number.\n\n{minimum: 1, maximum: 5}"}
    assert made({"type": "string", "format": "color"}) == {
        "type": "string",
        "description": '{format: "color"}',
    }
    assert made({"type": "array", "minItems": 1, "$schema": "x"}) == {
        "type": "array",
        "minItems": 1,
    }


def test_a_description_of_the_whole() -> None:
    """That of the format is the schema's if it has none."""
    assert made({"type": "string"}, "d") == {"type": "string", "description": "d"}
    assert made({"type": "string", "description": "e"}, "d") == {
        "type": "string",
        "description": "e",
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"properties": {"a": {"not": {}}}},
        {"anyOf": 1},
        {"properties": []},
        {"items": True},
        [],
    ],
)
def test_what_would_mean_something_else(schema: object) -> None:
    """Objects with any members, and what cannot be said at all, are not closed."""
    assert made(schema) is None
