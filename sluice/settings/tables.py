"""The tables of config.yaml that are no settings: instances, aliases, allow-lists, prices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from providers.configured import Given, fields_of
from providers.vendors import VENDORS
from schemas.aliases import Alias, AliasTarget
from schemas.guardrails import Guardrail
from schemas.prices import Metadata, Pricing
from sluice.settings import guardrail_rules, routes
from sluice.settings.faults import Faults
from sluice.settings.routes import Routes

Table = dict[str, Any]
# All that config.yaml has beside settings. `models` holds settings of GoModel's as well.
NAMES = ("providers", "aliases", "model_overrides", "prices")
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Of these tables only some members are no settings.
PARTS = {
    "guardrails": ("rules",),
    "routing": ("rules", "fallbacks"),
    "fallback": ("overrides", "manual"),
}


class Tables(msgspec.Struct):
    """Understood."""

    instances: list[Given]
    aliases: tuple[Alias, ...]
    overrides: dict[str, tuple[str, ...]]
    metadata: dict[str, Metadata]
    routes: Routes = Routes()
    guardrails: dict[str, tuple[int, Guardrail]] = {}  # step and guardrail


def understood(tables: Mapping[str, object], faults: Faults) -> Tables:
    """What the tables say; what they say wrong goes to `faults`."""
    return Tables(
        instances=list(_instances(tables.get("providers") or {}, faults)),
        aliases=tuple(_aliases(tables.get("aliases") or {}, faults)),
        overrides=dict(_overrides(tables.get("model_overrides") or {}, faults)),
        metadata=_metadata(tables, faults),
        routes=routes.understood(tables, faults),
        guardrails=guardrail_rules.understood(tables, faults),
    )


# -- instances


def _instances(table: object, faults: Faults) -> Iterator[Given]:
    if not isinstance(table, dict):
        faults.problems.append(f"{faults.file} key providers must be a table of instances")
        return
    for name, entry in table.items():
        key = f"providers.{name}"
        if not isinstance(entry, dict):
            faults.problems.append(
                f"{faults.file} key {key} must be a table with api_key, base_url, models"
            )
        elif not _INSTANCE.fullmatch(name):
            faults.problems.append(
                f"{faults.file} key {key}: a name has letters, digits, dots, dashes, underscores"
            )
        elif (given := _instance(name, dict(entry), faults)) is not None:
            yield given


def _instance(name: str, entry: Table, faults: Faults) -> Given | None:
    where = f"{faults.file} key providers.{name}"
    type_ = str(entry.pop("type", "") or re.split(r"[-_.]", name)[0])
    vendor = VENDORS.get(type_)
    if vendor is None:
        faults.problems.append(
            f"{where}: {type_!r} is no known vendor; known: {', '.join(VENDORS)}."
            " `type: openai` with a base_url is any service that speaks OpenAI's API"
        )
        return None
    entry.pop("resilience", None)  # of routing: see `routes`
    known = {field.lower(): field for field in fields_of(vendor)}
    models, metadata = _models(entry.pop("models", None), f"providers.{name}.models", faults)
    fields = {"MODELS": models} if models else {}
    for key, value in entry.items():
        if key not in known:
            faults.problems.append(
                f"{where}.{key} is unknown; known: {', '.join(['type', *known])}"
            )
        elif text := scalar(value).strip():
            fields[known[key]] = text
    names = {field: f"{where}.{field.lower()}" for field in known.values()}
    return Given(name=name, vendor=vendor.name, fields=fields, names=names, metadata=metadata)


def _models(value: object, key: str, faults: Faults) -> tuple[str, dict[str, Metadata]]:
    """A list of ids, or of tables with `id` and `metadata`."""
    if not isinstance(value, list):
        return scalar(value), {}
    ids, metadata = [], {}
    for entry in value:
        if not isinstance(entry, dict):
            ids.append(str(entry))
            continue
        found = faults.convert(entry, _Model, key)
        if found is not None:
            ids.append(found.id)
            if found.metadata is not None:
                metadata[found.id] = found.metadata
    return ",".join(ids), metadata


class _Model(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    metadata: Metadata | None = None


# -- aliases


class _Alias(msgspec.Struct, forbid_unknown_fields=True):
    """As GoModel has it, or with several targets."""

    name: str | None = None
    target_model: str | None = None
    target_provider: str | None = None
    targets: list[AliasTarget] | None = None
    description: str | None = None
    enabled: bool = True


def _aliases(table: object, faults: Faults) -> Iterator[Alias]:
    """A table by name, whose values may be just a model's name; or a list with names."""
    entries = table.items() if isinstance(table, dict) else ((None, each) for each in _list(table))
    for name, entry in entries:
        key = f"aliases.{name}" if name else "aliases"
        given = {"target_model": entry} if isinstance(entry, str) else entry
        found = faults.convert(given, _Alias, key)
        if found is None:
            continue
        called = name or found.name
        targets = list(found.targets or ())
        if found.target_model:
            targets.insert(0, AliasTarget(found.target_model, found.target_provider or None))
        if not called or not targets:
            wanted = "needs a name and target_model, or targets"
            faults.problems.append(f"{faults.file} key {key}: an alias {wanted}")
        elif any(target.weight < 0 for target in targets):
            faults.problems.append(f"{faults.file} key {key}: a weight is below 0")
        else:
            yield Alias(
                name=called,
                targets=tuple(targets),
                description=found.description,
                enabled=found.enabled,
            )


# -- allow-lists


class _Override(msgspec.Struct, forbid_unknown_fields=True):
    user_paths: list[str]
    selector: str = ""


def _overrides(table: object, faults: Faults) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A table by selector, whose values may be just the user paths; or a list with selectors."""
    entries = table.items() if isinstance(table, dict) else ((None, each) for each in _list(table))
    for selector, entry in entries:
        key = f"model_overrides.{selector}" if selector else "model_overrides"
        if isinstance(entry, str):
            entry = [part.strip() for part in entry.split(",")]
        given = {"user_paths": entry} if isinstance(entry, list) else entry
        found = faults.convert(given, _Override, key)
        if found is None:
            continue
        chosen = selector or found.selector
        paths = tuple(path for path in found.user_paths if path)
        if not chosen or not paths or not all(path.startswith("/") for path in paths):
            wanted = "a selector and at least one user path, each with a slash in front"
            faults.problems.append(f"{faults.file} key {key}: an override needs {wanted}")
        else:
            yield chosen, paths


# -- prices and metadata


def _metadata(tables: Mapping[str, object], faults: Faults) -> dict[str, Metadata]:
    """`prices` has rates by selector, `models` all that is known of a model."""
    found: dict[str, Metadata] = {}
    models, prices = tables.get("models") or {}, tables.get("prices") or {}
    for selector, entry in _table(models, "models", faults).items():
        metadata = faults.convert(entry, Metadata, f"models.{selector}")
        if metadata is not None:
            found[selector] = metadata
    for selector, entry in _table(prices, "prices", faults).items():
        pricing = faults.convert(entry, Pricing, f"prices.{selector}")
        if pricing is not None:
            known = found.get(selector, Metadata())
            pricing = replace(pricing, currency=pricing.currency or "USD")
            found[selector] = replace(known, pricing=pricing)
    return found


def _table(value: object, key: str, faults: Faults) -> Table:
    if isinstance(value, dict):
        return value
    faults.problems.append(f"{faults.file} key {key} must be a table by model")
    return {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def scalar(value: object) -> str:
    """A value of config.yaml as the text of a variable."""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return "" if value is None or value in ("null", "~") else str(value)
