"""Which workflow applies."""

import pytest

from schemas.errors import InvalidRequest
from schemas.workflows import (
    Chosen,
    Features,
    Payload,
    Scope,
    Step,
    Workflow,
    checked,
    default,
    id_of,
)

FALLBACK = default(Features(), ())


def made(version: int = 1, *, active: bool = True, **scope: str) -> Workflow:
    found = Scope(**scope)
    return Workflow(
        id=id_of(found, version), scope=found, version=version, payload=Payload(), active=active
    )


def test_the_most_specific_one() -> None:
    """Paths from the deepest count before providers alone; within a path provider and model first."""
    everywhere, provider = made(), made(provider_name="a")
    team, deep = made(user_path="/t"), made(provider_name="a", model="m", user_path="/t/u")
    chosen = Chosen([everywhere, provider, team, deep], FALLBACK)
    assert chosen.of("a", "m", "/t/u/v") is deep
    assert chosen.of("a", "n", "/t/u/v") is team
    assert chosen.of("a", "m", "/tt") is provider
    assert chosen.of("b", "m", "/") is everywhere
    assert Chosen([], FALLBACK).of("b", "m", "/") is FALLBACK


def test_the_latest_active_version_of_a_scope() -> None:
    """Versions that are inactive or older do not count."""
    old, new, gone = made(1), made(2), made(3, active=False)
    assert Chosen([new, gone, old], FALLBACK).of("", "", "/") is new


def test_what_cannot_be_followed() -> None:
    """A budget needs usage, and a guardrail that is named must be there."""
    with pytest.raises(InvalidRequest, match="needs `usage`"):
        checked(Payload(features=Features(usage=False)), ())
    with pytest.raises(InvalidRequest, match="no guardrail `x`"):
        checked(Payload(guardrails=(Step("x"),)), ("y",))
    assert Features(usage=False).within(Features()).budget is False
