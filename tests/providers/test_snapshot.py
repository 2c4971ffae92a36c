"""Lists of models over a restart."""

from pathlib import Path

import pytest

from providers import snapshot
from providers.catalog import Listed
from providers.snapshot import Kept

KEPT = {"openai": Kept("https://h/models", (Listed("a", 5), Listed("b")))}


def test_saved_and_loaded(tmp_path: Path) -> None:
    """What is saved is loaded; saving again replaces it and leaves no other file."""
    folder = tmp_path / "deep" / "folder"
    snapshot.save(folder, {})
    snapshot.save(folder, KEPT)
    assert snapshot.load(folder) == KEPT
    assert [path.name for path in folder.iterdir()] == [snapshot.FILE_NAME]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a":{"models":[{}]}}', b"\xff"])
def test_unreadable(tmp_path: Path, content: bytes) -> None:
    """A snapshot that cannot be read, or is not there, is an empty one."""
    (tmp_path / snapshot.FILE_NAME).write_bytes(content)
    assert snapshot.load(tmp_path) == {}
    assert snapshot.load(tmp_path / "absent") == {}


def test_failed_save_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the new file cannot be put in place, the old one stays and nothing is left behind."""
    snapshot.save(tmp_path, KEPT)

    def refuse(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="no space"):
        snapshot.save(tmp_path, {})
    assert snapshot.load(tmp_path) == KEPT
    assert len(list(tmp_path.iterdir())) == 1
