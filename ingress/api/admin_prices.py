"""/admin/api/v1/model-pricing-overrides: what models cost from now on. Names and shapes as GoModel has them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal
from urllib.parse import unquote

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from ingress.admin import Asking, Said, answered
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.clock import rfc3339
from schemas.errors import InvalidRequest, NotFound
from schemas.keys import Role
from schemas.price_overrides import EVERY, PRICE_OVERRIDES, PriceOverride
from schemas.prices import Pricing, Tier

_LONGEST = 300  # characters of a selector
Scope = Literal["global", "provider", "model", "provider_model"]


class PriceFields(Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a price: US dollars."""

    pricing: Pricing


class PriceView(Struct, frozen=True, kw_only=True):
    """A price that was set."""

    selector: str
    scope_kind: Scope
    provider_name: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    pricing: Pricing
    created_at: str | UnsetType = UNSET
    updated_at: str | UnsetType = UNSET


async def price_overrides(request: IncomingRequest) -> Answer:
    """GET: all prices that were set here."""
    return await answered(request, _list, role="analyst")


async def price_override(request: IncomingRequest, name: str) -> Answer:
    """GET: one, by its selector. PUT: it is so from now on. DELETE: what is known else counts again."""
    work = {"PUT": _put, "DELETE": _delete}.get(request.method, _show)
    role: Role = "admin" if request.method in ("PUT", "DELETE") else "analyst"
    return await answered(request, work, unquote(name), role=role)


# -- what they do


async def _list(asking: Asking) -> Said:
    table = asking.objects.objects.table(PRICE_OVERRIDES)
    return Said([_view(selector, found) for selector, found in sorted(table)])


async def _show(asking: Asking, selector: str) -> Said:
    entry = asking.objects.objects.table(PRICE_OVERRIDES).entry(selector)
    if entry.value is None:
        raise NotFound(f"There is no price of `{selector[:100]}`.")
    return Said(_view(selector, entry.value), version=entry.version)


async def _put(asking: Asking, selector: str) -> Said:
    if not 0 < len(selector) <= _LONGEST or any(not " " < char <= "~" for char in selector):
        raise InvalidRequest(
            "A selector is `instance/model`, `model`, `instance/` or `/`.", param="selector"
        )
    pricing = (await asking.body(PriceFields)).pricing
    _check(pricing)
    former = asking.objects.objects.table(PRICE_OVERRIDES).get(selector)
    now = rfc3339(asking.gateway.clock.time())
    made = PriceOverride(
        pricing=pricing,
        created_at=now if former is None else former.created_at,
        updated_at=now,
    )
    entry = await asking.objects.put(PRICE_OVERRIDES, selector, made, expected=asking.expected)
    return Said(_view(selector, made), version=entry.version)


async def _delete(asking: Asking, selector: str) -> Said:
    await asking.objects.delete(PRICE_OVERRIDES, selector, expected=asking.expected)
    return Said(status=204)


def _check(pricing: Pricing) -> None:
    """InvalidRequest if nobody can count with it."""
    if pricing == Pricing():
        raise InvalidRequest("A price needs at least one rate.", param="pricing")
    if pricing.currency not in (None, "USD"):
        raise InvalidRequest("Prices are in USD.", param="pricing.currency")
    for where, rate in _rates(pricing):
        if not math.isfinite(rate) or rate < 0:
            raise InvalidRequest("A rate must not be below 0.", param=f"pricing.{where}")


def _rates(found: Pricing | Tier) -> Iterator[tuple[str, float]]:
    for name, value in asdict(found).items():
        if isinstance(value, int | float):
            yield name, value
        elif isinstance(value, tuple):
            for tier in value:
                yield from ((f"tiers.{each}", rate) for each, rate in _rates(tier))


def _view(selector: str, found: PriceOverride) -> PriceView:
    provider, slash, model = selector.partition("/")
    if not slash:
        provider, model = "", selector
    scope: Scope = "provider_model"
    if selector == EVERY:
        scope = "global"
    elif not model:
        scope = "provider"
    elif not provider:
        scope = "model"
    return PriceView(
        selector=selector,
        scope_kind=scope,
        provider_name=provider or UNSET,
        model=model or UNSET,
        pricing=found.pricing,
        created_at=found.created_at or UNSET,
        updated_at=found.updated_at or UNSET,
    )
