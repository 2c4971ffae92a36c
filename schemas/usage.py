"""Token counts of one exchange, under OpenTelemetry's names."""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True, omit_defaults=True):
    """What a call used, in tokens. `details` keeps every count of the provider that has no field here."""

    input_tokens: int = 0  # all of them, read from a cache, written to one or neither
    output_tokens: int = 0  # the thoughts included
    cached_input_tokens: int = 0  # read from the provider's cache
    cache_creation_input_tokens: int = 0  # written to it
    reasoning_tokens: int = 0
    details: dict[str, int] = {}
    reported_cost: int | None = None  # nano-dollars, where the provider itself says what it was
    estimated: bool = False  # by us: the provider did not say

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens
