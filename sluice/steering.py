"""Routing as it is in force: what `config.yaml` says, and the sets on `llm.config` before it.

Both may change while the process runs. What is wrong is refused with a line in the log, and what was in
force stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from providers.aliases import Alias
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


class Steering:
    """Knows file and sets, and applies both."""

    def __init__(self, settings: Settings, apply: Apply) -> None:
        """`settings` are in force already."""
        self._apply = apply
        self._file = Steer(settings.tables.routes, settings.tables.aliases)
        self._sets: dict[str, Steer] = {}

    def check(self, name: str, found: RoutingSet) -> None:
        """See `schemas.routing_sets.Checker`."""
        read(name, found)

    def follow(self, objects: Objects) -> None:
        """Apply the sets that are there, and each change of them from now on."""
        objects.table(ROUTING).watch(self._changed)

    def _changed(self, name: str, found: RoutingSet | None) -> None:
        sets = {each: steer for each, steer in self._sets.items() if each != name}
        if found is not None:
            try:
                sets[name] = read(name, found)
            except InvalidRequest as error:  # of a later version, or by hand
                log.error("routing_set_refused", name=name, reason=error.message)  # noqa: TRY400 - the reason says it
                return
        self._try(self._file, sets, name)

    def reread(self) -> None:
        """Take `config.yaml` as it is now: its rules, fallbacks and aliases."""
        try:
            settings = load()
        except SettingsError as error:
            log.error("config_refused", problems=error.problems)  # noqa: TRY400 - the problems say it
            return
        file = Steer(settings.tables.routes, settings.tables.aliases)
        self._try(file, self._sets, "config.yaml")

    def _try(self, file: Steer, sets: dict[str, Steer], name: str) -> None:
        try:
            self._apply(merged(file, sets))
        except BadRule as error:
            log.error("config_refused", name=name, problems=[str(error)])  # noqa: TRY400 - the problem says it
            return
        self._file, self._sets = file, sets
        log.info("routing_changed", name=name)


def merged(file: Steer, sets: dict[str, Steer]) -> Steer:
    """The sets in the order of their names, then the file; of equal names the first counts."""
    ordered = [*(sets[name] for name in sorted(sets)), file]
    fallbacks: dict[str, tuple[str, ...]] = {}
    aliases: dict[str, Alias] = {}
    for each in ordered:
        fallbacks = {**each.routes.fallbacks, **fallbacks}
        aliases = {**_named(each.aliases), **aliases}
    rules = tuple(rule for each in ordered for rule in each.routes.rules)
    routes = replace(file.routes, rules=rules, fallbacks=fallbacks)
    return Steer(routes, tuple(aliases.values()))


def _named(aliases: Iterable[Alias]) -> dict[str, Alias]:
    return {each.name: each for each in aliases}
