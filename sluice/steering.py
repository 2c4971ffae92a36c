"""Routing as it is in force: what `config.yaml` says, before it the sets on `llm.config`, and before these
the aliases that stand there one by one.

All of it may change while the process runs. What is wrong is refused with a line in the log, and what was in
force stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from schemas.aliases import ALIASES, Alias, AliasInForce
from schemas.errors import InvalidRequest
from schemas.objects import Objects
from schemas.routing_sets import ROUTING, RoutingSet
from sluice.settings import Settings, SettingsError, load
from sluice.settings.faults import Faults
from sluice.settings.routes import Routes
from sluice.settings.tables import understood
from streams.routing.rules import BadRule, Rules

log = structlog.get_logger()


class Steer(Struct, frozen=True):
    """What can be changed."""

    routes: Routes
    aliases: tuple[Alias, ...]


Apply = Callable[[Steer], None]  # BadRule if a rule cannot be used: then nothing was changed


def read(name: str, found: RoutingSet) -> Steer:
    """What a set says; InvalidRequest with all that is wrong with it."""
    problems: list[str] = []
    faults = Faults(f"routing set {name}", problems, [])
    try:
        tables = {
            "routing": {
                "rules": msgspec.json.decode(found.rules),
                "fallbacks": msgspec.json.decode(found.fallbacks),
            },
            "aliases": msgspec.json.decode(found.aliases),
        }
        steer = understood(tables, faults)
        Rules(steer.routes.rules)
    except (BadRule, msgspec.DecodeError, RecursionError) as error:
        problems.append(str(error))
    if problems:
        raise InvalidRequest("; ".join(problems))
    return Steer(steer.routes, steer.aliases)


class Sources(Struct, frozen=True):
    """Everything that says how requests are routed, each source as it was read last."""

    file: Steer
    sets: Mapping[str, Steer] = {}
    own: Mapping[str, Alias] = {}  # that the admin API has set

    @property
    def aliases(self) -> dict[str, AliasInForce]:
        """By name; of equal ones the first source counts."""
        found: dict[str, AliasInForce] = {}
        for source, aliases in (
            ("config.yaml", self.file.aliases),
            *(
                (f"routing/{name}", self.sets[name].aliases)
                for name in sorted(self.sets, reverse=True)
            ),
            ("admin", self.own.values()),
        ):
            found |= {each.name: AliasInForce(each, source) for each in aliases}
        return found


class Steering:
    """Knows all sources, and applies them. Implements `schemas.routing_sets.Checker`."""

    def __init__(self, settings: Settings, apply: Apply) -> None:
        """`settings` are in force already."""
        self._apply = apply
        self._sources = Sources(Steer(settings.tables.routes, settings.tables.aliases))

    def check(self, name: str, found: RoutingSet) -> None:
        read(name, found)

    def aliases(self) -> Sequence[AliasInForce]:
        return [told for _, told in sorted(self._sources.aliases.items())]

    def follow(self, objects: Objects) -> None:
        """Apply what is there, and each change of it from now on."""
        objects.table(ROUTING).watch(self._changed)
        objects.table(ALIASES).watch(self._named)

    def _changed(self, name: str, found: RoutingSet | None) -> None:
        sets = {each: steer for each, steer in self._sources.sets.items() if each != name}
        if found is not None:
            try:
                sets[name] = read(name, found)
            except InvalidRequest as error:  # of a later version, or by hand
                log.error("routing_set_refused", name=name, reason=error.message)  # noqa: TRY400 - the reason says it
                return
        self._try(replace(self._sources, sets=sets), name)

    def _named(self, name: str, found: Alias | None) -> None:
        own = {each: alias for each, alias in self._sources.own.items() if each != name}
        if found is not None:
            own[name] = found
        self._try(replace(self._sources, own=own), name)

    def reread(self) -> None:
        """Take `config.yaml` as it is now: its rules, fallbacks and aliases."""
        try:
            settings = load()
        except SettingsError as error:
            log.error("config_refused", problems=error.problems)  # noqa: TRY400 - the problems say it
            return
        file = Steer(settings.tables.routes, settings.tables.aliases)
        self._try(replace(self._sources, file=file), "config.yaml")

    def _try(self, sources: Sources, name: str) -> None:
        try:
            self._apply(merged(sources))
        except BadRule as error:
            log.error("config_refused", name=name, problems=[str(error)])  # noqa: TRY400 - the problem says it
            return
        self._sources = sources
        log.info("routing_changed", name=name)


def merged(sources: Sources) -> Steer:
    """The sets in the order of their names, then the file; of equal names the first counts."""
    file, sets = sources.file, sources.sets
    ordered = [*(sets[name] for name in sorted(sets)), file]
    fallbacks: dict[str, tuple[str, ...]] = {}
    for each in ordered:
        fallbacks = {**each.routes.fallbacks, **fallbacks}
    rules = tuple(rule for each in ordered for rule in each.routes.rules)
    routes = replace(file.routes, rules=rules, fallbacks=fallbacks)
    return Steer(routes, tuple(told.alias for told in sources.aliases.values()))
