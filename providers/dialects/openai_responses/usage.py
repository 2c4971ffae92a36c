"""Token counts as Responses write them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from providers.reported import reported_cost
from schemas.usage import Usage

_decode = msgspec.json.Decoder(dict[str, object]).decode
_PRICES = frozenset({"cost", "cost_details"})  # OpenRouter, as recorded: a price of 0 is an integer
_INPUT = ("prompt_tokens_details.", "input_tokens_details.")
_OUTPUT = ("completion_tokens_details.", "output_tokens_details.")


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
        input_tokens=counts.pop("input_tokens", 0),
        output_tokens=counts.pop("output_tokens", 0),
        cached_input_tokens=counts.pop("input_tokens_details.cached_tokens", 0),
        cache_creation_input_tokens=counts.pop("input_tokens_details.cache_write_tokens", 0),
        reasoning_tokens=counts.pop("output_tokens_details.reasoning_tokens", 0),
        details=counts,
        reported_cost=reported_cost(members),
    )
    if counts.get("total_tokens") == found.total_tokens:
        del counts["total_tokens"]  # says nothing more; a total that differs stays
    return found


def usage_object(usage: Usage | None) -> dict[str, object] | None:
    """A `usage` member. Counts of the provider's that have no name here keep their own."""
    if usage is None:
        return None
    inputs: dict[str, int] = {
        "cached_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_creation_input_tokens,
    }
    outputs: dict[str, int] = {"reasoning_tokens": usage.reasoning_tokens}
    found: dict[str, object] = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": inputs,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": outputs,
        "total_tokens": usage.total_tokens,
    }
    for name, count in usage.details.items():
        if name.startswith(_INPUT):
            inputs.setdefault(name.partition(".")[2], count)
        elif name.startswith(_OUTPUT):
            outputs.setdefault(name.partition(".")[2], count)
        else:
            found[name] = count
    return found


def _integers(members: dict[str, object], prefix: str) -> Iterator[tuple[str, int]]:
    """Every integer under its dotted name; prices and flags are no counts."""
    for name, value in members.items():
        if name in _PRICES:
            continue
        if isinstance(value, dict):
            yield from _integers(value, f"{prefix}{name}.")
        elif isinstance(value, int) and not isinstance(value, bool):
            yield prefix + name, value
