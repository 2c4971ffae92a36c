"""What is wrong with the tables of config.yaml."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


class Faults(msgspec.Struct):
    """What is wrong, and what has no effect."""

    file: str
    problems: list[str]
    notes: list[str]

    def convert(self, value: object, type_: type[T], key: str) -> T | None:
        """The value as that type. All scalars of the file are texts."""
        try:
            return msgspec.convert(value, type_, strict=False)
        except msgspec.ValidationError as error:
            self.problems.append(f"{self.file} key {key}: {error}")
            return None
