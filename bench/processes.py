"""CPU and memory of processes, from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its reaped children's included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICK


def memory(pid: int) -> tuple[float, float]:
    """RSS and PSS in MB. PSS shares out what processes have in common, as libraries."""
    found = {"Rss": 0, "Pss": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0])
    return found["Rss"] / 1024, found["Pss"] / 1024


def children(parent: int) -> dict[int, list[str]]:
    """Command lines of the direct children by pid."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                found[int(entry.name)] = command.rstrip("\0").split("\0")
        except OSError:
            continue
    return found


@dataclass(frozen=True)
class Spent:
    """What was used between two looks, in seconds of CPU."""

    wall: float
    by_name: Mapping[str, float]
    foreign_cores: float  # used meanwhile by what is no part of the measurement

    def of(self, names: Iterable[str]) -> float:
        return sum(self.by_name.get(name, 0.0) for name in names)


class Meter:
    """Looks at the CPU of some processes, and at the machine's."""

    def __init__(self, pids: Mapping[str, int], ours: Iterable[int]) -> None:
        """`pids` are told apart by name; `ours` also belong to the measurement (provider, load)."""
        self._pids = dict(pids)
        self._ours = {*ours, os.getpid()}
        self._wall = time.monotonic()
        self._busy = _busy_seconds()
        self._named = self._read()
        self._rest = sum(cpu_seconds(pid) for pid in self._ours)

    def _read(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def stop(self) -> Spent:
        wall = time.monotonic() - self._wall
        named = {name: now - self._named[name] for name, now in self._read().items()}
        rest = sum(cpu_seconds(pid) for pid in self._ours) - self._rest
        foreign = _busy_seconds() - self._busy - rest - sum(named.values())
        return Spent(wall, named, max(0.0, foreign / wall))


def _busy_seconds() -> float:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK
