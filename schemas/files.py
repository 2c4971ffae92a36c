"""Files that the gateway itself keeps for its callers, in the folder that all roles share.

Of each there are its bytes and, written after them, what is known of it: it is there when that is.
The methods block: they are called in a thread.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct

from schemas.kept import may_read

KEEPER = (
    "sluice"  # the provider's name by which the gateway is chosen as the one that keeps and runs
)
DAY = 86_400.0  # seconds
_ID = re.compile(r"file-sluice-[0-9a-f]{32}")
_PART = ".part"  # of what is not whole yet
_encode = msgspec.json.Encoder().encode


class StoredFile(Struct, frozen=True, kw_only=True):
    """What is known of a file."""

    id: str
    filename: str
    purpose: str
    bytes: int
    created_at: int  # epoch seconds
    client: str | None = None  # name of the key
    user_path: str = "/"
    expires_at: int | None = None  # epoch seconds

    def shown(self) -> dict[str, object]:
        """OpenAI's object."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.bytes,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
            "provider": KEEPER,
        }


_decode = msgspec.json.Decoder(StoredFile).decode


def file_id(*of: str) -> str:
    """The id of the file that is made of these: the same each time."""
    return f"file-sluice-{blake2b('/'.join(of).encode(), digest_size=16).hexdigest()}"


def uploaded_id(request_id: str) -> str:
    """The id of the file that a request brings: time-ordered, as the request's."""
    plain = request_id.replace("-", "")
    named = f"file-sluice-{plain}"
    return named if _ID.fullmatch(named) else file_id(request_id)


def is_file_id(name: str) -> bool:
    """Whether it is, or was, a file of the gateway's own."""
    return _ID.fullmatch(name) is not None


def owner_of(client: str | None) -> str:
    """The folder of a key's files and batches; who has no key shares one with those who have none."""
    return blake2b(f"{client is not None}/{client}".encode(), digest_size=12).hexdigest()


class Files:
    """All of them. OSError if the folder cannot be used."""

    def __init__(self, folder: Path, retention: float) -> None:
        """`retention`: seconds after which a file is gone; 0: never."""
        self._folder = folder
        self._retention = retention

    def find(self, name: str, client: str | None, user_path: str, now: float) -> StoredFile | None:
        """None if there is none of that id, or if it is somebody else's."""
        if not is_file_id(name):
            return None
        found = self._read(self._about(name, client))
        if found is None or not may_read(found, client, user_path) or self._gone(found, now):
            return None
        return found

    def listed(self, client: str | None, user_path: str, now: float) -> Iterator[StoredFile]:
        """Those of a caller, the newest first."""
        folder = self._folder / owner_of(client)
        found = [each for path in folder.glob("*.json") if (each := self._read(path)) is not None]
        found.sort(key=lambda each: (each.created_at, each.id), reverse=True)
        for each in found:
            if may_read(each, client, user_path) and not self._gone(each, now):
                yield each

    def content(self, file: StoredFile) -> Path:
        """Where its bytes stand."""
        return self._content(file.id, file.client)

    def _content(self, name: str, client: str | None) -> Path:
        return self._folder / owner_of(client) / f"{name}.data"

    def _about(self, name: str, client: str | None) -> Path:
        return self._folder / owner_of(client) / f"{name}.json"

    def keep(self, file: StoredFile, pieces: Iterable[bytes]) -> StoredFile:
        """Returns when it is on the disk, with its size. The same id again replaces it."""
        path = self._content(file.id, file.client)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        size = write_file(path, pieces)
        kept = msgspec.structs.replace(file, bytes=size)
        write_file(self._about(file.id, file.client), (_encode(kept),))
        return kept

    def delete(self, file: StoredFile) -> None:
        """For good."""
        with suppress(FileNotFoundError):
            self._about(file.id, file.client).unlink()
        with suppress(FileNotFoundError):
            self.content(file).unlink()

    def sweep(self, now: float) -> int:
        """Delete what is kept no longer; how many."""
        swept = 0
        for path in self._folder.glob("*/*.json"):
            found = self._read(path)
            if found is not None and self._gone(found, now):
                self.delete(found)
                swept += 1
        for path in self._folder.glob(f"*/*{_PART}"):
            with suppress(OSError):  # of somebody who died while he wrote it
                if now - path.stat().st_mtime > DAY:
                    path.unlink()
        return swept

    def _gone(self, file: StoredFile, now: float) -> bool:
        if file.expires_at is not None and file.expires_at <= now:
            return True
        return bool(self._retention) and file.created_at + self._retention <= now

    def _read(self, path: Path) -> StoredFile | None:
        try:
            return _decode(path.read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def write_file(path: Path, pieces: Iterable[bytes]) -> int:
    """Write a file whole or not at all, whatever stood there before; its size. OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    try:
        with part.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return size


def remove_folder(folder: Path) -> None:
    """With all that is in it; some of it may be gone already."""
    shutil.rmtree(folder, ignore_errors=True)
