"""The data folder belongs to one `sluice serve` at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataDirUnusable(Exception):
    """Another `sluice serve` uses the data folder, or it cannot be written."""


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold the folder while the block runs; may raise DataDirUnusable.

    A lock of the kernel's: it ends with its process, however that dies, so no stale one can stand.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DataDirUnusable(
            f"the data folder {folder} cannot be used: {error.strerror}; set SLUICE_DATA_DIR"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            raise DataDirUnusable(
                f"another `sluice serve` (process {holder or 'unknown'}) uses the data folder "
                f"{folder}: stop it, or set SLUICE_DATA_DIR (and PORT) to run two"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
