"""What all commands share: settings or exit code 2, tables, JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click
import msgspec

from sluice.settings import Settings, SettingsError, load

EXIT_WRONG_SETTINGS = 2
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def settings_or_exit() -> Settings:
    """The settings; if any is wrong, says which and exits with code 2."""
    try:
        return load()
    except SettingsError as error:
        click.echo("Wrong settings, nothing was started:", err=True)
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
        sys.exit(EXIT_WRONG_SETTINGS)


def fail(message: str) -> NoReturn:
    """One line on stderr, exit code 1."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(1)


def print_json(data: Any) -> None:
    """Indented, with a newline."""
    click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces apart."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
