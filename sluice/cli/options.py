"""Options that several commands take."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from schemas.clock import SystemClock

if TYPE_CHECKING:
    from sluice.operations.filters import Filter


class When(click.ParamType):
    """A time as epoch seconds: RFC 3339, a date, or how long ago it was."""

    name = "time"

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        from sluice.operations.times import when

        try:
            return when(value, SystemClock().time())
        except ValueError as error:
            self.fail(str(error))


class FilterType(click.ParamType):
    """A condition on exchanges."""

    name = "field=pattern"

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Filter:
        from sluice.operations.filters import parse

        try:
            return parse(value)
        except ValueError as error:
            self.fail(str(error))


FILTER = FilterType()
WHEN = When()
since_option = click.option("--since", type=WHEN, help="From then on: 2h, 2026-01-31, RFC 3339.")
until_option = click.option("--until", type=WHEN, help="Before then.")


def short(text: str, width: int) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def clock_time(text: str) -> str:
    """An RFC 3339 time to the second, without what every line would repeat."""
    return text[:19].replace("T", " ")


def colour(text: str, name: str | None) -> str:
    """In a colour, if somebody looks at it."""
    return click.style(text, fg=name) if name and sys.stdout.isatty() else text
