"""/admin/api/v1/models: all models, whoever may call them, by category. Names and shapes as GoModel has them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from ingress.admin import Asking, Said, answered
from ingress.categories import CATEGORIES, categories_of
from ingress.guards import IncomingRequest
from ingress.listing import named
from ingress.wire import Answer
from schemas.errors import InvalidRequest, NotFound
from schemas.models import Inventory, Model


class OverrideView(Struct, frozen=True):
    """The allow-list that decides on a model."""

    selector: str
    user_paths: Sequence[str]


class AccessView(Struct, frozen=True):
    """Who may call a model."""

    selector: str
    default_enabled: bool
    effective_enabled: bool  # somebody may
    user_paths: Sequence[str]  # these and those below may; empty: all, if it is enabled
    override: OverrideView | UnsetType = UNSET


class ModelView(Struct, frozen=True):
    """A model, its provider, and who may call it."""

    model: Model  # under the provider's id
    provider_type: str
    provider_name: str
    selector: str  # `instance/model`: how it is called
    access: AccessView


class CategoryCount(Struct, frozen=True):
    """How many models there are of a category."""

    category: str
    display_name: str
    count: int


async def models(request: IncomingRequest) -> Answer:
    """GET: all models, or those of a category."""
    return await answered(request, _models, role="analyst")


async def categories(request: IncomingRequest) -> Answer:
    """GET: all categories and how many models each has."""
    return await answered(request, _categories, role="analyst")


# -- what they do


async def _models(asking: Asking) -> Said:
    wanted = asking.request.args.get("category") or "all"
    if wanted not in CATEGORIES:
        raise InvalidRequest(
            f"`category` must be one of {', '.join(CATEGORIES)}.", param="category"
        )
    inventory = _inventory(asking)
    found = [each for each in inventory.listed() if wanted in categories_of(each)]
    return Said([_view(asking, inventory, each) for each in found])


async def _categories(asking: Asking) -> Said:
    found = [categories_of(each) for each in _inventory(asking).listed()]
    return Said(
        [
            CategoryCount(name, shown, sum(name in each for each in found))
            for name, shown in CATEGORIES.items()
        ]
    )


def _view(asking: Asking, inventory: Inventory, found: Model) -> ModelView:
    instance = found.owned_by
    bare = found.id.removeprefix(f"{instance}/")
    allowed = inventory.allowed(instance, bare)
    override: OverrideView | UnsetType = UNSET
    if allowed.selector is not None:
        override = OverrideView(allowed.selector, allowed.user_paths)
    return ModelView(
        replace(found, id=bare),
        named(asking, instance) or instance,
        instance,
        found.id,
        AccessView(found.id, allowed.default, allowed.somebody, allowed.user_paths, override),
    )


def _inventory(asking: Asking) -> Inventory:
    if asking.gateway.inventory is None:
        raise NotFound("Models are not known here.")
    return asking.gateway.inventory
