"""Background processes that outlive the script: started, found again, stopped; never a stranger's."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

KILL = signal.SIGKILL
# Only so that a child is reaped and no ResourceWarning is raised where the starter lives on (tests).
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass
class Record:
    """What is remembered of a service, running or not: the ports stay the same after a restart.

    The start time stands beside the pid because pids are given out again.
    """

    pid: int = 0
    started: str = ""
    ports: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Record":
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return cls()

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(path)

    @property
    def alive(self) -> bool:
        child = _children.get(self.pid)
        if child is not None and child.poll() is not None:
            return False
        return self.pid > 0 and bool(self.started) and _start_time(self.pid) == self.started


def spawn(command: Sequence[str], log: Path, folder: Path) -> Record:
    """Start in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )
    _children[child.pid] = child
    return Record(child.pid, _start_time(child.pid))


def stop(record: Record, sign: signal.Signals, seconds: float = 20) -> bool:
    """True if it went by itself, False if it had to be killed after `seconds`."""
    politely = True
    if record.alive:
        os.kill(record.pid, sign)
        politely = _gone(record, seconds)
        if not politely:
            os.kill(record.pid, signal.SIGKILL)
            _gone(record, 5)
    if child := _children.pop(record.pid, None):
        child.wait(5)
    return politely


def _gone(record: Record, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while record.alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def interrupt_descendants() -> None:
    """SIGINT to whatever this process started, and to whatever that started."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    parents = {pid: int(stat[1]) for pid in pids if (stat := _stat(pid))}
    family: set[int] = set()
    generation = {os.getpid()}
    while generation:
        generation = {pid for pid, parent in parents.items() if parent in generation}
        family |= generation
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)


def _start_time(pid: int) -> str:
    """Clock ticks since boot; empty for no process and for a zombie.

    kill(pid, 0) says that a zombie lives, and a container's first process may be slow to reap.
    """
    stat = _stat(pid)
    return "" if not stat or stat[0] in "ZX" else stat[19]


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; empty for no process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The name in brackets may hold spaces and brackets itself; what follows the last one is fixed.
    return text.rpartition(")")[2].split()
