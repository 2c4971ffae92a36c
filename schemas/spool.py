"""The folder in which bodies stand that are too large for the log (`SPOOL_DIR`); all roles share it.

A file is there, whole and under its name, before the record that refers to it is produced, and until
the outcome of its request is recorded. What is left behind by a crash is swept by its age.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import threading
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from schemas.claims import Claim, Stored
from schemas.errors import BodyLost, Overloaded

P = ParamSpec("P")
T = TypeVar("T")

PIECE = 1 << 20  # bytes read or written at once
_PART = ".part"  # of a file that is not whole yet
_PART_AGE = 24 * 3600.0  # seconds: no body is under way so long
_SEEN = ".seen-"


class Writing:
    """A file that is being written: any number of `write`, then `commit` or `abandon`."""

    def __init__(self, folder: Path, name: str) -> None:
        """Makes the file; may block. OSError."""
        self._whole = folder / name
        self._part = folder / f".{name}{_PART}"
        self._file = self._part.open("xb", buffering=0)
        # A cancelled caller does not stop the thread that writes for it: the file must not be closed
        # under it.
        self._busy = threading.Lock()
        self._hash = hashlib.sha256()
        self._pending: list[bytes] = []
        self._pending_size = 0
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Hold it until there is enough for a piece, then write it. Overloaded."""
        self._pending.append(data)
        self._pending_size += len(data)
        self.size += len(data)
        if self._pending_size >= PIECE:
            await self._flush()

    async def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        await _in_thread(self._put, data)

    def _put(self, data: bytes) -> None:
        with self._busy:
            if self._file.closed:
                return  # it was abandoned meanwhile
            self._hash.update(data)
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) or 0 :]

    async def commit(self) -> Claim:
        """Returns when the file is on the disk, under its name. Overloaded."""
        if self._pending:
            await self._flush()
        await _in_thread(self._finish)
        return Claim(self._whole.name, self.size, _written(self._hash.digest()))

    def _finish(self) -> None:
        with self._busy:
            os.fsync(self._file.fileno())
            self._file.close()
        self._part.replace(self._whole)
        _sync_folder(self._whole.parent)

    def abandon(self) -> None:
        """Remove what was written; harmless after `commit`. May block for the length of a write."""
        with self._busy:
            self._file.close()
        with suppress(OSError):
            self._part.unlink()


class Spool:
    """Files in one folder, which is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        """May block. OSError."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def create(self, name: str) -> Writing:
        """A new file. Overloaded."""
        return await _in_thread(Writing, self.folder, name)

    async def verified(self, claim: Claim) -> Stored:
        """Where the body of a claim check stands, whole and unchanged. BodyLost."""
        return await asyncio.to_thread(self._verified, claim)

    def _verified(self, claim: Claim) -> Stored:
        path = self.folder / claim.dataref
        sha = hashlib.sha256()
        size = 0
        try:
            with path.open("rb") as file:
                while data := file.read(PIECE):
                    size += len(data)
                    sha.update(data)
        except OSError as error:
            raise BodyLost(_lost(claim, error.strerror or "unreadable")) from error
        if claim.size is not None and size != claim.size:
            raise BodyLost(_lost(claim, f"{size} bytes instead of {claim.size}"))
        if claim.digest is not None and _written(sha.digest()) != claim.digest:
            raise BodyLost(_lost(claim, "not the bytes that were sent"))
        return Stored(path, size)

    async def pieces(self, stored: Stored) -> AsyncGenerator[bytes, None]:
        """The body, piece by piece. OSError."""
        file = await asyncio.to_thread(stored.path.open, "rb")
        try:
            while data := await asyncio.to_thread(file.read, PIECE):
                yield data
        finally:
            file.close()

    def remove(self, dataref: str) -> None:
        """Nobody needs it any more; it may be gone already. May block."""
        with suppress(OSError):
            (self.folder / dataref).unlink()

    def sweep(self, now: float, age: float) -> int:
        """Remove what is older than `age` seconds at `now` (epoch seconds); how many. May block."""
        swept = 0
        with suppress(OSError):
            for path in self.folder.iterdir():
                limit = min(age, _PART_AGE) if path.suffix == _PART else age
                with suppress(OSError):  # another process may sweep, too
                    if now - path.stat().st_mtime > limit:
                        path.unlink()
                        swept += 1
        return swept

    def sign(self, role: str) -> None:
        """Leave word that a role on this machine has the folder. May block."""
        with suppress(OSError):
            (self.folder / f"{_SEEN}{role}@{socket.gethostname()}").touch()

    def signed(self) -> Iterator[tuple[str, float]]:
        """Which roles on which machines (`role@machine`) have it, and when each said so last (epoch
        seconds). May block. OSError."""
        for path in self.folder.glob(f"{_SEEN}*"):
            yield path.name.removeprefix(_SEEN), path.stat().st_mtime


async def _in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Overloaded if it cannot be written: the disk is full, say, or the folder is gone."""
    try:
        return await asyncio.to_thread(work, *arguments, **named)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Overloaded(
            f"The body cannot be kept in SPOOL_DIR: {reason}.", retry_after=60
        ) from error


def _written(digest: bytes) -> str:
    return f"sha-256=:{b64encode(digest).decode()}:"


def _lost(claim: Claim, reason: str) -> str:
    return (
        f"The body of this request cannot be read from SPOOL_DIR ({claim.dataref}: {reason}):"
        " send it again."
    )


def _sync_folder(folder: Path) -> None:
    """So that the name outlives the machine, too, where the file system has that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
