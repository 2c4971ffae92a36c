"""The journal: the last value of a key holds, through restarts, torn lines and full disks."""

import asyncio
import resource
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sluice.broker.journal import Journal
from tests.sluice.broker.support import HandClock, a_store


def opened(tmp_path: Path, clock: HandClock) -> Journal:
    store = a_store(tmp_path, clock)
    return Journal(tmp_path / "j.log", store.disk, store.syncer)


def content(journal: Journal) -> dict[Any, Any]:
    return {key: msgspec.json.decode(value) for key, value in journal.items()}


def test_the_last_value_holds(tmp_path: Path, clock: HandClock) -> None:
    """Values are replaced and removed, and a restart sees the same."""
    journal = opened(tmp_path, clock)
    journal.put({("a", 1): 1, ("b",): [2]})
    journal.put({("a", 1): {"x": "ü"}, ("c",): 3, ("b",): None})
    assert content(journal) == content(opened(tmp_path, clock)) == {("a", 1): {"x": "ü"}, ("c",): 3}


@pytest.mark.parametrize("torn", [b'[["a"],', b"\0" * 300, b"\xff\xfe\n"])
def test_torn_lines_are_skipped(tmp_path: Path, clock: HandClock, torn: bytes) -> None:
    """Half-written lines lose only themselves, wherever they stand."""
    opened(tmp_path, clock).put({("a",): 1})
    path = tmp_path / "j.log"
    path.write_bytes(path.read_bytes() + torn + b'\n[["z"],9]\n' + torn)
    assert content(opened(tmp_path, clock)) == {("a",): 1, ("z",): 9}


def test_a_full_disk_changes_nothing(tmp_path: Path, clock: HandClock) -> None:
    """A write that does not fit raises, and neither the memory nor the file has it."""
    journal = opened(tmp_path, clock)
    journal.put({("a",): 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, hard))
    try:
        with pytest.raises(OSError, match=r"too large|short write"):
            journal.put({("a",): "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.put({("b",): 2})
    assert content(journal) == content(opened(tmp_path, clock)) == {("a",): 1, ("b",): 2}


async def test_a_rewrite_loses_nothing(tmp_path: Path, clock: HandClock) -> None:
    """The file shrinks to its live lines; what is written meanwhile and afterwards is in it."""
    journal = opened(tmp_path, clock)
    for i in range(500):
        journal.put({("a", i % 5): "x" * 1000 + str(i)})
    rewriting = asyncio.get_running_loop().create_task(journal.rewrite())
    await asyncio.sleep(0)  # it begins
    journal.put({("late",): 1, ("a", 0): None})
    await rewriting
    journal.put({("later",): 2})
    assert (tmp_path / "j.log").stat().st_size < 20_000
    expected = content(journal)
    assert (expected[("late",)], expected[("later",)]) == (1, 2)
    assert ("a", 0) not in expected
    assert content(opened(tmp_path, clock)) == expected
