"""The stores of vectors under test, and how each is started, taken away, slowed down and damaged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from streams.caches.vectors.base import VectorStore
from streams.caches.vectors.embedded import Embedded


class Subject(Protocol):
    """One empty store of its own."""

    title: str

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def store(self) -> VectorStore:
        """One more client of it."""
        ...

    async def restart(self) -> None: ...

    def outage(self) -> AbstractAsyncContextManager[None]:
        """Nobody answers inside the block."""
        ...

    def silence(self) -> AbstractAsyncContextManager[VectorStore]:
        """A client of something that takes connections and says nothing."""
        ...

    async def corrupt(self, entry_id: str) -> None:
        """Damage what is kept of one entry."""
        ...


class EmbeddedSubject:
    title = "embedded"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "new" / "vectors"

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def store(self) -> VectorStore:
        return Embedded(self.path, 1_000, 1 << 20)

    async def restart(self) -> None: ...

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        raise NotImplementedError
        yield

    @asynccontextmanager
    async def silence(self) -> AsyncIterator[VectorStore]:
        raise NotImplementedError
        yield

    async def corrupt(self, entry_id: str) -> None:
        data = self.path.read_bytes()
        text = f"text of {entry_id}".encode()
        assert text in data
        self.path.write_bytes(data.replace(text, b"?" * len(text)))


SUBJECTS: Mapping[str, Callable[[Path], Subject]] = {"embedded": EmbeddedSubject}
REMOTE = [name for name in SUBJECTS if name != "embedded"]  # may be away, or slow
