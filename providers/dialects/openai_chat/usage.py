"""Token counts of an OpenAI-shaped answer, with the names that its imitators use."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from providers.reported import reported_cost
from schemas.usage import Usage

_decode = msgspec.json.Decoder(dict[str, object]).decode
# The first name that is there counts.
_CACHED = (
    "prompt_tokens_details.cached_tokens",
    "prompt_cache_hit_tokens",  # https://api-docs.deepseek.com/guides/kv_cache
    "num_cached_tokens",  # Mistral, as recorded
    "cached_tokens",  # Together, as recorded
)
_CACHE_WRITES = (
    "prompt_tokens_details.cache_write_tokens",  # OpenRouter, as recorded
    "prompt_tokens_details.cache_creation_tokens",
)
_PRICES = frozenset({"cost", "cost_details"})  # OpenRouter, as recorded: a price of 0 is an integer
_REASONING = ("completion_tokens_details.reasoning_tokens", "reasoning_tokens")


def parse_usage(raw: Raw) -> Usage | None:
    """The counts in a `usage` member; None for null and for what is no object."""
    try:
        members = _decode(raw)
        counts = dict(_integers(members, ""))
    except (msgspec.DecodeError, RecursionError):
        return None
    if not counts:
        return None
    found = Usage(
        input_tokens=counts.pop("prompt_tokens", 0),
        output_tokens=counts.pop("completion_tokens", 0),
        cached_input_tokens=_first(counts, _CACHED),
        cache_creation_input_tokens=_first(counts, _CACHE_WRITES),
        reasoning_tokens=_first(counts, _REASONING),
        details=counts,
        reported_cost=reported_cost(members),
    )
    if counts.get("total_tokens") == found.total_tokens:
        del counts["total_tokens"]  # says nothing more; a total that differs stays
    return found


def _first(counts: dict[str, int], names: tuple[str, ...]) -> int:
    for name in names:
        if name in counts:
            return counts.pop(name)
    return 0


def _integers(members: dict[str, object], prefix: str) -> Iterator[tuple[str, int]]:
    """Every integer under its dotted name; times, prices and flags are no counts."""
    for name, value in members.items():
        if name in _PRICES:
            continue
        if isinstance(value, dict):
            yield from _integers(value, f"{prefix}{name}.")
        elif isinstance(value, int) and not isinstance(value, bool):
            yield prefix + name, value
