"""docs/exchanges.md: its tables of fields and columns are complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from sinks.columns import COLUMNS
from sinks.document import Document

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "exchanges.md").read_text()


def paths(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Dotted names of all fields, nested ones too."""
    hints = get_type_hints(struct)
    for name, stored in zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True):
        yield prefix + stored
        for nested in _structs(hints[name]):
            yield from paths(nested, f"{prefix}{stored}.")


def _structs(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    if get_origin(annotation) in (Union, UnionType, tuple):
        for each in get_args(annotation):
            yield from _structs(each)
    elif isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation


def test_every_field_is_described() -> None:
    """The table has a row for each field of the stored document, and for nothing else."""
    rows = re.findall(r"^\| ((?:`[\w.]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    described = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]

    assert sorted(described) == sorted(paths(Document))


def test_every_column_is_named() -> None:
    """The page lists all columns of the SQL tables."""
    section = PAGE.partition("## PostgreSQL and SQLite")[2].partition(" (`jsonb`")[0]

    assert set(re.findall(r"`(\w+)`", section)) == set(COLUMNS)
