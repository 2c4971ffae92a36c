"""Structs as JSON schemas below `#/components/schemas`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ingress.contract.about import About, AnyOf, Errors
from ingress.contract.bodies import OPEN
from ingress.errors import Problem
from schemas.envelopes import AnthropicError, GeminiError, OpenAIError

Json = dict[str, Any]
REF = "#/components/schemas/{name}"
ERRORS: dict[Errors, object] = {
    "problem": Problem,
    "openai": OpenAIError,
    "anthropic": AnthropicError,
    "gemini": GeminiError,
    "any": AnyOf((OpenAIError, AnthropicError, GeminiError)),
}
_OPEN = frozenset(each.__name__ for each in OPEN)


class Schemas:
    """The schema of each type that an operation names, and the components that these refer to."""

    def __init__(self, types: Iterable[object]) -> None:
        known = {repr(each): each for kind in types for each in _parts(kind)}
        found, components = msgspec.json.schema_components(known.values(), ref_template=REF)
        self._found = dict(zip(known, found, strict=True))
        self.components = {name: _tidy(name, components[name]) for name in sorted(components)}

    def of(self, kind: object) -> Json:
        """Of one of the types that it was made for."""
        found = [self._found[repr(each)] for each in _parts(kind)]
        return {"anyOf": found} if isinstance(kind, AnyOf) else found[0]


def types_of(abouts: Iterable[About]) -> list[object]:
    """All that operations name."""
    found = [*ERRORS.values()]
    for about in abouts:
        found += [about.body, *(told.type for told in about.answers)]
    return found


def _parts(kind: object) -> tuple[object, ...]:
    if isinstance(kind, AnyOf):
        return kind.types
    return () if kind is None else (kind,)


def _tidy(name: str, schema: Json) -> Json:
    """Docstrings lose the indentation of their source; what belongs to others may hold more."""
    if (about := schema.get("description")) is not None:
        schema = schema | {"description": words(about)}
    return schema | {"additionalProperties": True} if name in _OPEN else schema


def words(text: str) -> str:
    """On one line."""
    return " ".join(text.split())
