"""An index of Pinecone with the metric cosine, over its HTTP API.

https://docs.pinecone.io/reference/api/2025-04/data-plane
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct
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
from streams.caches.vectors.payload import Row, name_of, packed, sound

VERSION = "2025-04"
LONGEST = 38_000  # characters of what is kept: Pinecone takes 40 KB of metadata
SECONDS = 30.0  # the caller's own deadline is shorter

Json = Mapping[str, Any]


class _Metadata(Struct, frozen=True):
    payload: str | None = None


class _Match(Struct, frozen=True):
    id: str
    score: float
    metadata: _Metadata | None = None


class _Found(Struct, frozen=True):
    matches: list[_Match] = []


_found = msgspec.json.Decoder(_Found, strict=False).decode
_encode = msgspec.json.Encoder().encode


class Pinecone(VectorStore):
    """All of ours stand in one of Pinecone's namespaces, told apart by their metadata. What was written
    is found some seconds later."""

    def __init__(self, host: str, api_key: str, space: str = "sluice") -> None:
        """`host` is the index's own address, as Pinecone's console shows it."""
        self._url = host if "://" in host else f"https://{host}"
        self._headers = {
            "Api-Key": api_key,
            "X-Pinecone-API-Version": VERSION,
            "Content-Type": "application/json",
        }
        self._space = space
        self._session: aiohttp.ClientSession | None = None

    @override
    async def search(
        self, namespace: str, vector: Vector, count: int, now: float
    ) -> Sequence[Neighbour]:
        query = {
            "namespace": self._space,
            "vector": vector.tolist(),
            "topK": count,
            "includeMetadata": True,
            "filter": {"scope": {"$eq": namespace}, "expires": {"$gt": now}},
        }

        async def rows() -> Iterable[Row]:
            body = await self._post("/query", query)
            try:
                found = _found(body)
            except msgspec.MsgspecError as error:
                raise VectorError(f"pinecone: an answer that is none: {error}") from error
            return [Row(each.id, _payload(each), each.score) for each in found.matches]

        async def forget(names: Sequence[str]) -> None:
            await self._delete({"ids": list(names)})

        return await sound(rows, forget)

    @override
    async def add(self, entry: Entry) -> None:
        payload = packed(entry)
        if len(payload) > LONGEST:
            raise VectorError(
                f"pinecone: an answer of {len(entry.answer)} bytes is too long for it"
            )
        metadata = {
            "scope": entry.namespace,
            "expires": entry.expires,
            "labels": list(entry.labels),
            "payload": payload,
        }
        vector = {
            "id": name_of(entry.namespace, entry.id),
            "values": entry.vector.tolist(),
            "metadata": metadata,
        }
        await self._post("/vectors/upsert", {"namespace": self._space, "vectors": [vector]})

    @override
    async def remove(self, selection: Selection) -> None:
        match selection:
            case ById(namespace, ids):
                await self._delete({"ids": [name_of(namespace, each) for each in ids]})
            case ByLabel(label):
                await self._delete({"filter": {"labels": {"$in": [label]}}})
            case ByNamespace(namespace):
                await self._delete({"filter": {"scope": {"$eq": namespace}}})
            case Expired(before):
                await self._delete({"filter": {"expires": {"$lte": before}}})
            case All():
                await self._delete({"deleteAll": True})

    async def _delete(self, what: Json) -> None:
        await self._post("/vectors/delete", {"namespace": self._space, **what}, gone=404)

    async def _post(self, path: str, body: Json, gone: int = 0) -> bytes:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        try:
            async with self._session.post(self._url + path, data=_encode(body)) as answer:
                found = await answer.read()
                # Its namespace is only there once something is in it.
                if answer.status >= 400 and answer.status != gone:
                    reason = found[:200].decode(errors="replace")
                    raise VectorError(f"pinecone: {answer.status} for {path}: {reason}")
                return found
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise VectorError(f"pinecone: {type(error).__name__}: {error}") from error

    @override
    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def _payload(found: _Match) -> object:
    return found.metadata.payload if found.metadata is not None else None
