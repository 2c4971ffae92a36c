"""What exchanges have cost, as far as the prices of their models are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET

from providers.catalog import Catalog, Listed
from providers.instances import Instance
from providers.knowledge import known_of
from schemas.exchange import Exchange
from schemas.prices import Metadata, cost


class Prices:
    """Dollars of an exchange."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def of(self, exchange: Exchange) -> float | None:
        """None if it is not known. What was not counted has cost nothing."""
        if exchange.usage is None or not exchange.attempts:
            return None
        model = self._catalog.of(exchange.attempts[-1].provider, exchange.attempts[-1].model)
        if model is None or model.metadata is UNSET or model.metadata.pricing is UNSET:
            return None
        usage = exchange.usage
        return cost(model.metadata.pricing, usage.input_tokens, usage.output_tokens)


async def prices(
    found: Iterable[Exchange],
    instances: Sequence[Instance],
    configured: Mapping[str, Metadata],
    now: float,
) -> Prices:
    """Of the models that these were answered by: as configured, else as the price list has them."""
    models: dict[str, set[str]] = {}
    for exchange in found:
        for attempt in exchange.attempts[-1:]:
            models.setdefault(attempt.provider, set()).add(attempt.model)
    listed = {name: [Listed(model) for model in sorted(own)] for name, own in models.items()}
    known = await known_of(instances, {name: sorted(own) for name, own in models.items()}, now)
    return Prices(Catalog(instances, listed, known, configured))
