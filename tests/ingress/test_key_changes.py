"""What may become of a key."""

import pytest

from ingress.key_changes import active, check_administered, deactivated, made, rotated, shown
from schemas.errors import Conflict, InvalidRequest
from schemas.keys import ManagedKey, new_secret, secret_hash

NOW = 1_900_000_000.0
HOUR = 3600.0


def key(value: str, *known: ManagedKey) -> ManagedKey:
    return made(value, known, key_id="k", role="admin", now=NOW)


def test_a_value_is_one_keys() -> None:
    """Also a former one; what is too short to be a secret is none."""
    value, other = new_secret(), new_secret()
    first = rotated(key(value), other, HOUR, NOW)
    for taken in (value, other):
        with pytest.raises(Conflict):
            key(taken, first)
    for wrong in ("sk-sluice-short", "sk-proj-" + "x" * 40):
        with pytest.raises(InvalidRequest):
            key(wrong)


def test_former_values_end() -> None:
    """The newest five at most, each at its time; without an overlap the last one at once."""
    found = key(new_secret())
    for turn in range(8):
        found = rotated(found, new_secret(), HOUR, NOW + turn)
    assert len(found.former) == 5
    later = rotated(found, new_secret(), HOUR, NOW + 2 * HOUR)
    assert len(later.former) == 1
    value = new_secret()
    at_once = rotated(found, value, 0, NOW + 2 * HOUR)
    assert at_once.former == ()
    assert at_once.secret_hash == secret_hash(value)
    with pytest.raises(InvalidRequest):
        rotated(found, new_secret(), -1, NOW)


def test_a_deactivated_key_stays_so() -> None:
    """It has no value any more that is taken, and gets none."""
    off = deactivated(rotated(key(new_secret()), new_secret(), HOUR, NOW), NOW)
    assert (active(off, NOW), off.former) == (False, ())
    assert deactivated(off, NOW + 1) is off
    with pytest.raises(Conflict):
        rotated(off, new_secret(), HOUR, NOW)
    with pytest.raises(Conflict):
        check_administered([off], NOW)


def test_no_hash_is_told() -> None:
    """Neither of the value nor of former ones."""
    found = rotated(key(new_secret()), new_secret(), HOUR, NOW)
    text = repr(shown(found, NOW))
    assert found.secret_hash not in text
    assert found.former[0].secret_hash not in text
