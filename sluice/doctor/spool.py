"""Checks of the folder of large bodies: there, writable, and shared as far as can be seen from here."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from schemas.spool import Spool
from sluice.doctor.finding import Finding
from sluice.settings import Settings, kafka, spool

_SUBJECT = "large bodies"
_MOUNTS = Path("/proc/self/mounts")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "beegfs", "9p", "afs")


async def check_spool(settings: Settings) -> list[Finding]:
    """Nothing is said of the one that `sluice serve` makes for itself."""
    if (given := settings[spool.SPOOL_DIR]) is None:
        return []
    folder = Path(given)
    problem = await asyncio.to_thread(_unusable, folder)
    if problem:
        mend = "Make SPOOL_DIR a folder that all roles share, on every machine, and may write."
        return [Finding(_SUBJECT, "wrong", f"{folder}: {problem}", mend)]
    kind = await asyncio.to_thread(_file_system, folder)
    roles = await asyncio.to_thread(lambda: sorted(name for name, _ in Spool(folder).signed()))
    detail = f"{folder} can be written and read" + (f", on {kind}" if kind else "")
    if roles:
        detail += f"; it is used by {', '.join(roles)}"
    machines = {name.partition("@")[2] for name in roles}
    shared = kind.startswith((*_NETWORK, "fuse")) or len(machines) > 1
    if shared or not kind or settings[kafka.BOOTSTRAP_SERVERS] is None:
        return [Finding(_SUBJECT, "ok", detail)]
    mend = "If roles run on several machines, put it on a file system that all of them mount."
    return [Finding(_SUBJECT, "note", f"{detail}, a disk of this machine", mend)]


def _unusable(folder: Path) -> str | None:
    if not folder.is_dir():
        return "no folder"
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"x")
            file.flush()
            if Path(file.name).read_bytes() != b"x":
                return "it gives back something else than was written"
    except OSError as error:
        return error.strerror or str(error)
    return None


def _file_system(folder: Path) -> str:
    """The type of the file system that it is on; empty where the system does not tell."""
    path = folder.resolve()
    found = ("", "")
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        _, mounted, kind, *_ = line.split(" ")
        if path.is_relative_to(mounted) and len(mounted) >= len(found[0]):
            found = (mounted, kind)
    return found[1]
