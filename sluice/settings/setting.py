"""A row of the settings table."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from msgspec import Struct

from sluice.settings.kinds import Kind

T = TypeVar("T")


class Setting(Struct, Generic[T], frozen=True, kw_only=True):
    """One setting: its variable, its type, its default, and one sentence."""

    name: str
    kind: Kind[T]
    default: T
    summary: str
    secret: bool = False  # its value is never printed
    unset: str = ""  # what happens without it, where the default alone does not say so
    also: tuple[str, ...] = ()  # further variables that mean the same
    # Why a value other than the default has no effect: it is accepted, and this is said at the start.
    without_effect: str = ""
    # Why a value other than the default stops the start.
    refused: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All its variables, the one that we document first."""
        if self.name.startswith("GOMODEL_"):
            return (self.name, "SLUICE_" + self.name.removeprefix("GOMODEL_"), *self.also)
        return (self.name, *self.also)


class Group(Struct, frozen=True):
    """A chapter of the table."""

    title: str
    settings: tuple[Setting[Any], ...]
    intro: str = ""
