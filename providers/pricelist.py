"""`python -m providers.pricelist`: what the genai-prices package knows of models, from input to output.

A program of its own: the package with its tables takes 31 MB, which a process that lives long would
never give back. It asks no network: the tables are part of the package.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec
from genai_prices import data_snapshot
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from schemas.prices import Metadata, Pricing, Tier

_FIELDS = {
    "input_mtok": "input_per_mtok",
    "output_mtok": "output_per_mtok",
    "cache_read_mtok": "cached_input_per_mtok",
    "cache_write_mtok": "cache_write_per_mtok",
    "output_reasoning_mtok": "reasoning_output_per_mtok",
    "input_audio_mtok": "audio_input_per_mtok",
    "output_audio_mtok": "audio_output_per_mtok",
}
_TIERED = {
    theirs: _FIELDS[theirs]
    for theirs in ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
}
# A trailing date or "-latest" that some lists have and others leave out.
_SNAPSHOT = re.compile(r"(-\d{8}|-\d{4}-\d{2}-\d{2}|-latest)$")


class Wanted(msgspec.Struct):
    """Models of one instance."""

    url: str  # its base URL
    vendor: str | None  # as the package calls it, where the address says nothing
    models: list[str]


class Query(msgspec.Struct):
    """What is asked."""

    at: datetime  # prices change
    wanted: dict[str, Wanted]  # by instance


Known = dict[str, dict[str, Metadata]]  # instance to model to what is known of it


def known(query: Query) -> Known:
    """What the package knows of these models; who and what it does not know is left out."""
    return {name: dict(_found(wanted, query.at)) for name, wanted in query.wanted.items()}


def _found(wanted: Wanted, at: datetime) -> Iterator[tuple[str, Metadata]]:
    snapshot = data_snapshot.get_snapshot()
    try:
        provider = snapshot.find_provider(None, None, wanted.url)
    except LookupError:
        if wanted.vendor is None:
            return
        try:
            provider = snapshot.find_provider(None, wanted.vendor, None)
        except LookupError:
            return
    for model in wanted.models:
        for name in (model, _SNAPSHOT.sub("", model)):
            found = provider.find_model(name.lower(), all_providers=snapshot.providers)
            if found is not None:
                yield model, _metadata(found, at)
                break


def _metadata(info: ModelInfo, at: datetime) -> Metadata:
    pricing = _pricing(info, at)
    return Metadata(
        display_name=info.name,
        description=info.description,
        context_window=info.context_window,
        pricing=msgspec.UNSET if pricing is None else pricing,
    )


def _pricing(info: ModelInfo, at: datetime) -> Pricing | None:
    if not info.prices:
        return None
    standard = info.get_prices(at)
    rates = dict(_rates(standard))
    batch = dict(_rates(info.get_prices(at, {"processing": "batch"})))
    for kind in ("input", "output"):
        price = batch.get(f"{kind}_per_mtok")
        if price is not None and price != rates.get(f"{kind}_per_mtok"):
            rates[f"batch_{kind}_per_mtok"] = price
    if (requests := _base(standard.__dict__.get("requests_kcount"))) is not None:
        rates["per_request"] = requests / 1000
    if (pages := _base(standard.__dict__.get("input_document_kpages"))) is not None:
        rates["per_page"] = pages / 1000
    if not rates:
        return None
    return msgspec.convert(
        {"currency": "USD", **rates, "tiers": _tiers(standard.__dict__)}, Pricing
    )


def _rates(prices: ModelPrice) -> Iterator[tuple[str, float]]:
    for theirs, ours in _FIELDS.items():
        if (price := _base(prices.__dict__.get(theirs))) is not None:
            yield ours, price


def _base(price: Decimal | TieredPrices | None) -> float | None:
    if isinstance(price, TieredPrices):
        price = price.base
    return None if price is None else float(price)


def _tiers(prices: Mapping[str, Decimal | TieredPrices | None]) -> list[Tier]:
    """Rates from one length of the input to the next, the base's first."""
    kinds = {ours: prices.get(theirs) for theirs, ours in _TIERED.items()}
    starts = sorted(
        {
            tier.start
            for price in kinds.values()
            if isinstance(price, TieredPrices)
            for tier in price.tiers
        }
    )
    if not starts:
        return []
    return [
        Tier(
            None if end is None else end / 1_000_000,
            **{ours: _at(price, start) for ours, price in kinds.items()},
        )
        for start, end in zip([0, *starts], [*starts, None], strict=True)
    ]


def _at(price: Decimal | TieredPrices | None, start: int) -> float | None:
    if not isinstance(price, TieredPrices):
        return _base(price)
    rate = price.base
    for tier in price.tiers:
        if tier.start <= start:
            rate = tier.price
    return float(rate)


def main() -> None:
    """Answers the query that stands on the standard input."""
    query = msgspec.json.decode(sys.stdin.buffer.read(), type=Query)
    sys.stdout.buffer.write(msgspec.json.encode(known(query)))


if __name__ == "__main__":
    main()
