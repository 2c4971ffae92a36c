"""Whether an input file can be a batch, as OpenAI looks at it: all of it, before any line is called."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Iterator
from contextlib import aclosing
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from schemas.batches import Batch, LineError
from streams.batches.lines import Line, Unusable, model_of, slices, understood

MAX_ERRORS = 100  # that are told
_BUCKETS = 64


class Limits(Struct, frozen=True):
    """How large a batch may be."""

    max_requests: int = 1_000_000
    max_line: int = 10 << 20  # bytes


class Stopped(Exception):
    """Nobody wants to know any more."""


class Checked(Struct):
    """What was found."""

    total: int = 0  # requests
    lines: int = 0  # with the empty ones, up to the last request
    model: str | None = None
    errors: tuple[LineError, ...] = ()


class _Names:
    """Which names came twice. Eight bytes each: a million are 8 MB."""

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(_BUCKETS)]

    def add(self, name: str) -> None:
        number = _number(name)
        self._buckets[number % _BUCKETS].append(number)

    def twice(self) -> set[int]:
        found: set[int] = set()
        for bucket in self._buckets:
            known = sorted(bucket)
            found.update(one for one, other in pairwise(known) if one == other)
        return found


def _number(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


async def check(path: Path, batch: Batch, limits: Limits, wanted: Callable[[], bool]) -> Checked:
    """Look at every line. OSError; Stopped as soon as it is not `wanted` any more."""
    found, names = Checked(), _Names()
    errors: list[LineError] = []
    async with aclosing(slices(path, limits.max_line)) as pieces:
        async for piece in pieces:
            if not wanted():
                raise Stopped
            errors += _errors_in(piece, batch, found, names)
            if len(errors) >= MAX_ERRORS or found.total > limits.max_requests:
                break
    if found.total > limits.max_requests:
        message = f"A batch may have {limits.max_requests} requests."
        errors = [LineError("too_many_tasks", message)]
    elif not found.total:
        errors = [LineError("empty_file", "The input file holds no request.")]
    elif twice := await asyncio.to_thread(names.twice):
        errors += await _duplicates(path, batch, limits, twice)
    errors.sort(key=lambda each: each.line or 0)
    found.errors = tuple(errors[:MAX_ERRORS])
    return found


def _errors_in(
    piece: list[Line], batch: Batch, found: Checked, names: _Names
) -> Iterator[LineError]:
    for line in piece:
        found.total, found.lines = found.total + 1, line.number
        try:
            asked, request = understood(line, batch)
            names.add(asked.custom_id)
            _same_model(found, model_of(request, line.number), line.number)
        except Unusable as unusable:
            yield unusable.error


def _same_model(found: Checked, model: str, number: int) -> None:
    if found.model is None:
        found.model = model
    elif model != found.model:
        raise Unusable(
            "model_mismatch",
            f"All requests of a batch must have one model: this one has '{model}', those before it"
            f" '{found.model}'.",
            number,
            "body.model",
        )


async def _duplicates(path: Path, batch: Batch, limits: Limits, twice: set[int]) -> list[LineError]:
    """Which lines have a name that an earlier one has."""
    seen: set[int] = set()
    errors: list[LineError] = []
    async with aclosing(slices(path, limits.max_line)) as pieces:
        async for piece in pieces:
            for line in piece:
                try:
                    number = _number(understood(line, batch)[0].custom_id)
                except Unusable:
                    continue
                if number in seen:
                    message = (
                        "The `custom_id` of this request is that of another one: it must be unique in"
                        " a batch."
                    )
                    errors.append(
                        LineError("duplicate_custom_id", message, line.number, "custom_id")
                    )
                elif number in twice:
                    seen.add(number)
            if len(errors) >= MAX_ERRORS:
                break
    return errors
