"""What every store of vectors promises: one suite over all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from streams.caches.vectors.base import (
    All,
    ById,
    ByLabel,
    ByNamespace,
    Expired,
    Neighbour,
    Selection,
    VectorError,
    VectorStore,
)
from tests.contracts.vector_subjects import REMOTE, SERVERS, SUBJECTS, Subject
from tests.streams.caches.vectors.samples import DIMENSION, FOREVER, at, entry

NOW = 2e9
LATER = 5.0  # seconds until what was written must be found


@pytest.fixture(params=SUBJECTS)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    made = SUBJECTS[request.param](tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def store(subject: Subject) -> AsyncIterator[VectorStore]:
    made = subject.store()
    yield made
    await made.close()


async def found(
    store: VectorStore, count: int = 16, namespace: str = "n", now: float = NOW
) -> list[Neighbour]:
    return list(await store.search(namespace, at(1.0), count, now))


async def eventually(
    store: VectorStore, ids: list[str], namespace: str = "n", now: float = NOW
) -> None:
    """Some stores answer from an index that is a moment behind."""
    deadline = time.monotonic() + LATER
    while (seen := [each.id for each in await found(store, 16, namespace, now)]) != ids:
        assert time.monotonic() < deadline, f"{seen} instead of {ids}"
        await asyncio.sleep(0.05)


async def test_the_nearest_come_first(store: VectorStore) -> None:
    """With their cosine, text, group and answer as they were given."""
    for name, cosine in (("c", 0.5), ("a", 0.99), ("d", -0.5), ("b", 0.8)):
        await store.add(entry(name, cosine, labels=("model:m",)))
    await eventually(store, ["a", "b", "c", "d"])

    first, *_, last = await found(store)

    assert (first.id, first.group, first.text) == ("a", "group of a", "text of a ä")
    assert first.answer == b"answer \x00\xff"
    assert abs(first.similarity - 0.99) < 0.01
    assert abs(last.similarity + 0.5) < 0.01
    assert [each.id for each in await found(store, 2)] == ["a", "b"]


async def test_an_empty_store_has_none(store: VectorStore) -> None:
    """And removing from it is no mistake."""
    assert await found(store) == []
    await store.remove(All())
    await store.remove(ById("n", ("x",)))
    assert await found(store) == []


async def test_wrong_neighbours_hide_no_right_one(store: VectorStore) -> None:
    """Sixty nearer ones of another namespace and sixty that have expired: the right one is found."""
    await store.add(entry("right", 0.9))
    for number in range(60):
        await store.add(entry(f"other {number}", 0.95 + number / 2_000, namespace="m"))
        await store.add(entry(f"old {number}", 0.95 + number / 2_000, expires=NOW - 1))

    await eventually(store, ["right"])
    assert [each.id for each in await found(store, 1)] == ["right"]


async def test_expiry_is_a_time(store: VectorStore) -> None:
    """Before it an entry is found, after it not; whatever the store itself thinks of the time."""
    await store.add(entry("a", 0.9, expires=NOW + 10))

    await eventually(store, ["a"])
    assert await found(store, now=NOW + 11) == []


async def test_the_same_id_is_replaced(store: VectorStore) -> None:
    """There is one of it."""
    await store.add(entry("a", 0.9))
    await store.add(entry("b", 0.8))
    await store.add(entry("a", 0.5, answer=b"new"))

    await eventually(store, ["b", "a"])
    assert [each.answer for each in await found(store)] == [b"answer \x00\xff", b"new"]


SELECTIONS: list[tuple[Selection, list[str], list[str]]] = [
    (ById("n", ("a", "gone")), ["b"], ["c"]),
    (ById("m", ("a",)), ["a", "b"], ["c"]),
    (ByLabel("tag:x"), ["b"], []),
    (ByLabel("tag"), ["a", "b"], ["c"]),
    (ByNamespace("n"), [], ["c"]),
    (Expired(NOW + 1_000), ["a"], ["c"]),
    (All(), [], []),
]


@pytest.mark.parametrize(("selection", "left", "left_elsewhere"), SELECTIONS)
async def test_what_is_selected_is_removed(
    store: VectorStore, selection: Selection, left: list[str], left_elsewhere: list[str]
) -> None:
    """And nothing else."""
    await store.add(entry("a", 0.9, labels=("model:m", "tag:x")))
    await store.add(entry("b", 0.8, labels=("model:m",), expires=NOW + 100))
    await store.add(entry("c", 0.7, namespace="m", labels=("tag:x",)))
    await eventually(store, ["a", "b"])
    await eventually(store, ["c"], "m")

    await store.remove(selection)

    await eventually(store, left)
    await eventually(store, left_elsewhere, "m")


async def test_many_at_once(store: VectorStore) -> None:
    """Additions and searches side by side."""
    await store.add(entry("first", 0.1))
    async with asyncio.TaskGroup() as tasks:
        for number in range(15):
            tasks.create_task(store.add(entry(f"{number:02}", 0.99 - number / 50)))
            tasks.create_task(store.search("n", at(1.0), 4, NOW))

    await eventually(store, [f"{number:02}" for number in range(15)] + ["first"])


async def test_a_restart_forgets_nothing(subject: Subject, store: VectorStore) -> None:
    """Neither one of ours nor one of the store."""
    await store.add(entry("a", 0.9))
    await store.add(entry("b", 0.8))
    await store.remove(ById("n", ("a",)))
    await eventually(store, ["b"])
    await store.close()
    await subject.restart()

    again = subject.store()
    await eventually(again, ["b"])
    await again.add(entry("c", 0.7))
    await eventually(again, ["b", "c"])
    await again.close()


@pytest.mark.parametrize("subject", SERVERS, indirect=True)
async def test_an_outage_is_an_error_and_ends(subject: Subject) -> None:
    """Nothing is found while nobody is there, by an error or by the caller's deadline; then the same object goes on."""
    await subject.own_server()
    store = subject.store()
    await store.add(entry("a", 0.9))
    await eventually(store, ["a"])
    async with subject.outage():
        for attempt in (found(store), store.add(entry("b", 0.8))):
            with pytest.raises((VectorError, TimeoutError)):
                async with asyncio.timeout(2):
                    await attempt

    deadline = time.monotonic() + 30
    while True:
        try:
            assert [each.id for each in await found(store)][:1] == ["a"]
            break
        except VectorError:  # some clients wait a while before they try again
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
    await store.close()


@pytest.mark.parametrize("subject", REMOTE, indirect=True)
async def test_a_slow_store_keeps_to_the_callers_deadline(subject: Subject) -> None:
    """Whoever waits may stop waiting, and the next one is not harmed."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        store = subject.silent(server.sockets[0].getsockname()[1])
        for _ in range(2):
            with pytest.raises((TimeoutError, VectorError)):
                async with asyncio.timeout(0.5):
                    await found(store)
        await store.close()


async def test_a_corrupt_entry_is_no_neighbour(subject: Subject, store: VectorStore) -> None:
    """And keeps no other from being one."""
    await store.add(entry("a", 0.9))
    await store.add(entry("b", 0.8))
    await eventually(store, ["a", "b"])
    await store.close()
    await subject.corrupt("a")

    again = subject.store()
    await eventually(again, ["b"])
    await again.close()


async def test_vectors_of_another_length_find_nothing(store: VectorStore) -> None:
    """An embedder was exchanged and nobody cleaned up: no neighbours or an error, no crash."""
    await store.add(entry("a", 0.9))
    await eventually(store, ["a"])

    with suppress(VectorError):
        assert list(await store.search("n", np.ones(DIMENSION + 1, np.float32) / 3, 4, NOW)) == []
    await eventually(store, ["a"])


def test_forever_is_a_time() -> None:
    """The samples outlive the tests' clock."""
    assert FOREVER > NOW
