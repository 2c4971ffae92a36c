"""/admin/api/v1/auth-keys: managed keys are made, changed, rotated, deactivated. Names as GoModel has them."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace

from ingress import key_changes
from ingress.admin import Asking, Said, answered
from ingress.api.key_fields import checked
from ingress.guards import IncomingRequest
from ingress.lasting import OnDisconnect
from ingress.wire import Answer
from schemas.clock import rfc3339
from schemas.errors import InvalidRequest, NotFound
from schemas.ids import new_id
from schemas.keys import KEYS, ManagedKey, Role, new_secret


class KeyFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said of a key; what is not said stays as it is."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    user_path: str | UnsetType | None = UNSET
    models: tuple[str, ...] | UnsetType = UNSET
    endpoints: tuple[str, ...] | UnsetType = UNSET
    ips: tuple[str, ...] | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    log_bodies: bool | UnsetType = UNSET
    on_disconnect: OnDisconnect | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    value: str | UnsetType = UNSET  # of a new key: one that clients have already


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    """How a value is replaced."""

    overlap_seconds: float = key_changes.OVERLAP


async def keys(request: IncomingRequest) -> Answer:
    """GET: all of them. POST: a new one; its value stands in this answer and nowhere else."""
    return await answered(request, _create if request.method == "POST" else _list)


async def key(request: IncomingRequest, name: str) -> Answer:
    """GET: one key."""
    return await answered(request, _show, name)


async def change_key(request: IncomingRequest, name: str) -> Answer:
    """PATCH: what is said of it changes. DELETE: it is forgotten."""
    return await answered(request, _delete if request.method == "DELETE" else _change, name)


async def rotate_key(request: IncomingRequest, name: str) -> Answer:
    """POST: a new value; the former one is taken a while longer."""
    return await answered(request, _rotate, name)


async def deactivate_key(request: IncomingRequest, name: str) -> Answer:
    """POST: it is refused from now on, and its record stays."""
    return await answered(request, _deactivate, name)


async def _list(asking: Asking) -> Said:
    found = sorted(
        (each for _, each in asking.objects.objects.table(KEYS)), key=key_changes.created
    )
    return Said([_view(asking, each) for each in found])


async def _show(asking: Asking, name: str) -> Said:
    found, version = _found(asking, name)
    return Said(_view(asking, found), version=version)


async def _create(asking: Asking) -> Said:
    said = await asking.body(KeyFields)
    if said.name is UNSET:
        raise InvalidRequest("A key needs a `name`.", param="name")
    value = said.value if said.value is not UNSET else new_secret()
    known = [each for _, each in asking.objects.objects.table(KEYS)]
    now = asking.gateway.clock.time()
    made = key_changes.made(
        value,
        known,
        key_id=new_id(int(now * 1000), asking.gateway.config.slot),
        # The first key closes the admin API: were it no admin's, nobody could make another.
        role="client" if asking.gateway.auth.has_master or known else "admin",
        now=now,
    )
    made = _with(made, said)
    _somebody_administers(asking, made)
    entry = await asking.objects.put(KEYS, made.id, made, expected=0)
    return Said({**_view(asking, made), "value": value}, 201, entry.version)


async def _change(asking: Asking, name: str) -> Said:
    said = await asking.body(KeyFields)
    if said.value is not UNSET:
        raise InvalidRequest("A value is changed by rotating the key.", param="value")
    found, version = _found(asking, name)
    return await _put(asking, _with(found, said), version)


async def _rotate(asking: Asking, name: str) -> Said:
    said = await asking.body(Rotation)
    found, version = _found(asking, name)
    value = new_secret()
    new = key_changes.rotated(found, value, said.overlap_seconds, asking.gateway.clock.time())
    return await _put(asking, new, version, value=value)


async def _deactivate(asking: Asking, name: str) -> Said:
    found, version = _found(asking, name)
    new = key_changes.deactivated(found, asking.gateway.clock.time())
    if new is not found:
        await _put(asking, new, version)
    return Said(status=204)


async def _delete(asking: Asking, name: str) -> Said:
    found, version = _found(asking, name)
    _somebody_administers(asking, replace(found, role="client"))
    await asking.objects.delete(KEYS, name, expected=version)
    return Said(status=204)


async def _put(asking: Asking, new: ManagedKey, version: int, **shown: str) -> Said:
    _somebody_administers(asking, new)
    new = replace(new, updated_at=rfc3339(asking.gateway.clock.time()))
    entry = await asking.objects.put(KEYS, new.id, new, expected=version)
    return Said({**_view(asking, new), **shown}, version=entry.version)


def _with(old: ManagedKey, said: KeyFields) -> ManagedKey:
    fields = {name: value for name, value in asdict(said).items() if value is not UNSET}
    fields.pop("value", None)
    return checked(replace(old, **fields))


def _found(asking: Asking, name: str) -> tuple[ManagedKey, int]:
    """The key, and the version that is to be changed: the one that the caller saw, if it says so."""
    entry = asking.objects.objects.table(KEYS).entry(name)
    if entry.value is None:
        raise NotFound(f"There is no key with the id '{name[:100]}'.")
    expected = asking.expected
    return entry.value, entry.version if expected is None else expected


def _somebody_administers(asking: Asking, new: ManagedKey) -> None:
    """Conflict if without a master key nobody could use the admin API any more."""
    if asking.gateway.auth.has_master:
        return
    others = [each for name, each in asking.objects.objects.table(KEYS) if name != new.id]
    key_changes.check_administered((*others, new), asking.gateway.clock.time())


def _view(asking: Asking, each: ManagedKey) -> dict[str, object]:
    return key_changes.shown(each, asking.gateway.clock.time())
