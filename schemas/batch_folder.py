"""Batches on the disk, in the folder that all roles share.

`<owner>/<id>.json` is what is known of a batch; whoever holds its lock writes it, whole each time.
`open/<id>/` is there until it has ended: its input, its lock, the wish to cancel it, the results of its
lines.
The methods block: they are called in a thread. OSError if the folder cannot be used.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from schemas.batch_lines import is_batch_id
from schemas.batches import Batch
from schemas.files import owner_of, remove_folder, write_file
from schemas.kept import may_read

_OPEN = "open"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Batch).decode


class BatchFolder:
    """All batches."""

    def __init__(self, folder: Path, retention: float) -> None:
        """`retention`: seconds after which a batch that has ended is forgotten; 0: never."""
        self._folder = folder
        self._retention = retention

    def create(self, batch: Batch, source: Path) -> Batch:
        """The batch as it stands: if it was made before, as it is by now. `source`: its input file, which
        may be deleted after that."""
        path = self._path(batch)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self._read(path)
        if found is None:
            write_file(path, (_encode(batch),))
            found = batch
        if not found.ended:
            self.parts(batch.id).mkdir(parents=True, exist_ok=True, mode=0o700)
            _link(source, self.input(batch.id))
            write_file(self._about(batch.id, "owner"), (owner_of(batch.client).encode(),))
        return found

    def find(self, name: str, client: str | None, user_path: str) -> Batch | None:
        """None if there is none of that id, or if it is somebody else's."""
        if not is_batch_id(name):
            return None
        found = self._read(self._folder / owner_of(client) / f"{name}.json")
        if found is None or not may_read(found, client, user_path):
            return None
        return self._as_told(found)

    def listed(self, client: str | None, user_path: str) -> Iterator[Batch]:
        """Those of a caller, the newest first."""
        folder = self._folder / owner_of(client)
        for path in sorted(folder.glob("*.json"), reverse=True):  # their ids are time-ordered
            found = self._read(path)
            if found is not None and may_read(found, client, user_path):
                yield self._as_told(found)

    def _as_told(self, batch: Batch) -> Batch:
        """A wish to cancel it counts as soon as it is there."""
        if batch.status in ("validating", "in_progress"):
            wished = self.cancelled_at(batch.id)
            if wished is not None:
                batch.status, batch.cancelling_at = "cancelling", wished
        return batch

    # -- of those that have not ended

    def open(self) -> list[str]:
        """The ids of those that have not ended, the oldest first."""
        folder = self._folder / _OPEN
        with suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(folder) if is_batch_id(name))
        return []

    def load(self, name: str) -> Batch | None:
        """One that has not ended; None if it has, or is not whole yet."""
        try:
            owner = self._about(name, "owner").read_text()
        except FileNotFoundError:
            return None
        return self._read(self._folder / owner / f"{name}.json")

    def save(self, batch: Batch) -> None:
        """Only for who holds its lock."""
        write_file(self._path(batch), (_encode(batch),))

    def input(self, name: str) -> Path:
        """Its input file."""
        return self._about(name, "input")

    def parts(self, name: str) -> Path:
        """The folder in which the results of its lines come in."""
        return self._about(name, "parts")

    def is_open(self, name: str) -> bool:
        """Whether its lines are to be called: it was not ended, and nobody wants it cancelled."""
        return self._about(name, "owner").exists() and not self._about(name, "cancel").exists()

    def cancel(self, name: str, now: int) -> None:
        """Ask for its end; nothing if it has ended."""
        with suppress(FileNotFoundError):
            if not self._about(name, "cancel").exists():
                write_file(self._about(name, "cancel"), (b"%d" % now,))

    def cancelled_at(self, name: str) -> int | None:
        """When its end was asked for, in epoch seconds; None if nobody did."""
        try:
            return int(self._about(name, "cancel").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def lock(self, name: str) -> int | None:
        """Take it, to be the only one that works on it: the descriptor to be closed after that. None if
        another process has it; the lock of one that dies is free."""
        try:
            descriptor = os.open(self._about(name, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def close(self, name: str) -> None:
        """It has ended."""
        self._about(name, "owner").unlink(missing_ok=True)
        remove_folder(self._folder / _OPEN / name)

    def sweep(self, now: float) -> int:
        """Forget what ended long ago; how many."""
        swept = 0
        for path in self._folder.glob("*/batch_sluice_*.json") if self._retention else ():
            found = self._read(path)
            if found is not None and found.ended and found.created_at + self._retention <= now:
                path.unlink(missing_ok=True)
                swept += 1
        return swept

    def _about(self, name: str, what: str) -> Path:
        return self._folder / _OPEN / name / what

    def _path(self, batch: Batch) -> Path:
        return self._folder / owner_of(batch.client) / f"{batch.id}.json"

    def _read(self, path: Path) -> Batch | None:
        try:
            return _decode(path.read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def _link(source: Path, to: Path) -> None:
    """The same bytes under a second name; a copy where a folder cannot have that."""
    if to.exists():
        return
    try:
        os.link(source, to)
    except FileNotFoundError:
        raise
    except OSError:
        with source.open("rb") as file:
            write_file(to, iter(lambda: file.read(1 << 20), b""))
