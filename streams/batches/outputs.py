"""The end of a batch: its results become an output file and an error file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from schemas.batches import Batch, Tokens
from schemas.files import Files, StoredFile, file_id
from streams.batches.results import Reading, Result, cancelled, expired

_PIECE = 1 << 20  # bytes


class _Name(Struct):
    custom_id: str = ""


_name = msgspec.json.Decoder(_Name).decode


class Outputs(Struct, kw_only=True):
    """What they hold."""

    output_file_id: str | None = None
    error_file_id: str | None = None
    completed: int = 0
    failed: int = 0
    tokens: Tokens = msgspec.field(default_factory=Tokens)


def write_outputs(
    files: Files, batch: Batch, parts: Path, source: Path | None, now: int
) -> Outputs:
    """Write both, each if it has a line; what was written before is replaced. Blocks. OSError.

    `source`: the input file, of a batch that ended before all its lines did. Those without a result get
    one that says so.
    """
    found, reading = Outputs(), Reading(parts)
    for succeeded, kind in ((True, "output"), (False, "error")):
        name = file_id(batch.id, kind)
        about = StoredFile(
            id=name,
            filename=f"{batch.id}_{kind}.jsonl",
            purpose="batch_output",
            bytes=0,
            created_at=now,
            client=batch.client,
            user_path=batch.user_path,
        )
        lines = _counted(found, _of_kind(parts, succeeded=succeeded))
        if not succeeded and source is not None:
            for _ in reading.all():
                pass
            lines = _chained(lines, _counted(found, _left_over(batch, reading, source)))
        count_before = found.completed + found.failed
        stored = files.keep(about, _pieces(lines))
        if found.completed + found.failed == count_before:
            files.delete(stored)
        elif succeeded:
            found.output_file_id = name
        else:
            found.error_file_id = name
    return found


def _of_kind(parts: Path, *, succeeded: bool) -> Iterator[Result]:
    return (each for each in Reading(parts).all() if each.succeeded == succeeded)


def _left_over(batch: Batch, reading: Reading, source: Path) -> Iterator[Result]:
    """The lines of the input that have no result."""
    made = expired if batch.cancelling_at is None else cancelled
    with source.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if raw.strip() and number not in reading.marks:
                yield made(number, _name(raw).custom_id, f"{batch.id}_{number}")


def _counted(found: Outputs, results: Iterator[Result]) -> Iterator[bytes]:
    for result in results:
        found.completed += result.succeeded
        found.failed += not result.succeeded
        found.tokens = added(found.tokens, result.tokens)
        yield result.line


def added(one: Tokens, other: Tokens) -> Tokens:
    """The sum."""
    return Tokens(
        one.input_tokens + other.input_tokens,
        one.cached_input_tokens + other.cached_input_tokens,
        one.output_tokens + other.output_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
    )


def _chained(*lines: Iterator[bytes]) -> Iterator[bytes]:
    for each in lines:
        yield from each


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Some at once: a write for each line of a million would take its time."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        held += (line, b"\n")
        size += len(line) + 1
        if size >= _PIECE:
            yield b"".join(held)
            held.clear()
            size = 0
    yield b"".join(held)
