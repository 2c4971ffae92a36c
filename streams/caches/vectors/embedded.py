"""Vectors in this process, bounded, and in a file that brings them back after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
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
from streams.caches.vectors.journal import Journal
from streams.caches.vectors.shelf import Shelf

EVICTED = 16  # one of so many entries goes when it is full, the oldest first
SMALL_FILE = 4 << 20  # is not written anew


class _Added(Struct, frozen=True, tag="a", array_like=True):
    id: str
    namespace: str
    group: str
    text: str
    vector: bytes
    answer: bytes
    expires: float
    labels: tuple[str, ...]


class _Removed(Struct, frozen=True, tag="r", array_like=True):
    namespace: str
    ids: tuple[str, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Added | _Removed).decode


class Embedded(VectorStore):
    """Blocks for a few milliseconds at most, but for its first use, which reads the file. Of more than
    2,048 entries in a namespace the nearest are found nearly always, not always."""

    def __init__(self, path: Path | None, max_entries: int, max_answer_bytes: int) -> None:
        """Without a path it forgets everything with the process."""
        self._path = path
        self._max_entries = max_entries
        self._max_answer_bytes = max_answer_bytes
        self._shelves: dict[str, Shelf] = {}
        self._journal: Journal | None = None
        self._opened: asyncio.Future[None] | None = None
        self._entries = self._answer_bytes = self._number = self._stale = 0

    def __len__(self) -> int:
        return self._entries

    @override
    async def search(
        self, namespace: str, vector: Vector, count: int, now: float
    ) -> Sequence[Neighbour]:
        await self._ready()
        shelf = self._shelves.get(namespace)
        if shelf is None or shelf.dimension != len(vector):
            return ()
        return shelf.nearest(vector, count, now)

    @override
    async def add(self, entry: Entry) -> None:
        await self._ready()
        if self._journal is not None:
            self._journal.append(_encode(_added(entry)))
        self._put(entry)
        if self._entries > self._max_entries or self._answer_bytes > self._max_answer_bytes:
            self._evict()
        self._compact()

    @override
    async def remove(self, selection: Selection) -> None:
        await self._ready()
        for namespace, shelf in list(self._shelves.items()):
            self._drop(namespace, _selected(selection, namespace, shelf))
        self._compact()

    @override
    async def close(self) -> None:
        if self._opened is None:
            return
        with suppress(VectorError):
            await self._opened
        self._opened = None
        self._shelves.clear()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    async def _ready(self) -> None:
        """Read the file, in a thread that goes on when somebody's patience ends before it does."""
        if self._opened is None:
            loop = asyncio.get_running_loop()
            self._opened = loop.run_in_executor(None, self._open)
        try:
            await asyncio.shield(self._opened)
        except VectorError:
            self._opened = None  # the next one tries again
            raise

    def _open(self) -> None:
        if self._path is not None:
            self._journal = Journal(self._path)
            self._entries = self._answer_bytes = self._stale = 0
            for payload in self._journal.records():
                self._replay(payload)

    def _replay(self, payload: bytes) -> None:
        try:
            record = _decode(payload)
        except msgspec.MsgspecError:  # of another version
            self._stale += 1
            return
        if isinstance(record, _Removed):
            shelf = self._shelves.get(record.namespace)
            if shelf is not None:
                gone = _selected(ById(record.namespace, record.ids), record.namespace, shelf)
                self._forget(record.namespace, gone)
            return
        vector = np.frombuffer(record.vector, np.float16).astype(np.float32)
        self._put(
            Entry(
                record.id,
                record.namespace,
                record.group,
                record.text,
                vector,
                record.answer,
                record.expires,
                record.labels,
            )
        )

    def _put(self, entry: Entry) -> None:
        shelf = self._shelves.get(entry.namespace)
        if shelf is None:
            shelf = self._shelves[entry.namespace] = Shelf(len(entry.vector))
        if shelf.dimension != len(entry.vector):
            raise VectorError("embedded: a namespace has vectors of one length only")
        known = shelf.find(entry.id)
        if known is not None:
            self._forget(entry.namespace, [known])
            shelf = self._shelves.setdefault(entry.namespace, shelf)
        self._number += 1
        shelf.put(entry, self._number)
        self._entries += 1
        self._answer_bytes += len(entry.answer)

    def _evict(self) -> None:
        """What came first goes first. Expired ones were the first to come."""
        numbers = np.concatenate([shelf.numbers[: shelf.used] for shelf in self._shelves.values()])
        limit = int(np.partition(numbers, len(numbers) // EVICTED)[len(numbers) // EVICTED]) + 1
        for namespace, shelf in list(self._shelves.items()):
            self._drop(namespace, shelf.older(limit).tolist())

    def _drop(self, namespace: str, places: Sequence[int]) -> None:
        gone = self._forget(namespace, places)
        if gone and self._journal is not None:
            self._journal.append(_encode(_Removed(namespace, tuple(gone))))

    def _forget(self, namespace: str, places: Sequence[int]) -> list[str]:
        shelf = self._shelves[namespace]
        gone = shelf.drop(places)
        self._entries -= len(gone)
        self._answer_bytes -= sum(size for _, size in gone)
        self._stale += len(gone)
        if not shelf.used:
            del self._shelves[namespace]
        return [entry_id for entry_id, _ in gone]

    def _compact(self) -> None:
        """Write the file anew when most of it is about what is gone."""
        if self._journal is None or self._stale <= self._entries:
            return
        if self._journal.size > SMALL_FILE:
            self._journal.rewrite(self._records())
            self._stale = 0

    def _records(self) -> Iterator[bytes]:
        for namespace, shelf in self._shelves.items():
            for entry in shelf.entries(namespace):
                yield _encode(_added(entry))


def _added(entry: Entry) -> _Added:
    return _Added(
        entry.id,
        entry.namespace,
        entry.group,
        entry.text,
        entry.vector.astype(np.float16).tobytes(),
        entry.answer,
        entry.expires,
        entry.labels,
    )


def _selected(selection: Selection, namespace: str, shelf: Shelf) -> Sequence[int]:
    match selection:
        case ById(where, ids):
            found = [shelf.find(each) for each in ids] if where == namespace else []
            return [place for place in found if place is not None]
        case ByLabel(label):
            return shelf.labelled(label)
        case ByNamespace(where):
            return range(shelf.used) if where == namespace else ()
        case Expired(before):
            return list(map(int, shelf.expired(before)))
        case All():
            return range(shelf.used)
