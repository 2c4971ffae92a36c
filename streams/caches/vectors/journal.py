"""A file to which records are appended, and from which what is whole comes back."""

from __future__ import annotations

import fcntl
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from streams.caches.vectors.base import VectorError

MARK = b"\xf5SV1"
_HEAD = struct.Struct("<4sII")  # mark, length, checksum
LONGEST = 64 << 20


class Journal:
    """One process writes it. A record survives the process once `append` returned, and the machine
    once the system wrote its pages: what an answer costs is a call, so that nothing is synced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = path.with_suffix(".lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file: BinaryIO = path.open("ab", buffering=0)
        except BlockingIOError as error:
            self._lock.close()
            raise VectorError(f"embedded: another process uses {path}") from error
        except OSError as error:
            raise VectorError(f"embedded: {path} cannot be opened: {error.strerror}") from error

    def records(self) -> Iterator[bytes]:
        """All that are whole. Behind a damaged one, reading goes on at the next mark."""
        data = self._path.read_bytes()
        at = data.find(MARK)
        while at >= 0:
            payload = _whole(data, at)
            if payload is None:
                at = data.find(MARK, at + 1)
                continue
            yield payload
            at = data.find(MARK, at + _HEAD.size + len(payload))

    def append(self, payload: bytes) -> None:
        """Raises VectorError if the disk does not take it."""
        try:
            self._file.write(_framed(payload))
        except OSError as error:
            raise VectorError(f"embedded: {self._path}: {error.strerror}") from error

    def rewrite(self, payloads: Iterable[bytes]) -> None:
        """Have these records only."""
        partial = self._path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.writelines(map(_framed, payloads))
        partial.replace(self._path)
        self._file.close()
        self._file = self._path.open("ab", buffering=0)

    @property
    def size(self) -> int:
        return self._path.stat().st_size

    def close(self) -> None:
        self._file.close()
        self._lock.close()


def _framed(payload: bytes) -> bytes:
    return _HEAD.pack(MARK, len(payload), zlib.crc32(payload)) + payload


def _whole(data: bytes, at: int) -> bytes | None:
    if at + _HEAD.size > len(data):
        return None
    _, length, checksum = _HEAD.unpack_from(data, at)
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    whole = length <= LONGEST and len(payload) == length and zlib.crc32(payload) == checksum
    return payload if whole else None
