"""What may become of a managed key, whoever asks for it: the admin API or `sluice keys`."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import asdict, replace

from ingress.api.key_fields import moment
from schemas.clock import from_rfc3339, rfc3339
from schemas.errors import Conflict, InvalidRequest
from schemas.keys import PREFIXES, Former, ManagedKey, Role, redacted, secret_hash

OVERLAP = 24 * 3600.0  # seconds for which a rotated key's former value is taken
_YEAR = 366 * 24 * 3600
_MOST_FORMER = 5
_SHORTEST = 24  # characters of a value that is brought along


def made(
    value: str, known: Iterable[ManagedKey], *, key_id: str, role: Role, now: float
) -> ManagedKey:
    """A key of that value, without a name yet; InvalidRequest, Conflict if another one has it."""
    hashed = secret_hash(value)
    if hashed is None or len(value) < _SHORTEST:
        raise InvalidRequest(
            f"`value` must begin with {' or '.join(PREFIXES)} and be no shorter than {_SHORTEST}.",
            param="value",
        )
    for each in known:
        if hashed in (each.secret_hash, *(former.secret_hash for former in each.former)):
            raise Conflict("There is a key of this value.")
    return ManagedKey(
        id=key_id,
        name="",
        secret_hash=hashed,
        redacted_value=redacted(value),
        created_at=rfc3339(now),
        updated_at=rfc3339(now),
        role=role,
    )


def rotated(key: ManagedKey, value: str, overlap: float, now: float) -> ManagedKey:
    """The key with a new value; the former one is taken for `overlap` seconds. InvalidRequest, Conflict."""
    if not 0 <= overlap <= _YEAR:
        raise InvalidRequest("`overlap_seconds` must be from 0 to a year.", param="overlap_seconds")
    if key.deactivated_at is not None:
        raise Conflict("This key was deactivated: make a new one.")
    hashed = secret_hash(value)
    assert hashed is not None
    last = Former(key.secret_hash, rfc3339(now + overlap))
    former = tuple(each for each in key.former if from_rfc3339(each.expires_at) > now)
    return replace(
        key,
        secret_hash=hashed,
        redacted_value=redacted(value),
        former=(last, *former)[:_MOST_FORMER] if overlap else former,
    )


def deactivated(key: ManagedKey, now: float) -> ManagedKey:
    """It is refused, also by its former values."""
    if key.deactivated_at is not None:
        return key
    return replace(key, deactivated_at=rfc3339(now), former=())


def check_administered(keys: Iterable[ManagedKey], now: float) -> None:
    """Conflict if without a master key nobody could use the admin API any more."""
    if not any(each.role == "admin" and active(each, now) for each in keys):
        raise Conflict("No key with the role admin would be left, and there is no master key.")


def active(key: ManagedKey, now: float) -> bool:
    return key.deactivated_at is None and now < moment(key.expires_at)


def created(key: ManagedKey) -> tuple[str, str]:
    """By which keys are sorted."""
    return key.created_at, key.id


def shown(key: ManagedKey, now: float) -> dict[str, object]:
    """What is told of a key: all but hashes."""
    found = {name: value for name, value in asdict(key).items() if name != "secret_hash"}
    live = [each.expires_at for each in key.former if from_rfc3339(each.expires_at) > now]
    found["former"] = [{"expires_at": end} for end in live]
    return {**found, "enabled": key.deactivated_at is None, "active": active(key, now)}
