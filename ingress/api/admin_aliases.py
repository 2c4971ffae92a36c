"""/admin/api/v1/aliases: names of our own for models, one by one. Names and shapes as GoModel has them."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from msgspec import UNSET, Struct, UnsetType

from ingress.admin import Asking, Said, answered
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.aliases import ALIASES, Alias, AliasInForce, AliasTarget
from schemas.clock import rfc3339
from schemas.errors import InvalidRequest, NotFound
from schemas.keys import Role
from schemas.models import Inventory

_LONGEST = 200  # characters of a name


class AliasFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of an alias: one target, or several with weights."""

    target_model: str = ""
    target_provider: str = ""
    targets: tuple[AliasTarget, ...] = ()
    description: str = ""
    enabled: bool | UnsetType = UNSET  # as it was; of a new one true


class AliasView(Struct, frozen=True, kw_only=True):
    """An alias that is in force; the target is its first one."""

    name: str
    target_model: str
    target_provider: str | UnsetType = UNSET
    targets: Sequence[AliasTarget] | UnsetType = UNSET  # where there are several
    description: str | UnsetType = UNSET
    enabled: bool
    created_at: str | UnsetType = UNSET
    updated_at: str | UnsetType = UNSET
    resolved_model: str  # `instance/model`
    provider_type: str | UnsetType = UNSET
    valid: bool  # somebody has a model of its target's name
    source: str  # who says it: admin, routing/<set>, config.yaml


async def aliases(request: IncomingRequest) -> Answer:
    """GET: all that are in force, whoever says them."""
    return await answered(request, _list, role="analyst")


async def alias(request: IncomingRequest, name: str) -> Answer:
    """GET: one. PUT: it is so from now on, before sets and config.yaml. DELETE: what was set here is forgotten."""
    work = {"PUT": _put, "DELETE": _delete}.get(request.method, _show)
    role: Role = "admin" if request.method in ("PUT", "DELETE") else "analyst"
    return await answered(request, work, unquote(name), role=role)


# -- what they do


async def _list(asking: Asking) -> Said:
    return Said([_view(asking, each) for each in _in_force(asking)])


async def _show(asking: Asking, name: str) -> Said:
    found = next((each for each in _in_force(asking) if each.alias.name == name), None)
    if found is None:
        raise NotFound(f"There is no alias `{name[:100]}`.")
    return Said(
        _view(asking, found), version=asking.objects.objects.table(ALIASES).entry(name).version
    )


async def _put(asking: Asking, name: str) -> Said:
    if not name.strip() or name != name.strip() or len(name) > _LONGEST:
        raise InvalidRequest(
            f"A name has up to {_LONGEST} characters, and no space around it.", param="name"
        )
    said = await asking.body(AliasFields)
    former = asking.objects.objects.table(ALIASES).get(name)
    now = rfc3339(asking.gateway.clock.time())
    made = Alias(
        name=name,
        targets=_targets(said, name),
        description=said.description.strip() or None,
        enabled=(former is None or former.enabled) if said.enabled is UNSET else said.enabled,
        created_at=now if former is None else former.created_at,
        updated_at=now,
    )
    entry = await asking.objects.put(ALIASES, name, made, expected=asking.expected)
    return Said(_view(asking, AliasInForce(made, "admin")), version=entry.version)


async def _delete(asking: Asking, name: str) -> Said:
    if asking.objects.objects.table(ALIASES).get(name) is None:
        known = (each.source for each in _in_force(asking) if each.alias.name == name)
        why = f" It stands in {source}." if (source := next(known, None)) else ""
        raise NotFound(f"No alias `{name[:100]}` was set here.{why}")
    await asking.objects.delete(ALIASES, name, expected=asking.expected)
    return Said(status=204)


def _targets(said: AliasFields, name: str) -> tuple[AliasTarget, ...]:
    """InvalidRequest if it cannot be followed."""
    found = said.targets
    if model := said.target_model.strip():
        found = (AliasTarget(model, said.target_provider.strip() or None), *found)
    if not found or not all(each.model.strip() for each in found):
        raise InvalidRequest("An alias needs a `target_model`, or `targets`.", param="target_model")
    if any(not each.weight >= 0 for each in found):
        raise InvalidRequest("A weight must not be below 0.", param="targets")
    if any(each.provider is None and each.model == name for each in found):
        raise InvalidRequest("An alias cannot mean itself.", param="target_model")
    return found


def _in_force(asking: Asking) -> Sequence[AliasInForce]:
    if asking.gateway.routing is None:
        raise NotFound("Routing is not governed here.")
    return asking.gateway.routing.aliases()


def _view(asking: Asking, found: AliasInForce) -> AliasView:
    alias, first = found.alias, found.alias.targets[0]
    called = f"{first.provider}/{first.model}" if first.provider else first.model
    meant = _inventory(asking).meant(called)
    return AliasView(
        name=alias.name,
        target_model=first.model,
        target_provider=first.provider or UNSET,
        targets=alias.targets if len(alias.targets) > 1 else UNSET,
        description=alias.description or UNSET,
        enabled=alias.enabled,
        created_at=alias.created_at or UNSET,
        updated_at=alias.updated_at or UNSET,
        resolved_model=called if meant is None else f"{meant.instance}/{meant.model}",
        provider_type=UNSET if meant is None else meant.vendor,
        valid=meant is not None,
        source=found.source,
    )


def _inventory(asking: Asking) -> Inventory:
    if asking.gateway.inventory is None:
        raise NotFound("Models are not known here.")
    return asking.gateway.inventory
