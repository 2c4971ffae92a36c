"""Checks that ask nobody: words, patterns, schemas. Compiled once, pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from schemas.guardrails import BlockList, JsonSchema, Regex

Look = Callable[[Sequence[str]], str | None]
"""Texts to the reason to refuse them; None if there is none. The reason repeats no text."""


def words(config: BlockList) -> Look:
    """Whether one of the words is there."""
    each = "|".join(
        re.sub(r"(?:\\?\s)+", r"\\s+", re.escape(word))
        for word in sorted(config.words, key=len, reverse=True)
    )
    whole = rf"(?<!\w)(?:{each})(?!\w)" if config.whole_words else each
    pattern = re.compile(whole, 0 if config.case_sensitive else re.IGNORECASE)

    def look(texts: Sequence[str]) -> str | None:
        return "a blocked word" if any(pattern.search(text) for text in texts) else None

    return look


def patterns(config: Regex) -> Look:
    """Whether one of the patterns is found; or, `require`, none is."""
    compiled = [re.compile(each) for each in config.patterns]

    def look(texts: Sequence[str]) -> str | None:
        for number, pattern in enumerate(compiled):
            if any(pattern.search(text) for text in texts):
                return None if config.require else f"pattern {number + 1} was found"
        return "none of the patterns was found" if config.require and texts else None

    return look


def schema(config: JsonSchema) -> Look:
    """Whether each text is JSON that satisfies the schema."""
    import jsonschema  # only who checks by a schema pays for it

    found = msgspec.json.decode(config.schema)
    validator = jsonschema.validators.validator_for(found)(found)

    def look(texts: Sequence[str]) -> str | None:
        for text in texts:
            try:
                value = msgspec.json.decode(text.encode())
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return "it is no JSON"
            error = next(validator.iter_errors(value), None)
            if error is not None:
                place = "/".join(str(each) for each in error.absolute_path)
                return f"`{error.validator}` is not satisfied at /{place}"
        return None

    return look
