"""Qdrant, by its own client (`sluice[qdrant]`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from streams.caches.vectors.base import (
    All,
    ById,
    ByLabel,
    ByNamespace,
    Entry,
    Expired,
    Neighbour,
    Selection,
    Vector,
    VectorError,
    VectorStore,
)
from streams.caches.vectors.opening import Opening
from streams.caches.vectors.payload import Row, name_of, packed, sound

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient
    from qdrant_client.models import Condition, FilterSelector, PointIdsList

COLLECTION = "sluice_semantic_cache"
SECONDS = 30  # the caller's own deadline is shorter


class Qdrant(VectorStore):
    """One collection. Filters are applied while it searches, so that nothing is in anybody's way."""

    def __init__(self, url: str, api_key: str | None = None, collection: str = COLLECTION) -> None:
        """`url` is the server's address; a path of this machine stands for the client's local mode,
        which is slow and for tests."""
        self._url = url
        self._api_key = api_key
        self._collection = collection
        self._client = Opening(self._open)

    @override
    async def search(
        self, namespace: str, vector: Vector, count: int, now: float
    ) -> Sequence[Neighbour]:
        async with self._ready(len(vector)) as client:
            from qdrant_client import models

            wanted = models.Filter(
                must=[
                    _equals("namespace", namespace),
                    models.FieldCondition(key="expires", range=models.Range(gt=now)),
                ]
            )

            async def rows() -> Iterable[Row]:
                answer = await client.query_points(
                    self._collection,
                    query=vector.tolist(),
                    query_filter=wanted,
                    limit=count,
                    with_payload=["payload"],
                )
                return [
                    Row(str(point.id), (point.payload or {}).get("payload"), point.score)
                    for point in answer.points
                ]

            async def forget(names: Sequence[str]) -> None:
                await client.delete(
                    self._collection, models.PointIdsList(points=list(names)), wait=True
                )

            return await sound(rows, forget)

    @override
    async def add(self, entry: Entry) -> None:
        async with self._ready(len(entry.vector)) as client:
            from qdrant_client import models

            payload = {
                "namespace": entry.namespace,
                "expires": entry.expires,
                "labels": list(entry.labels),
                "payload": packed(entry),
            }
            point = models.PointStruct(
                id=name_of(entry.namespace, entry.id), vector=entry.vector.tolist(), payload=payload
            )
            await client.upsert(self._collection, [point], wait=True)

    @override
    async def remove(self, selection: Selection) -> None:
        async with self._ready(0) as client:
            if await client.collection_exists(self._collection):
                await client.delete(self._collection, _selector(selection), wait=True)

    @override
    async def close(self) -> None:
        client = self._client.taken()
        if client is not None:
            await client.close()

    @asynccontextmanager
    async def _ready(self, dimension: int) -> AsyncIterator[AsyncQdrantClient]:
        try:
            from qdrant_client.http.exceptions import ApiException
        except ImportError as error:
            raise VectorError("qdrant: pip install 'sluice[qdrant]'") from error
        try:
            client = await self._client.get(dimension)
            if dimension and not self._created:
                await self._create(client, dimension)
            yield client
        except (ApiException, OSError, ValueError) as error:
            raise VectorError(f"qdrant: {type(error).__name__}: {error}") from error

    async def _open(self, dimension: int) -> AsyncQdrantClient:
        from qdrant_client import AsyncQdrantClient

        self._created = False
        if "://" not in self._url:
            return AsyncQdrantClient(path=self._url)
        return AsyncQdrantClient(
            url=self._url, api_key=self._api_key, timeout=SECONDS, check_compatibility=False
        )

    async def _create(self, client: AsyncQdrantClient, dimension: int) -> None:
        from qdrant_client import models

        if not await client.collection_exists(self._collection):
            size = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
            await client.create_collection(self._collection, vectors_config=size)
            if "://" in self._url:  # local mode has no indexes, and says so in a warning
                for field, kind in (
                    ("namespace", "keyword"),
                    ("labels", "keyword"),
                    ("expires", "float"),
                ):
                    schema = models.PayloadSchemaType(kind)
                    await client.create_payload_index(self._collection, field, schema)
        self._created = True


def _equals(key: str, value: str) -> Condition:
    from qdrant_client import models

    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _selector(selection: Selection) -> PointIdsList | FilterSelector:
    from qdrant_client import models

    match selection:
        case ById(namespace, ids):
            return models.PointIdsList(points=[name_of(namespace, each) for each in ids])
        case ByLabel(label):
            conditions: list[Condition] = [_equals("labels", label)]
        case ByNamespace(namespace):
            conditions = [_equals("namespace", namespace)]
        case Expired(before):
            conditions = [models.FieldCondition(key="expires", range=models.Range(lte=before))]
        case All():
            conditions = []
    return models.FilterSelector(filter=models.Filter(must=conditions))
