"""Token counts. Anthropic's `input_tokens` leave out what a cache gave or took; ours are all of them.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from schemas.usage import Usage

Counts = dict[str, object]
_decode = msgspec.json.Decoder(Counts).decode
_READ = "cache_read_input_tokens"
_WRITTEN = "cache_creation_input_tokens"
_THINKING = "output_tokens_details.thinking_tokens"
# Counts that stand under these names in an answer; others have no place in it.
_GROUPS = ("cache_creation", "server_tool_use")
_MAX = 1 << 53
# The caller's SDK knows these; a tier of another provider is the common one.
_TIERS = {"priority": "priority", "batch": "batch"}


def parse_counts(raw: Raw) -> Counts:
    """A `usage` member; empty for null and what is no object."""
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def to_usage(counts: Counts) -> Usage:
    """The counts of an answer in the common terms; every other integer under its dotted name."""
    found = dict(_integers(counts, ""))
    read, written = found.pop(_READ, 0), found.pop(_WRITTEN, 0)
    return Usage(
        input_tokens=found.pop("input_tokens", 0) + read + written,
        output_tokens=found.pop("output_tokens", 0),
        cached_input_tokens=read,
        cache_creation_input_tokens=written,
        reasoning_tokens=found.pop(_THINKING, 0),
        details=found,
    )


def service_tier(counts: Counts) -> str | None:
    tier = counts.get("service_tier")
    return tier if isinstance(tier, str) else None


def _integers(value: object, name: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _integers(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):  # `iterations`
        for index, inner in enumerate(value):
            yield from _integers(inner, f"{name}.{index}")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX:
        yield name, value


def from_usage(usage: Usage, tier: str | None = None) -> Counts:
    """A `usage` member."""
    fresh = usage.input_tokens - usage.cached_input_tokens - usage.cache_creation_input_tokens
    counts: Counts = {
        "input_tokens": max(0, fresh),
        _WRITTEN: usage.cache_creation_input_tokens,
        _READ: usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    for name, count in usage.details.items():
        group, dot, rest = name.partition(".")
        if dot and group in _GROUPS:
            inner = counts.setdefault(group, {})
            assert isinstance(inner, dict)
            inner[rest] = count
    if usage.reasoning_tokens:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if tier is not None:
        counts["service_tier"] = _TIERS.get(tier, "standard")
    return counts
