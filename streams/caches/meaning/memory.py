"""Where it is kept what decisions learnt: in files that the workers of one machine share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from typing_extensions import override

from schemas.clock import Clock
from streams.caches.meaning.seat import written

T = TypeVar("T")

KEPT = 30 * 24 * 3600.0  # seconds after its last use


class MemoryUnavailable(Exception):
    """It cannot be read or written now; the message says why."""


class Memory(Protocol):
    """One state for each worker and namespace. All but `close` may raise MemoryUnavailable."""

    async def load(self, namespace: str) -> Sequence[bytes]:
        """What every worker saved last."""
        ...

    async def save(self, namespace: str, worker: str, state: bytes) -> None:
        """In place of what this worker saved before."""
        ...

    async def forget(self) -> None:
        """What was not saved for KEPT seconds."""
        ...

    async def close(self) -> None: ...


class Files(Memory):
    """A folder for each namespace, a file for each worker."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock

    @override
    async def load(self, namespace: str) -> Sequence[bytes]:
        return await _tried(self._load, namespace)

    def _load(self, namespace: str) -> list[bytes]:
        folder = self._root / namespace
        if not folder.is_dir():
            return []
        return [path.read_bytes() for path in sorted(folder.iterdir()) if not path.suffix]

    @override
    async def save(self, namespace: str, worker: str, state: bytes) -> None:
        await _tried(self._save, namespace, worker, state)

    def _save(self, namespace: str, worker: str, state: bytes) -> None:
        folder = self._root / namespace
        folder.mkdir(parents=True, exist_ok=True)
        written(folder / worker, state)

    @override
    async def forget(self) -> None:
        await _tried(self._forget)

    def _forget(self) -> None:
        if not self._root.is_dir():
            return
        oldest = self._clock.time() - KEPT
        for path in self._root.glob("*/*"):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    @override
    async def close(self) -> None:
        """Nothing is open."""


async def _tried(work: Callable[..., T], *arguments: object) -> T:
    try:
        return await asyncio.to_thread(work, *arguments)
    except OSError as error:
        raise MemoryUnavailable(f"{error.strerror}: {error.filename}") from error
