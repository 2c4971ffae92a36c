"""Which exchanges are meant: `model=gpt-*`, `outcome!=completed`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from msgspec import Struct

from schemas.exchange import Exchange

FIELDS: dict[str, Callable[[Exchange], object]] = {
    "client": lambda found: found.client,
    "client_request_id": lambda found: found.client_request_id,
    "dialect": lambda found: found.dialect,
    "error": lambda found: found.error.code if found.error else None,
    "finish_reason": lambda found: found.finish_reason,
    "model": lambda found: found.request_model,
    "operation": lambda found: found.operation,
    "outcome": lambda found: found.outcome,
    "provider": lambda found: found.provider,
    "request_id": lambda found: found.request_id,
    "response_model": lambda found: found.response_model,
    "source": lambda found: found.source,
    "status": lambda found: found.status,
    "stream": lambda found: str(found.stream).lower(),
    "user_path": lambda found: found.user_path,
}


class Filter(Struct, frozen=True):
    """One condition. What an exchange does not have is the empty text."""

    field: str
    pattern: str  # with * and ?
    negated: bool = False

    def takes(self, exchange: Exchange) -> bool:
        value = FIELDS[self.field](exchange)
        matches = fnmatchcase("" if value is None else str(value), self.pattern)
        return matches is not self.negated


def parse(text: str) -> Filter:
    """`FIELD=PATTERN` or `FIELD!=PATTERN`; ValueError says what is wrong."""
    field, equals, pattern = text.partition("=")
    negated = field.endswith("!")
    field = field.removesuffix("!").strip()
    if not equals or field not in FIELDS:
        raise ValueError(f"{text!r}: a filter is FIELD=PATTERN with one of {', '.join(FIELDS)}")
    return Filter(field, pattern.strip(), negated)


def all_take(filters: Iterable[Filter], exchange: Exchange) -> bool:
    """Whether every condition holds."""
    return all(each.takes(exchange) for each in filters)
