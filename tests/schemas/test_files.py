"""Files that the gateway keeps: whole or not at all, for their owners only, for their time."""

from pathlib import Path

import msgspec
import pytest

from schemas.files import DAY, Files, StoredFile, file_id, is_file_id, uploaded_id, write_file

NOW = 1_800_000_000.0


def about(name: str = "one", **fields: object) -> StoredFile:
    given = {"id": file_id(name), "filename": f"{name}.jsonl", "purpose": "batch", "bytes": 0}
    found = given | {"created_at": int(NOW), "client": "key", "user_path": "/team/a"} | fields
    return msgspec.convert(found, StoredFile)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, 30 * DAY)


def test_a_file_is_found_with_its_size(files: Files) -> None:
    """What was kept is there, byte for byte, and says how long it is."""
    kept = files.keep(about(), [b"abc", b"def"])

    assert files.find(kept.id, "key", "/team/a", NOW) == kept
    assert kept.bytes == 6
    assert files.content(kept).read_bytes() == b"abcdef"


@pytest.mark.parametrize(
    ("client", "path", "seen"),
    [
        ("key", "/team/a", True),
        ("key", "/team", True),
        ("key", "/", True),
        ("key", "/team/b", False),
        ("key", "/team/a/below", False),
        ("other", "/", False),
        (None, "/", False),
    ],
)
def test_only_its_owner_sees_a_file(
    files: Files, client: str | None, path: str, seen: bool
) -> None:
    """The same key from the same user path or one above; for all others there is none, also in a list."""
    kept = files.keep(about(), [b"x"])

    assert (files.find(kept.id, client, path, NOW) is not None) == seen
    assert bool(list(files.listed(client, path, NOW))) == seen


def test_a_file_is_gone_after_its_time(files: Files, tmp_path: Path) -> None:
    """By the retention, or its own expiry if that is sooner; then it is swept with its bytes."""
    kept = files.keep(about(), [b"x"])
    short = files.keep(about("two", expires_at=int(NOW) + 3600), [b"y"])
    later = NOW + 3601

    assert files.find(short.id, "key", "/", later) is None
    assert [each.id for each in files.listed("key", "/", later)] == [kept.id]
    assert files.find(kept.id, "key", "/", NOW + 30 * DAY) is None
    assert files.sweep(later) == 1
    assert files.sweep(NOW + 30 * DAY) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_deleted_file_is_gone(files: Files) -> None:
    """For its owner, too, and with its bytes."""
    kept = files.keep(about(), [b"x"])
    files.delete(kept)
    files.delete(kept)

    assert files.find(kept.id, "key", "/", NOW) is None
    assert not files.content(kept).exists()


def test_the_newest_file_comes_first(files: Files) -> None:
    """As in OpenAI's list."""
    for number in (1, 3, 2):
        files.keep(about(str(number), created_at=int(NOW) + number), [b"x"])

    assert [each.filename[0] for each in files.listed("key", "/", NOW)] == ["3", "2", "1"]


def test_a_file_that_breaks_off_is_none(files: Files, tmp_path: Path) -> None:
    """Neither the file that could not be written whole is there, nor a piece of it."""

    def breaking() -> object:
        yield b"abc"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        files.keep(about(), breaking())  # type: ignore[arg-type]  # a generator that ends so

    assert list(files.listed("key", "/", NOW)) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with pytest.raises(OSError, match="gone"):
        write_file(tmp_path / "name", breaking())  # type: ignore[arg-type]  # as above
    assert list(tmp_path.glob("*name*")) == []


def test_ids_of_files() -> None:
    """An upload's is its request's; any other is made of its parts, the same each time; and a path is none."""
    ours = "0198b2c4-8f1e-7000-9b5d-3c1f0e5a7d21"

    assert uploaded_id(ours) == "file-sluice-0198b2c48f1e70009b5d3c1f0e5a7d21"
    assert uploaded_id("/kafka/some-name") == uploaded_id("/kafka/some-name")
    assert file_id("a", "b") != file_id("a", "c")
    assert all(is_file_id(each) for each in (uploaded_id(ours), uploaded_id("x"), file_id("a")))
    assert not any(map(is_file_id, ("file-abc", "../x", "file-sluice-../../../etc/passwd")))
