"""From what was found to values, or to a list of everything that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from providers.instances import Found, find_instances
from schemas.budgets import Budget
from sluice.settings import (
    budgets,
    cors,
    gateway,
    gomodel,
    kafka,
    routes,
    routing,
    semantic,
    spool,
    upstream,
    work,
)
from sluice.settings.faults import Faults
from sluice.settings.setting import Setting
from sluice.settings.sources import Sources, Value, process_environment, read
from sluice.settings.table import SETTINGS
from sluice.settings.tables import Tables, understood

T = TypeVar("T")
NAMES: dict[str, Setting[Any]] = {name: row for row in SETTINGS for name in row.names}


class SettingsError(Exception):
    """Settings are wrong; `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class Settings:
    """The value of every setting: `settings[gateway.PORT]`."""

    __slots__ = ("_values", "budgets", "environment", "notes", "origins", "providers", "tables")

    def __init__(
        self, values: dict[str, object], origins: dict[str, str], environment: dict[str, str]
    ) -> None:
        self._values = values
        self.origins = origins  # variable -> where its value was found; absent: the default
        self.environment = environment  # all variables of all places
        self.budgets: tuple[Budget, ...] = ()  # that variables seed
        self.tables = Tables([], (), {}, {})  # of config.yaml
        self.providers = Found([], [], [])
        self.notes: list[str] = []  # what is set and has no effect

    def __getitem__(self, row: Setting[T]) -> T:
        return cast("T", self._values.get(row.name, row.default))

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return Path(self[gateway.DATA_DIR])


def load(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Settings of this process and folder; SettingsError with all that is wrong at once."""
    sources = read(process_environment() if environ is None else environ, folder or Path())
    problems = [*sources.problems, *_unknown_keys(sources)]
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    notes: list[str] = []
    for row in SETTINGS:
        if (found := _find(row, sources, problems)) is None:
            continue
        name, value = found
        try:
            values[row.name] = row.kind.parse(value.text)
            origins[row.name] = value.origin
        except ValueError as error:
            problems.append(_problem(row, name, value, error))
            continue
        _judge(row, values[row.name], f"{name} ({value.origin})", problems, notes)
    environment = sources.environment()
    if simulated := values.get(upstream.SIM_URL.name):
        environment["SIM_BASE_URL"] = str(simulated)  # as for every other vendor
    settings = Settings(values, origins, environment)
    settings.budgets = budgets.seeds(environment, problems)
    settings.notes = [*notes, *_told_prefixes(sources), *sources.config.notes]
    _read_tables(settings, sources, problems)
    problems += _contradictions(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def _judge(
    row: Setting[Any], value: object, said: str, problems: list[str], notes: list[str]
) -> None:
    """What is to be said of a value that cannot be honoured."""
    if value == row.default:
        return
    if row.refused:
        problems.append(f"{said} cannot be honoured: {row.refused}; remove it")
    elif row.without_effect:
        notes.append(f"{said} has no effect: {row.without_effect}")


def _read_tables(settings: Settings, sources: Sources, problems: list[str]) -> None:
    """Instances, aliases, allow-lists and prices, wherever they stand."""
    faults = Faults(sources.config.file, problems, settings.notes)
    settings.tables = understood(sources.config.tables, faults)
    if path := settings[routing.FALLBACK_RULES]:
        found = routes.from_file(path, f"{routing.FALLBACK_RULES.name}={path}", problems)
        settings.tables.routes.fallbacks.update(found)
    settings.providers = find_instances(
        settings.environment,
        settings.tables.instances,
        ask_for_usage=settings[upstream.RETURN_USAGE],
    )
    settings.notes += settings.providers.notes
    for problem in settings.providers.problems:
        origin = sources.origin(problem.variable)
        problems.append(f"{problem} ({origin})" if origin else str(problem))


def _told_prefixes(sources: Sources) -> list[str]:
    return [
        f"{name} ({sources.origin(name)}) has no effect: {why}"
        for prefix, why in gomodel.PREFIXES.items()
        for name in sorted(sources.environment())
        if name.startswith(prefix)
    ]


def near_misses(settings: Settings) -> list[str]:
    """Variables that look like ours and are none: no error, since other programs have variables too."""
    found = []
    for name in sorted(settings.environment):
        ours = name.startswith(("SLUICE_", "GOMODEL_"))
        if name not in NAMES and (ours or name.startswith(("INGRESS_", "STREAMS_", "SINKS_"))):
            found.append(f"{name} is no setting{_suggestion(name, lower=False)}")
    return found


def _find(row: Setting[Any], sources: Sources, problems: list[str]) -> tuple[str, Value] | None:
    for layer in sources.layers:
        found = [(name, layer[name]) for name in row.names if name in layer and layer[name].text]
        if len({value.text for _, value in found}) > 1:
            names = " and ".join(f"{name} ({value.origin})" for name, value in found)
            problems.append(f"{names} mean the same and differ: remove one")
        if found:
            return found[0]
    return None


def _problem(row: Setting[Any], name: str, value: Value, error: ValueError) -> str:
    shown = "" if row.secret else f"={_short(value.text)!r}"
    return f"{name}{shown} ({value.origin}): {error}; accepted: {row.kind.accepts}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def _unknown_keys(sources: Sources) -> list[str]:
    return [
        f"{sources.layers[2][name].origin} is no setting{_suggestion(name, lower=True)}"
        for name in sources.config.keys
        if name not in NAMES
    ]


def _suggestion(name: str, *, lower: bool) -> str:
    near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.7)
    if not near:
        return "; docs/settings.md lists all"
    return f"; did you mean {near[0].lower() if lower else near[0]}?"


def _contradictions(settings: Settings) -> list[str]:
    """Settings that are right by themselves and wrong together."""
    problems = [
        *spool.contradictions(settings),
        *semantic.contradictions(settings),
        *cors.contradictions(settings),
        *work.contradictions(settings),
    ]
    if settings[work.STORAGE_TYPE] == "mongodb" and settings[work.MONGODB_URL] is None:
        problems.append("STORAGE_TYPE is mongodb, but MONGODB_URL is not set")
    if settings[work.STORAGE_TYPE] == "postgresql" and settings[work.POSTGRES_URL] is None:
        problems.append("STORAGE_TYPE is postgresql, but POSTGRES_URL is not set")
    if settings[kafka.SECURITY_PROTOCOL].startswith("SASL"):
        problems += [
            f"KAFKA_SECURITY_PROTOCOL is {settings[kafka.SECURITY_PROTOCOL]}, but {row.name} is not set"
            for row in (kafka.SASL_USERNAME, kafka.SASL_PASSWORD)
            if not settings[row]
        ]
    if settings[kafka.SECURITY_PROTOCOL] != "PLAINTEXT" and not settings[kafka.BOOTSTRAP_SERVERS]:
        problems.append(
            f"KAFKA_SECURITY_PROTOCOL is {settings[kafka.SECURITY_PROTOCOL]}, but "
            "KAFKA_BOOTSTRAP_SERVERS is not set, and the embedded broker only speaks PLAINTEXT"
        )
    if settings[kafka.SSL_KEYFILE] and not settings[kafka.SSL_CERTFILE]:
        problems.append("KAFKA_SSL_KEYFILE is set, but KAFKA_SSL_CERTFILE is not")
    if settings[gateway.SLOT] >= settings[kafka.REPLY_PARTITIONS]:
        problems.append(
            f"SLUICE_SLOT is {settings[gateway.SLOT]}, but SLUICE_REPLY_PARTITIONS "
            f"{settings[kafka.REPLY_PARTITIONS]} ends the slots at one less"
        )
    if settings[work.HEARTBEAT_INTERVAL] * 3 > settings[work.STREAMS_SESSION_TIMEOUT]:
        problems.append(
            "STREAMS_HEARTBEAT_INTERVAL is more than a third of STREAMS_SESSION_TIMEOUT"
        )
    return problems
