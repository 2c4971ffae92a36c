"""Weaviate, by its own asynchronous client (`sluice[weaviate]`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

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
    from weaviate import WeaviateAsyncClient
    from weaviate.collections.classes.filters import _Filters
    from weaviate.collections.classes.types import WeaviateField
    from weaviate.collections.collection import CollectionAsync

CLASS = "SluiceSemanticCache"
GRPC_PORT = 50051
SECONDS = 30  # the caller's own deadline is shorter


class Weaviate(VectorStore):
    """One class with the distance cosine. Filters are applied while it searches."""

    def __init__(
        self, url: str, api_key: str | None = None, collection: str = CLASS, grpc: str | None = None
    ) -> None:
        """`grpc` is host and port of its gRPC, if they are not those of the URL and 50051."""
        self._url = urlsplit(url)
        self._api_key = api_key
        self._name = collection
        host, _, port = (grpc or f"{self._url.hostname}:{GRPC_PORT}").rpartition(":")
        self._grpc = (host, int(port))
        self._client = Opening(self._open)

    @override
    async def search(
        self, namespace: str, vector: Vector, count: int, now: float
    ) -> Sequence[Neighbour]:
        async with self._ready() as collection:
            from weaviate.classes.query import Filter, MetadataQuery

            wanted = Filter.all_of(
                [
                    Filter.by_property("namespace").equal(namespace),
                    Filter.by_property("expires").greater_than(now),
                ]
            )

            async def rows() -> Iterable[Row]:
                answer = await collection.query.near_vector(
                    near_vector=vector.tolist(),
                    limit=count,
                    filters=wanted,
                    return_metadata=MetadataQuery(distance=True),
                    return_properties=["payload"],
                )
                return [
                    Row(
                        str(each.uuid),
                        each.properties.get("payload"),
                        _cosine(each.metadata.distance),
                    )
                    for each in answer.objects
                ]

            async def forget(names: Sequence[str]) -> None:
                await collection.data.delete_many(where=Filter.by_id().contains_any(list(names)))

            return await sound(rows, forget)

    @override
    async def add(self, entry: Entry) -> None:
        async with self._ready() as collection:
            from weaviate.classes.data import DataObject

            properties: Mapping[str, WeaviateField] = {
                "namespace": entry.namespace,
                "expires": entry.expires,
                "labels": list(entry.labels),
                "payload": packed(entry),
            }
            item: DataObject[Mapping[str, WeaviateField], None] = DataObject(
                uuid=name_of(entry.namespace, entry.id),
                properties=properties,
                vector=entry.vector.tolist(),
            )
            done = await collection.data.insert_many([item])  # replaces what has the same name
            if done.has_errors:
                raise VectorError(f"weaviate: {done.errors[0].message}")

    @override
    async def remove(self, selection: Selection) -> None:
        async with self._ready() as collection:
            await collection.data.delete_many(where=_filter(selection))

    @override
    async def close(self) -> None:
        client = self._client.taken()
        if client is not None:
            await client.close()

    @asynccontextmanager
    async def _ready(self) -> AsyncIterator[CollectionAsync]:
        try:
            from weaviate.exceptions import WeaviateBaseError
        except ImportError as error:
            raise VectorError("weaviate: pip install 'sluice[weaviate]'") from error
        try:
            client = await self._client.get(0)
            yield client.collections.get(self._name)
        except (WeaviateBaseError, OSError) as error:
            raise VectorError(f"weaviate: {type(error).__name__}: {error}") from error

    async def _open(self, dimension: int) -> WeaviateAsyncClient:
        import weaviate
        from weaviate.classes.init import AdditionalConfig, Auth, Timeout

        secure = self._url.scheme == "https"
        client = weaviate.use_async_with_custom(
            http_host=self._url.hostname or "",
            http_port=self._url.port or (443 if secure else 80),
            http_secure=secure,
            grpc_host=self._grpc[0],
            grpc_port=self._grpc[1],
            grpc_secure=secure,
            auth_credentials=Auth.api_key(self._api_key) if self._api_key else None,
            skip_init_checks=True,  # they ask the package registry for a newer client
            additional_config=AdditionalConfig(
                timeout=Timeout(init=SECONDS, query=SECONDS, insert=SECONDS)
            ),
        )
        try:
            await client.connect()
            await self._create(client)
        except BaseException:
            await client.close()
            raise
        return client

    async def _create(self, client: WeaviateAsyncClient) -> None:
        from weaviate.classes.config import (
            Configure,
            DataType,
            Property,
            Tokenization,
            VectorDistances,
        )
        from weaviate.exceptions import UnexpectedStatusCodeError

        if await client.collections.exists(self._name):
            return
        whole = Tokenization.FIELD
        try:
            await client.collections.create(
                self._name,
                vector_config=Configure.Vectors.self_provided(
                    vector_index_config=Configure.VectorIndex.hnsw(
                        distance_metric=VectorDistances.COSINE
                    )
                ),
                properties=[
                    Property(name="namespace", data_type=DataType.TEXT, tokenization=whole),
                    Property(name="labels", data_type=DataType.TEXT_ARRAY, tokenization=whole),
                    Property(name="expires", data_type=DataType.NUMBER, index_range_filters=True),
                    Property(
                        name="payload",
                        data_type=DataType.TEXT,
                        index_filterable=False,
                        index_searchable=False,
                    ),
                ],
            )
        except UnexpectedStatusCodeError:
            if not await client.collections.exists(self._name):  # else another worker was quicker
                raise


def _cosine(distance: float | None) -> float:
    """Weaviate's distance, which goes from 0 to 2; its certainty would be half of what follows."""
    return 1.0 - distance if distance is not None else -1.0


def _filter(selection: Selection) -> _Filters:
    from weaviate.classes.query import Filter

    match selection:
        case ById(namespace, ids):
            return Filter.by_id().contains_any([name_of(namespace, each) for each in ids])
        case ByLabel(label):
            return Filter.by_property("labels").contains_any([label])
        case ByNamespace(namespace):
            return Filter.by_property("namespace").equal(namespace)
        case Expired(before):
            return Filter.by_property("expires").less_or_equal(before)
        case All():
            return Filter.by_property("expires").greater_than(-1.0)
