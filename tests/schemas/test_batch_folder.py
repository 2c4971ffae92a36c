"""Batches on the disk: who sees them, who works on them, what is left of them."""

import os
from pathlib import Path

import pytest

from schemas.batch_folder import BatchFolder
from schemas.batches import Batch, batch_id
from schemas.files import DAY

NOW = 1_800_000_000


def batch(number: int = 1, **fields: object) -> Batch:
    found = Batch(
        id=batch_id(f"0198b2c4-8f1e-7000-9b5d-3c1f0e5a7d{number:02d}"),
        endpoint="/v1/chat/completions",
        input_file_id="file-1",
        completion_window="24h",
        created_at=NOW + number,
        expires_at=NOW + 86_400,
        client="key",
        user_path="/team",
    )
    for name, value in fields.items():
        setattr(found, name, value)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> BatchFolder:
    return BatchFolder(tmp_path / "batches", 30 * DAY)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "input.jsonl"
    path.write_bytes(b"{}\n")
    return path


def test_a_batch_is_made_once(folder: BatchFolder, source: Path) -> None:
    """Made again, it is as it is by now; one that has ended is not begun again."""
    folder.create(batch(), source)
    begun = batch(status="in_progress", total=5)
    folder.save(begun)

    assert folder.create(batch(), source).total == 5
    ended = batch(status="completed")
    folder.save(ended)
    folder.close(ended.id)
    assert folder.create(batch(), source).status == "completed"
    assert folder.open() == []


def test_its_input_may_be_deleted(folder: BatchFolder, source: Path) -> None:
    """A batch that is under way has it all the same."""
    made = folder.create(batch(), source)
    source.unlink()

    assert folder.input(made.id).read_bytes() == b"{}\n"


@pytest.mark.parametrize(
    ("client", "path", "seen"),
    [("key", "/team", True), ("key", "/", True), ("key", "/other", False), (None, "/", False)],
)
def test_only_its_owner_sees_a_batch(
    folder: BatchFolder, source: Path, client: str | None, path: str, seen: bool
) -> None:
    """By its id as in a list."""
    made = folder.create(batch(), source)

    assert (folder.find(made.id, client, path) is not None) == seen
    assert bool(list(folder.listed(client, path))) == seen


def test_the_newest_batch_comes_first(folder: BatchFolder, source: Path) -> None:
    """As in OpenAI's list; who looks for work begins with the oldest."""
    made = [folder.create(batch(number), source).id for number in (2, 1, 3)]

    assert [each.id for each in folder.listed("key", "/")] == sorted(made, reverse=True)
    assert folder.open() == sorted(made)


def test_who_cancels_sees_it_at_once(folder: BatchFolder, source: Path) -> None:
    """Also before anybody works on it; the first wish counts, and what has ended has none."""
    made = folder.create(batch(), source)
    assert folder.is_open(made.id)
    folder.cancel(made.id, NOW + 5)
    folder.cancel(made.id, NOW + 9)
    found = folder.find(made.id, "key", "/")

    assert found is not None
    assert (found.status, found.cancelling_at) == ("cancelling", NOW + 5)
    assert not folder.is_open(made.id)
    folder.close(made.id)
    folder.cancel(made.id, NOW + 10)
    assert folder.cancelled_at(made.id) is None
    assert not folder.is_open(made.id)


def test_one_works_on_a_batch(folder: BatchFolder, source: Path) -> None:
    """Who has its lock has it alone, until it lets go; of what is not there nobody has one."""
    made = folder.create(batch(), source)
    mine = folder.lock(made.id)
    assert mine is not None
    assert folder.lock(made.id) is None
    os.close(mine)
    again = folder.lock(made.id)
    assert again is not None
    os.close(again)
    folder.close(made.id)
    assert folder.lock(made.id) is None
    assert folder.load(made.id) is None


def test_what_ended_long_ago_is_forgotten(folder: BatchFolder, source: Path) -> None:
    """And nothing that is under way."""
    folder.create(batch(1), source)
    folder.create(batch(2), source)
    folder.save(batch(2, status="completed"))
    later = NOW + 31 * DAY

    assert folder.sweep(NOW) == 0
    assert folder.sweep(later) == 1
    assert [each.status for each in folder.listed("key", "/")] == ["validating"]
