"""Where settings come from: the environment, `.env`, `config.yaml`. The one reader of the environment."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from dotenv.parser import parse_stream
from msgspec import Struct

from sluice.settings import gomodel, tables

CONFIG_FILES = ("config/config.yaml", "config.yaml")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Value(Struct, frozen=True):
    """What one place says about one setting."""

    text: str
    origin: str  # "environment", ".env line 3", "config.yaml key kafka.sasl.username"


Layer = dict[str, Value]  # by variable


class Config(Struct):
    """What config.yaml says."""

    file: str = "config.yaml"
    keys: dict[str, str] = {}  # variable -> key, as it is written there
    tables: dict[str, object] = {}  # what is no setting, its variables expanded
    notes: list[str] = []  # what has no effect


class Sources(Struct):
    """Everything that was found, before anything of it is understood."""

    layers: tuple[Layer, ...]  # the first counts most
    config: Config
    problems: list[str]

    def environment(self) -> dict[str, str]:
        """All variables of all places, merged; an empty one is no variable."""
        merged: dict[str, str] = {}
        for layer in reversed(self.layers):
            merged.update({name: value.text for name, value in layer.items() if value.text})
        return merged

    def origin(self, name: str) -> str | None:
        """Where a variable stands, for messages."""
        for layer in self.layers:
            if name in layer and layer[name].text:
                return layer[name].origin
        return None


def share_the_cores() -> None:
    """Numeric libraries read how many threads they may have where they are loaded: call it before.

    The semantic cache's matrices have some tens of columns. OpenBLAS's threads took ten times the CPU
    for them on two cores, and the cores are the requests'.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


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
    layer, config = _config(folder, variables, problems)
    return Sources((outer, dotenv, layer), config, problems)


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
) -> tuple[Layer, Config]:
    path = next((folder / name for name in CONFIG_FILES if (folder / name).exists()), None)
    if path is None:
        return {}, Config()
    config = Config(str(path.relative_to(folder)), {}, {}, [])
    try:
        # BaseLoader: every scalar stays the text it was, so that `yes` is no boolean by accident.
        document = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(f"{config.file} cannot be read: {' '.join(str(error).split())}")
        return {}, config
    if not document:
        return {}, config
    if not isinstance(document, dict):
        problems.append(f"{config.file} must be a table of settings")
        return {}, config
    document = _expanded(document, variables)
    _take_tables(document, config)
    layer: Layer = {}
    for key, text in _leaves(document, ""):
        variable = gomodel.KEYS.get(key) or re.sub(r"[.-]", "_", key).upper()
        # GoModel names its Redis server once for each of its caches.
        if variable in layer and layer[variable].text != text:
            problems.append(
                f"{config.file} says {variable} twice: {config.keys[variable]} and {key}"
            )
        config.keys[variable] = key
        layer[variable] = Value(text, f"{config.file} key {key}")
    return layer, config


def _expanded(node: Any, variables: Mapping[str, str]) -> Any:
    """The same with `${NAME}` in its texts replaced."""
    if isinstance(node, dict):
        return {key: _expanded(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_expanded(value, variables) for value in node]
    return expand(node, variables) if isinstance(node, str) else node


def _take_tables(document: dict[str, Any], config: Config) -> None:
    """Takes out of the document what is no setting."""
    for name in tables.NAMES:
        if (table := document.pop(name, None)) not in (None, "", "null", "~"):
            config.tables[name] = table
    if isinstance(models := document.get("models"), dict):
        # Beside GoModel's settings, whose values are no tables.
        config.tables["models"] = {
            name: models.pop(name) for name in list(models) if isinstance(models[name], dict)
        }
    for name, parts in tables.PARTS.items():
        if isinstance(group := document.get(name), dict):
            config.tables[name] = {part: group.pop(part) for part in parts if part in group}
    for key, why in gomodel.TABLES.items():
        group, _, name = key.partition(".")
        if isinstance(table := document.get(group), dict) and table.pop(name, None):
            config.notes.append(f"{config.file} key {key} has no effect: {why}")


def _leaves(node: dict[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, tables.scalar(value)
