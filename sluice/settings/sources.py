"""Where settings come from: the environment, `.env`, `config.yaml`. The one reader of the environment."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from dotenv.parser import parse_stream
from msgspec import Struct

from providers.vendors import VENDORS, Vendor

CONFIG_FILES = ("config/config.yaml", "config.yaml")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Value(Struct, frozen=True):
    """What one place says about one setting."""

    text: str
    origin: str  # "environment", ".env line 3", "config.yaml key kafka.sasl.username"


Layer = dict[str, Value]  # by variable


class Sources(Struct):
    """Everything that was found, before anything of it is understood."""

    layers: tuple[Layer, ...]  # the first counts most
    providers: Layer  # variables from config.yaml's table of providers
    config_keys: dict[str, str]  # variable -> key, as config.yaml wrote it
    problems: list[str]

    def environment(self) -> dict[str, str]:
        """All variables of all places, merged; an empty one is no variable."""
        merged: dict[str, str] = {}
        for layer in (self.providers, *reversed(self.layers)):
            merged.update({name: value.text for name, value in layer.items() if value.text})
        return merged

    def origin(self, name: str) -> str:
        """Where a variable stands, for messages."""
        for layer in (*self.layers, self.providers):
            if name in layer and layer[name].text:
                return layer[name].origin
        return "not set anywhere"


def process_environment() -> Mapping[str, str]:
    """The variables of this process."""
    return os.environ


def read(environ: Mapping[str, str], folder: Path) -> Sources:
    """Read all places; what cannot be read is a problem, no exception."""
    problems: list[str] = []
    outer = {name: Value(text, "environment") for name, text in environ.items()}
    dotenv = _dotenv(folder / ".env", environ, problems)
    variables = {name: value.text for name, value in dotenv.items()} | {
        name: text for name, text in environ.items() if text
    }
    config, providers, keys = _config(folder, variables, problems)
    return Sources((outer, dotenv, config), providers, keys, problems)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME}` and `${NAME:-default}`; an unset or empty NAME is the default, or nothing."""
    return _VARIABLE.sub(lambda match: variables.get(match[1]) or match[2] or "", text)


def _dotenv(path: Path, environ: Mapping[str, str], problems: list[str]) -> Layer:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f".env cannot be read: {error}")
        return {}
    layer: Layer = {}
    known = dict(environ)
    for binding in parse_stream(io.StringIO(text)):
        # A binding begins with the blank lines before it.
        skipped = len(binding.original.string) - len(binding.original.string.lstrip())
        line = binding.original.line + binding.original.string[:skipped].count("\n")
        if binding.error:
            problems.append(f".env line {line} is not NAME=value")
        elif binding.key is not None:
            value = expand(binding.value or "", known)
            layer[binding.key] = Value(value, f".env line {line}")
            known[binding.key] = known.get(binding.key) or value
    return layer


def _config(
    folder: Path, variables: Mapping[str, str], problems: list[str]
) -> tuple[Layer, Layer, dict[str, str]]:
    path = next((folder / name for name in CONFIG_FILES if (folder / name).exists()), None)
    if path is None:
        return {}, {}, {}
    name = str(path.relative_to(folder))
    try:
        # BaseLoader: every scalar stays the text it was, so that `yes` is no boolean by accident.
        document = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(f"{name} cannot be read: {' '.join(str(error).split())}")
        return {}, {}, {}
    if not document:
        return {}, {}, {}
    if not isinstance(document, dict):
        problems.append(f"{name} must be a table of settings")
        return {}, {}, {}
    table = document.pop("providers", None) or {}
    layer: Layer = {}
    keys: dict[str, str] = {}
    for key, text in _leaves(document, ""):
        variable = re.sub(r"[.-]", "_", key).upper()
        if variable in layer:
            problems.append(f"{name} says {variable} twice: {keys[variable]} and {key}")
        keys[variable] = key
        layer[variable] = Value(expand(text, variables), f"{name} key {key}")
    return layer, _providers(table, name, variables, problems), keys


def _leaves(node: dict[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return "" if value in ("null", "~") else str(value)


def _providers(
    table: object, file: str, variables: Mapping[str, str], problems: list[str]
) -> Layer:
    """`providers: {openai-east: {api_key: …}}` as the variables that mean the same."""
    if not isinstance(table, dict):
        problems.append(f"{file} key providers must be a table of instances")
        return {}
    layer: Layer = {}
    for instance, entry in table.items():
        origin = f"{file} key providers.{instance}"
        if not isinstance(entry, dict):
            problems.append(f"{origin} must be a table with api_key, base_url, models")
            continue
        vendor = VENDORS.get(entry.pop("type", instance.split("-")[0]))
        if vendor is None:
            problems.append(f"{origin}: no known vendor; known: {', '.join(VENDORS)}")
            continue
        if instance != vendor.name and not instance.startswith(f"{vendor.name}-"):
            problems.append(
                f"{origin}: an instance of {vendor.name} is called {vendor.name} or {vendor.name}-<name>"
            )
        known = _provider_keys(vendor)
        for key, value in entry.items():
            if key not in known:
                problems.append(f"{origin}.{key} is unknown; known: {', '.join(known)}")
            variable = f"{instance}_{key}".replace("-", "_").upper()
            layer[variable] = Value(expand(_scalar(value), variables), f"{origin}.{key}")
    return layer


def _provider_keys(vendor: Vendor) -> list[str]:
    keys = ["api_key", "base_url", "models"]
    if vendor.api_versions:
        keys.append("api_version")
    return keys + [tail.lower() for tail, _header in vendor.header_variables]
