"""The place of a worker in a data folder."""

from __future__ import annotations

from pathlib import Path

from streams.caches.meaning.seat import Seat


def test_no_two_workers_have_one(tmp_path: Path) -> None:
    """Each live one has a folder and a name of its own, and whoever comes after it has both again."""
    first, second = Seat(tmp_path), Seat(tmp_path)
    assert first.folder != second.folder
    assert first.name != second.name
    first.close()
    again = Seat(tmp_path)
    assert (again.folder, again.name) == (first.folder, first.name)
    again.close()
    second.close()
