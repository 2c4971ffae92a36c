"""The place of one worker in a data folder: its name, which outlives it, and a folder of its own."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

SEATS = 256  # workers that may share one data folder


class Seat:
    """Held until it is closed, or the process ends: no two live workers have the same one."""

    def __init__(self, root: Path) -> None:
        """Takes the first free one; OSError if the folder cannot be written. Blocks."""
        for number in range(SEATS):
            self.folder = root / f"worker-{number}"
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "lock").open("a")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                continue
            self.name = _name(self.folder / "name")
            return
        raise OSError(f"{SEATS} workers share {root}")

    def close(self) -> None:
        self._lock.close()


def _name(path: Path) -> str:
    """The same at each start; made at the first."""
    if path.exists() and (known := path.read_text().strip()):
        return known
    name = os.urandom(16).hex()
    written(path, name.encode())
    return name


def written(path: Path, content: bytes) -> None:
    """All of it or nothing, whenever the process dies."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)
