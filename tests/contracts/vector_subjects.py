"""The stores of vectors under test, and how each is started, taken away, slowed down and damaged."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
import asyncpg
from qdrant_client import AsyncQdrantClient

from streams.caches.vectors.base import VectorStore
from streams.caches.vectors.embedded import Embedded
from streams.caches.vectors.payload import name_of
from streams.caches.vectors.pgvector import PgVector
from streams.caches.vectors.pinecone import Pinecone
from streams.caches.vectors.qdrant import COLLECTION, Qdrant
from streams.caches.vectors.weaviate import Weaviate
from tests.contracts.pinecone_server import KEY, PineconeServer
from tests.services import OwnService, endpoint, endpoints, free_port


class Subject(Protocol):
    """One empty store of its own."""

    title: str

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def store(self) -> VectorStore:
        """One more client of it."""
        ...

    async def restart(self) -> None: ...

    async def own_server(self) -> None:
        """From here on a server that nobody else uses, so that it can be taken away."""
        ...

    def outage(self) -> AbstractAsyncContextManager[None]:
        """Nobody answers inside the block."""
        ...

    def silent(self, port: int) -> VectorStore:
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

    async def own_server(self) -> None: ...

    def store(self) -> VectorStore:
        return Embedded(self.path, 1_000, 1 << 20)

    async def restart(self) -> None: ...

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        raise NotImplementedError
        yield

    def silent(self, port: int) -> VectorStore:
        raise NotImplementedError

    async def corrupt(self, entry_id: str) -> None:
        data = self.path.read_bytes()
        text = f"text of {entry_id}".encode()
        assert text in data
        self.path.write_bytes(data.replace(text, b"?" * len(text)))


class PostgresSubject:
    """A table of its own; a server of its own where one is taken away."""

    title = "pgvector"

    def __init__(self, folder: Path) -> None:
        self.url = endpoint("POSTGRES_URL")
        self.table = f"t{secrets.token_hex(6)}"
        self.own = OwnService("postgres", folder / "postgres")

    async def start(self) -> None: ...

    async def stop(self) -> None:
        if self.own.pid:
            await asyncio.to_thread(self.own.erase)
        else:
            await self._execute(f"DROP TABLE IF EXISTS {self.table}")

    def store(self) -> VectorStore:
        return PgVector(self.url, self.table)

    async def own_server(self) -> None:
        await asyncio.to_thread(self.own.start)
        self.url = self.own.endpoints["POSTGRES_URL"]

    async def restart(self) -> None:
        if self.own.pid:
            await asyncio.to_thread(self.own.kill)
            await asyncio.to_thread(self.own.start)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self.own.kill)
        yield
        await asyncio.to_thread(self.own.start)

    def silent(self, port: int) -> VectorStore:
        return PgVector(f"postgresql://sluice@127.0.0.1:{port}/postgres", self.table)

    async def corrupt(self, entry_id: str) -> None:
        await self._execute(
            f"UPDATE {self.table} SET payload = 'x' || payload WHERE name = $1",
            name_of("n", entry_id),
        )

    async def _execute(self, *statement: str) -> None:
        connection = await asyncpg.connect(self.url)
        await connection.execute(*statement)
        await connection.close()


class WeaviateSubject:
    """A class of its own; a server of its own where one is taken away."""

    title = "weaviate"

    def __init__(self, folder: Path) -> None:
        self.url, self.grpc = endpoint("WEAVIATE_URL"), endpoints()["WEAVIATE_GRPC"]
        self.name = f"T{secrets.token_hex(6)}"
        self.own = OwnService("weaviate", folder / "weaviate")

    async def start(self) -> None: ...

    async def stop(self) -> None:
        if self.own.pid:
            await asyncio.to_thread(self.own.erase)
            return
        where = f"{self.url}/v1/schema/{self.name}"
        async with aiohttp.ClientSession() as session, session.delete(where):
            pass

    def store(self) -> VectorStore:
        return Weaviate(self.url, collection=self.name, grpc=self.grpc)

    async def own_server(self) -> None:
        await asyncio.to_thread(self.own.start)
        self.url, self.grpc = (
            self.own.endpoints[name] for name in ("WEAVIATE_URL", "WEAVIATE_GRPC")
        )

    # Politely: kill -9 costs it what it has buffered and not yet written.
    async def restart(self) -> None:
        if self.own.pid:
            await asyncio.to_thread(self.own.stop)
            await asyncio.to_thread(self.own.start)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self.own.stop)
        yield
        await asyncio.to_thread(self.own.start)

    def silent(self, port: int) -> VectorStore:
        return Weaviate(f"http://127.0.0.1:{port}", grpc=f"localhost:{port}")

    async def corrupt(self, entry_id: str) -> None:
        where = f"{self.url}/v1/objects/{self.name}/{name_of('n', entry_id)}"
        body = {"class": self.name, "properties": {"payload": "!"}}
        async with aiohttp.ClientSession() as session, session.patch(where, json=body) as answer:
            assert answer.status == 204, await answer.text()


class QdrantSubject:
    """The client's local mode: no server can be had without containers."""

    title = "qdrant"

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder / "qdrant")

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def own_server(self) -> None: ...

    def store(self) -> VectorStore:
        return Qdrant(self.folder)

    async def restart(self) -> None: ...

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        raise NotImplementedError
        yield

    def silent(self, port: int) -> VectorStore:
        return Qdrant(f"http://127.0.0.1:{port}")

    async def corrupt(self, entry_id: str) -> None:
        client = AsyncQdrantClient(path=self.folder)
        await client.set_payload(COLLECTION, {"payload": 7}, [name_of("n", entry_id)])
        await client.close()


class PineconeSubject:
    """A local server that speaks the documented API."""

    title = "pinecone"

    def __init__(self, folder: Path) -> None:
        self.server = PineconeServer(free_port())

    async def start(self) -> None:
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()

    async def own_server(self) -> None: ...

    def store(self) -> VectorStore:
        return Pinecone(self.server.url, KEY)

    async def restart(self) -> None:
        await self.server.stop()
        await self.server.start()

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        await self.server.stop()
        yield
        await self.server.start()

    def silent(self, port: int) -> VectorStore:
        return Pinecone(f"http://127.0.0.1:{port}", KEY)

    async def corrupt(self, entry_id: str) -> None:
        self.server.spaces["sluice"][name_of("n", entry_id)]["metadata"]["payload"] = "AAAA"


SUBJECTS: Mapping[str, Callable[[Path], Subject]] = {
    "embedded": EmbeddedSubject,
    "pgvector": PostgresSubject,
    "weaviate": WeaviateSubject,
    "qdrant": QdrantSubject,
    "pinecone": PineconeSubject,
}
REMOTE = [name for name in SUBJECTS if name != "embedded"]  # may be slow
SERVERS = [name for name in REMOTE if name != "qdrant"]  # may be away
