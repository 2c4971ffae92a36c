"""What a call costs, from its usage and a price list: whole nano-dollars, so that sums are exact."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from schemas.prices import Pricing, Tier
from schemas.usage import Usage

NANO = 1_000_000_000  # nano-dollars a dollar
_MTOK = 1_000_000
# Counts of parts of the input and of the output, by the names that providers give them.
_AUDIO_IN = (
    "prompt_tokens_details.audio_tokens",
    "input_tokens_details.audio_tokens",
    "promptTokensDetails.AUDIO",
)
_AUDIO_OUT = (
    "completion_tokens_details.audio_tokens",
    "output_tokens_details.audio_tokens",
    "candidatesTokensDetails.AUDIO",
)
_WRITTEN_1H = "cache_creation.ephemeral_1h_input_tokens"
# https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing: an hour's cache costs
# twice the input's price to write, five minutes' 1.25 times.
_HOUR = Decimal(2)
_ZERO = Decimal(0)

Source = Literal["provider", "prices"]


class Cost(Struct, frozen=True, omit_defaults=True):
    """Nano-dollars. `total` is `input`, `output` and `attempts` together."""

    total: int
    input: int = 0
    output: int = 0
    attempts: int = 0  # of calls that failed and were paid all the same
    source: Source = "prices"  # provider: it said so itself, and then only the total
    estimated: bool = False  # the usage was


class _Unknown(Exception):
    """A rate that is needed is not known."""


def nano(dollars: float) -> int:
    """Dollars as nano-dollars, exact to the digits that were written."""
    return int((Decimal(repr(dollars)) * NANO).to_integral_value(ROUND_HALF_EVEN))


def priced(usage: Usage, pricing: Pricing | None) -> Cost | None:
    """What the usage costs; None if that is not known. What the provider says itself comes first."""
    if usage.reported_cost is not None:
        return Cost(usage.reported_cost, source="provider", estimated=usage.estimated)
    if pricing is None or pricing.currency not in (None, "USD"):
        return None
    try:
        rates = _Rates(pricing, usage.input_tokens)
        into, out = _whole(rates.input_cost(usage)), _whole(rates.output_cost(usage))
    except _Unknown:
        return None
    # As GoModel has it, what a request costs by itself stands on the side of the answer.
    out += nano(pricing.per_request or 0.0)
    return Cost(into + out, into, out, estimated=usage.estimated)


class _Rates:
    """The rates for a request of that length, nano-dollars a token."""

    def __init__(self, pricing: Pricing, input_tokens: int) -> None:
        self._pricing = pricing
        tier = _tier(pricing, input_tokens)
        self.input = _first(tier.input_per_mtok, pricing.input_per_mtok)
        self.output = _first(tier.output_per_mtok, pricing.output_per_mtok)
        self.cached = _first(tier.cached_input_per_mtok, pricing.cached_input_per_mtok)
        self.written = _first(tier.cache_write_per_mtok, pricing.cache_write_per_mtok)

    def input_cost(self, usage: Usage) -> Decimal:
        cached, written = usage.cached_input_tokens, usage.cache_creation_input_tokens
        hour = min(usage.details.get(_WRITTEN_1H, 0), written)
        fresh = max(0, usage.input_tokens - cached - written)
        audio = min(_count(usage, _AUDIO_IN), fresh)
        hour_rate = None if self.input is None else self.input * _HOUR
        return (
            _of(fresh - audio, self.input)
            + _of(audio, _rate(self._pricing.audio_input_per_mtok), self.input)
            + _of(cached, self.cached, self.input)
            + _of(written - hour, self.written, self.input)
            + _of(hour, hour_rate, self.written)
        )

    def output_cost(self, usage: Usage) -> Decimal:
        reasoning = min(usage.reasoning_tokens, usage.output_tokens)
        audio = min(_count(usage, _AUDIO_OUT), usage.output_tokens - reasoning)
        return (
            _of(usage.output_tokens - reasoning - audio, self.output)
            + _of(audio, _rate(self._pricing.audio_output_per_mtok), self.output)
            + _of(reasoning, _rate(self._pricing.reasoning_output_per_mtok), self.output)
        )


_NO_TIER = Tier()


def _tier(pricing: Pricing, input_tokens: int) -> Tier:
    for tier in pricing.tiers:
        if tier.up_to_mtok is None or input_tokens <= tier.up_to_mtok * _MTOK:
            return tier
    return _NO_TIER


@lru_cache(maxsize=4096)
def _decimal(per_mtok: float) -> Decimal:
    return Decimal(repr(per_mtok)) * NANO / _MTOK


def _rate(per_mtok: float | None) -> Decimal | None:
    return None if per_mtok is None else _decimal(per_mtok)


def _first(over: float | None, under: float | None) -> Decimal | None:
    return _rate(under if over is None else over)


def _of(tokens: int, *rates: Decimal | None) -> Decimal:
    """Tokens by the first rate that is known."""
    if tokens <= 0:
        return _ZERO
    for rate in rates:
        if rate is not None:
            return tokens * rate
    raise _Unknown


def _count(usage: Usage, names: tuple[str, ...]) -> int:
    for name in names:
        if name in usage.details:
            return usage.details[name]
    return 0


def _whole(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_HALF_EVEN))
