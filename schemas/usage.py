"""Token counts of one exchange, under OpenTelemetry's names."""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True, omit_defaults=True):
    """What a call used, in tokens. `details` keeps every count of the provider that has no field here."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    details: dict[str, int] = {}

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens
