"""Small files that are replaced whole, and the folder entries that name them."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Replace `path` by `data` atomically, with `sync` also on the disk; raises OSError."""
    draft = path.with_name(path.name + ".tmp")
    with open(draft, "wb") as file:
        file.write(data)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk; without it a new file can vanish with the power."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
