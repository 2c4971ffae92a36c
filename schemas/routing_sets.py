"""Routing that is governed while the gateway runs: sets of rules, fallbacks and aliases on `llm.config`.

They are written as `config.yaml` has them. Whoever takes them in checks them first (`Checker`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Raw, Struct

from schemas.aliases import AliasInForce
from schemas.objects import Kind


class RoutingSet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tables `routing.rules`, `routing.fallbacks` and `aliases`, each as JSON."""

    rules: Raw = Raw(b"[]")
    fallbacks: Raw = Raw(b"{}")
    aliases: Raw = Raw(b"{}")


ROUTING = Kind("routing", RoutingSet)


class Checker(Protocol):
    """Who knows what rules and aliases are; `sluice` hands one to the ingress."""

    def check(self, name: str, found: RoutingSet) -> None:
        """InvalidRequest says all that is wrong with a set of that name."""
        ...

    def aliases(self) -> Sequence[AliasInForce]:
        """All that are in force, sorted by name, also those that are switched off."""
        ...
