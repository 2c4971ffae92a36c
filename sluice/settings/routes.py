"""The tables of config.yaml about routing: rules, fallbacks, and how patient one is with an instance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sluice.settings.faults import Faults
from sluice.settings.kinds import duration
from streams.routing.config import Affinity, Choice, Mode, Recovery, Rule, Strategy, Trigger

_FALLBACKS = dict[str, tuple[str, ...] | str]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")
_seconds = duration(0, 86_400).parse


class Patience(Struct, frozen=True):
    """What `resilience` of an instance says; what it leaves out is as for all."""

    retry: dict[str, float] = {}  # fields of RetryConfig
    breaker: dict[str, float] = {}  # of BreakerConfig


class Routes(Struct, frozen=True):
    """Understood."""

    rules: tuple[Rule, ...] = ()
    fallbacks: dict[str, tuple[str, ...]] = {}
    modes: dict[str, Mode] = {}
    patience: dict[str, Patience] = {}  # by instance


def understood(tables: Mapping[str, object], faults: Faults) -> Routes:
    """What the tables say; what they say wrong goes to `faults`."""
    routing, fallback = _part(tables, "routing"), _part(tables, "fallback")
    fallbacks = _named(routing.get("fallbacks") or {}, "routing.fallbacks", faults)
    fallbacks |= _named(fallback.get("manual") or {}, "fallback.manual", faults)
    return Routes(
        tuple(_rules(routing.get("rules") or [], faults)),
        fallbacks,
        dict(_modes(fallback.get("overrides") or {}, faults)),
        dict(_patience(_part(tables, "providers"), faults)),
    )


def from_file(path: str, called: str, problems: list[str]) -> dict[str, tuple[str, ...]]:
    """GoModel's file of fallbacks."""
    try:
        found = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, tuple[str, ...]])
    except OSError as error:
        problems.append(f"{called} cannot be read: {error.strerror or error}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        problems.append(f"{called} is no table of lists of models: {error}")
    else:
        return found
    return {}


def _part(tables: Mapping[str, object], name: str) -> dict[str, Any]:
    table = tables.get(name)
    return table if isinstance(table, dict) else {}


# -- rules


class _Rule(Struct, forbid_unknown_fields=True):
    """As it is written: lists may be a single name, choices names alone."""

    use: list[str | Choice] | str
    name: str = ""
    when: str = "true"
    strategy: Strategy = "priority"
    fallback: list[str] | str = []
    fallback_on: list[Trigger] | str | UnsetType = UNSET
    recovery: Recovery | None = None
    affinity: Affinity = "user"
    on_disconnect: Literal["cancel", "finish"] = "cancel"


def _rules(table: object, faults: Faults) -> Iterator[Rule]:
    if not isinstance(table, list):
        faults.problems.append(f"{faults.file} key routing.rules must be a list")
        return
    names: set[str] = set()
    for number, entry in enumerate(table, 1):
        found = faults.convert(entry, _Rule, f"routing.rules, rule {number}")
        if found is None:
            continue
        name = found.name or f"rule {number}"
        where = f"{faults.file} key routing.rules, {name}"
        if name in names or not _NAME.fullmatch(name):
            faults.problems.append(
                f"{where}: a name has letters, digits, dashes, and is there once"
            )
            continue
        names.add(name)
        use = [each if isinstance(each, Choice) else Choice(each) for each in _list(found.use)]
        if not use or any(not choice.model or choice.weight < 0 for choice in use):
            faults.problems.append(f"{where}: `use` names models, with weights of 0 or more")
            continue
        triggers = None
        if found.fallback_on is not UNSET:
            triggers = faults.convert(
                _list(found.fallback_on), tuple[Trigger, ...], f"routing.rules, {name}"
            )
        yield Rule(
            name=name,
            when=found.when,
            use=tuple(use),
            strategy=found.strategy,
            fallback=tuple(_list(found.fallback)),
            fallback_on=triggers,
            recovery=found.recovery,
            affinity=found.affinity,
            on_disconnect=found.on_disconnect,
        )


def _list(value: Any) -> list[Any]:
    """A list, or names with commas between them."""
    if isinstance(value, str):
        return [name for part in value.split(",") if (name := part.strip())]
    return list(value)


# -- fallbacks


def _named(table: object, key: str, faults: Faults) -> dict[str, tuple[str, ...]]:
    found = faults.convert(table, _FALLBACKS, key)
    return {model: tuple(_list(names)) for model, names in (found or {}).items()}


class _Override(Struct, forbid_unknown_fields=True):
    mode: Mode


def _modes(table: object, faults: Faults) -> Iterator[tuple[str, Mode]]:
    entries = table.items() if isinstance(table, dict) else ()
    for model, entry in entries:
        found = faults.convert(entry, _Override, f"fallback.overrides.{model}")
        if found is not None:
            yield model, found.mode


# -- instances


class _Retry(Struct, frozen=True, forbid_unknown_fields=True):
    max_retries: int | None = None
    initial_backoff: str | None = None
    max_backoff: str | None = None
    backoff_factor: float | None = None
    jitter_factor: float | None = None


class _Breaker(Struct, frozen=True, forbid_unknown_fields=True):
    failure_threshold: int | None = None
    success_threshold: int | None = None
    timeout: str | None = None


class _Resilience(Struct, forbid_unknown_fields=True):
    """GoModel's."""

    retry: _Retry = _Retry()
    circuit_breaker: _Breaker = _Breaker()


def _patience(providers: dict[str, Any], faults: Faults) -> Iterator[tuple[str, Patience]]:
    for name, entry in providers.items():
        if not isinstance(entry, dict) or not (table := entry.get("resilience")):
            continue
        key = f"providers.{name}.resilience"
        found = faults.convert(table, _Resilience, key)
        if found is None:
            continue
        try:
            yield name, Patience(_numbers(found.retry), _numbers(found.circuit_breaker))
        except ValueError as error:
            faults.problems.append(f"{faults.file} key {key}: {error}")


def _numbers(table: Struct) -> dict[str, float]:
    """What is said, under our names; ValueError if a time is none."""
    found: dict[str, float] = {}
    for name in table.__struct_fields__:
        value = getattr(table, name)
        if value is not None:
            seconds = _seconds(value) if isinstance(value, str) else value
            found[name.removesuffix("_factor") if name == "jitter_factor" else name] = seconds
    return found
