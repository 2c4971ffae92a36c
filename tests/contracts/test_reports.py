"""What every store tells of the exchanges in it: sums by hour and day, lists, one of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pymongo.errors import AutoReconnect

from schemas.analytics import (
    BUCKETS,
    COUNTED,
    MEASURES,
    Counts,
    Dimension,
    Page,
    Reports,
    Sums,
    Wanted,
    Where,
)
from schemas.costs import Cost
from schemas.errors import StoreUnavailable
from schemas.exchange import Cached
from schemas.usage import Usage
from sinks.base import Backpressure, Expiring, Refused, Sink
from sinks.config import SinkConfig
from sinks.document import Document, document, to_json
from sinks.mongodb_reports import MongoDBReports
from sinks.mongodb_rollups import ABANDONED, Rollups
from sinks.postgresql_pool import Pool
from sinks.postgresql_reports import PostgreSQLReports
from sinks.rollups import Key, counts_of, model, rolled
from sinks.sqlite_reports import SQLiteReports
from sinks.stores import SINKS
from tests.sinks.generated import HOUR, STORES, config_of, erase, fill, generated
from tests.sinks.samples import BEGIN, HandClock, exchange, request_id

DAY = 24 * HOUR
YEAR = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")


class Subject:
    """A store with a writer and a reader."""

    def __init__(self, config: SinkConfig) -> None:
        self.config = config
        self.clock = HandClock()
        self.sink = self.another()
        self.reports = reports(config)

    def another(self) -> Sink:
        """Another writer of the same store."""
        return SINKS[self.config.storage_type](self.config, self.clock)

    async def sums(self, *by: Dimension, **asked: Any) -> dict[tuple[str, ...], Counts]:
        fields = {"since": YEAR[0], "until": YEAR[1], "by": by} | asked
        found = await self.reports.sums(Sums(**fields))
        assert len({group.names for group in found}) == len(found)
        return {group.names: group.counts for group in found}

    async def listed(self, **wanted: Any) -> list[dict[str, Any]]:
        page = await self.reports.page(Wanted(**wanted))
        return [json.loads(bytes(each)) for each in page.documents]


def reports(config: SinkConfig) -> Reports:
    match config.storage_type:
        case "sqlite":
            return SQLiteReports(config.sqlite_path)
        case "postgresql":
            return PostgreSQLReports(Pool(config.postgres_url or "", 4))
        case _:
            return MongoDBReports(config.mongodb_url or "", config.mongodb_database)


@pytest.fixture(params=STORES)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    config = config_of(request.param, tmp_path, request)
    found = Subject(config)
    yield found
    await found.sink.close()
    await found.reports.close()
    erase(config)


def view(number: int = 1, *, at: float = BEGIN, **changes: object) -> Document:
    return document(exchange(number, at=at, **changes), bodies=True, body_limit=1 << 20)


def test_what_an_exchange_adds_to_the_sums() -> None:
    """Two of one hour are summed, another hour's is beside it, and the day has all three."""
    found = rolled([view(1), view(2), view(3, at=BEGIN + HOUR, outcome="failed")])

    hour = Key("hour", "2026-01-01T00:00:00Z", "sim-1", "sim", "/team/ann", "master", "")
    later = hour._replace(start="2026-01-01T01:00:00Z")
    day = hour._replace(period="day")
    assert found.keys() == {hour, later, day}
    assert all(len(counts) == len(MEASURES) for counts in found.values())
    counts = counts_of(found[day])
    assert (counts.requests, counts.failed, counts.input_tokens, counts.output_tokens) == (
        3,
        1,
        9,
        6,
    )
    assert counts.microseconds == 1_500_000
    # 0.5 s ends its bucket, the sixth from zero; of 0.1 s it is the fourth.
    assert counts.latency == tuple(3 if n == 6 else 0 for n in range(BUCKETS))
    assert counts.first_token == tuple(3 if n == 4 else 0 for n in range(BUCKETS))
    assert counts_of(found[hour]).requests == 2


def test_hits_are_counted_apart() -> None:
    """A hit has its kind in the key, and what it saved in counts of its own; a miss is no hit."""
    saved = Usage(input_tokens=10, output_tokens=5)
    hit = view(1, usage=None, attempts=(), cache=Cached("semantic", saved=saved))
    miss = view(2, cache=Cached("miss"))

    found = {key.cache: counts_of(counts) for key, counts in rolled([hit, miss]).items()}

    assert found.keys() == {"semantic", ""}
    assert (found["semantic"].input_tokens, found["semantic"].saved_input_tokens) == (0, 10)
    assert (found["semantic"].saved_output_tokens, found[""].saved_output_tokens) == (5, 0)


def test_costs_are_sums_of_what_is_known() -> None:
    """A request whose cost is not known is not among the priced ones, and adds nothing."""
    known = view(1, cost=Cost(total=70, input=40, output=20, attempts=10))
    unknown = view(2)

    (counts, *_) = map(counts_of, rolled([known, unknown]).values())

    assert (counts.requests, counts.priced) == (2, 1)
    assert (counts.input_cost, counts.output_cost, counts.total_cost) == (40, 20, 70)


async def test_a_document_is_counted_once(subject: Subject) -> None:
    """A batch that comes again, whole or in part, from the same writer or another, adds nothing; nor does a
    second outcome of one request, in the same batch or later."""
    batch = [view(number) for number in range(20)]
    await subject.sink.open()
    await subject.sink.write(batch[:7])
    await subject.sink.write([*batch, view(3, outcome="failed")])
    other = subject.another()
    await other.open()
    await other.write([*batch[10:], view(20)])
    await other.close()
    await subject.sink.write([view(4, outcome="failed")])

    for period in ("hour", "day"):
        ((_, counts),) = (await subject.sums(period=period)).items()
        assert (counts.requests, counts.failed, counts.input_tokens) == (21, 0, 63)
        assert (sum(counts.latency), counts.microseconds) == (21, 21 * 500_000)


async def test_what_is_refused_is_not_counted(subject: Subject) -> None:
    """A document that goes to the dead letters is in no sum; its neighbours are."""
    await subject.sink.open()
    beyond_64_bits = view(2, usage=Usage(input_tokens=2**70, output_tokens=1))
    with pytest.raises(Refused):
        await subject.sink.write([view(1), beyond_64_bits, view(3)])

    assert (await subject.sums())[()].input_tokens == 6


async def test_an_empty_store(subject: Subject) -> None:
    """Nothing is there: no groups, no documents, whether the sink has been there or not."""
    if subject.config.storage_type == "sqlite":
        assert await subject.sums() == {}
    await subject.sink.open()

    assert await subject.sums() == {}
    assert await subject.sums("model") == {}
    assert await subject.reports.page(Wanted()) == Page([], 0)
    assert await subject.reports.one("none") is None


async def test_a_store_that_is_away_says_so(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """StoreUnavailable, from every question; a file that is no database, too."""
    (tmp_path / "sluice.db").write_text("no database at all, but long enough to be looked at" * 20)
    nobody = f"127.0.0.1:{free_port()}"
    for store in ("postgresql", "sqlite"):
        found = reports(
            SinkConfig(
                storage_type=store,  # type: ignore[arg-type]
                sqlite_path=str(tmp_path / "sluice.db"),
                postgres_url=f"postgresql://{nobody}/x",
            )
        )
        for ask in (
            found.sums(Sums(since=YEAR[0], until=YEAR[1])),
            found.page(Wanted()),
            found.one("x"),
        ):
            with pytest.raises(StoreUnavailable):
                await ask
        await found.close()


class Failing:
    """Rollups whose server goes away at one step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: str, *, after: bool) -> None:
        real = getattr(Rollups, step)

        async def fail(rollups: Rollups, *given: Any) -> Any:
            if after:
                await real(rollups, *given)
            raise AutoReconnect("gone")

        monkeypatch.setattr(Rollups, step, fail)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["_add", "count"])
@pytest.mark.parametrize("who", ["the same", "another"])
async def test_mongodb_counts_what_a_crash_left(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    who: str,
    step: str,
    after: bool,  # a parameter of the test
) -> None:
    """A write whose documents are in and whose sums are not, or not known to be, is counted once: by its own
    process before it writes again, by any other a minute later."""
    subject = Subject(config_of("mongodb", tmp_path, request))
    await subject.sink.open()
    await subject.sink.write([view(1)])
    with monkeypatch.context() as patch:
        Failing(patch, step, after=after)
        with pytest.raises(Backpressure):
            await subject.sink.write([view(2), view(3)])
    if who == "the same":
        await subject.sink.write([view(2), view(3), view(4)])
    else:
        other = subject.another()
        await other.open()
        await other.write([view(2), view(3), view(4)])
        subject.clock.now += ABANDONED + 1
        assert isinstance(other, Expiring)
        await other.expire()
        await other.expire()
        await other.close()

    assert (await subject.sums())[()].requests == 4
    await subject.sink.close()
    await subject.reports.close()
    erase(subject.config)


# -- the same numbers everywhere


class Expected:
    """The same questions, asked of a list."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._rolled = rolled(documents)

    def sums(
        self, *by: Dimension, where: Callable[[Key], bool], period: str
    ) -> dict[tuple[str, ...], Counts]:
        found: dict[tuple[str, ...], list[int]] = {}
        for key, counts in self._rolled.items():
            if key.period == period and where(key):
                names = tuple(getattr(key, name) for name in by)
                known = found.get(names, [0] * len(MEASURES))
                found[names] = [a + b for a, b in zip(known, counts, strict=True)]
        return {names: counts_of(counts) for names, counts in found.items()}


class Filled:
    """A store with many exchanges, for tests that only read."""

    def __init__(self, config: SinkConfig, count: int) -> None:
        self.config = config
        self.documents = generated(count)


SIZES = [pytest.param((store, 1_500), id=f"{store}-1500") for store in STORES] + [
    pytest.param((store, 50_000), id=f"{store}-50000", marks=pytest.mark.long) for store in STORES
]


@pytest.fixture(scope="module", params=SIZES)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    store, count = request.param
    config = config_of(store, tmp_path_factory.mktemp("filled"), request)
    found = Filled(config, count)

    asyncio.run(fill(config, found.documents))
    yield found
    erase(config)


def below(path: str, prefix: str) -> bool:
    return prefix == "/" or path == prefix or path.startswith(prefix + "/")


QUESTIONS: dict[str, tuple[tuple[Dimension, ...], Where, Callable[[Key], bool]]] = {
    "all": ((), Where(), lambda key: True),
    "days": (("start",), Where(hits=False), lambda key: key.cache == ""),
    "models": (("model", "provider"), Where(), lambda key: True),
    "providers": (("provider",), Where(client="key-1"), lambda key: key.client == "key-1"),
    "paths": (("user_path",), Where(user_path="/a"), lambda key: below(key.user_path, "/a")),
    "one path": ((), Where(user_path="/ä"), lambda key: key.user_path == "/ä"),
    "keys": (("client",), Where(model="org/far-2"), lambda key: key.model == "org/far-2"),
    "hits": (("start", "cache"), Where(hits=True), lambda key: key.cache != ""),
    "everything": (
        ("start", "model", "provider", "user_path", "client", "cache"), Where(), lambda key: True,
    ),
    "nothing": (("model",), Where(provider="none"), lambda key: False),
}  # fmt: skip


async def test_sums_are_equal_everywhere(filled: Filled) -> None:
    """Every question for sums has the same numbers in each store as in the list of what was stored, by hour
    and by day, over all of the time and a part of it."""
    expected, store = Expected(filled.documents), reports(filled.config)
    part = ("2026-01-05T00:00:00Z", "2026-01-25T00:00:00Z")
    for since, until in (YEAR, part):
        for period in ("hour", "day"):
            for name, (by, where, holds) in QUESTIONS.items():
                found = await store.sums(
                    Sums(since=since, until=until, period=period, by=by, where=where)  # type: ignore[arg-type]
                )
                wanted = expected.sums(
                    *by,
                    where=lambda key, holds=holds: since <= key.start < until and holds(key),  # type: ignore[misc]  # noqa: B023
                    period=period,
                )
                assert {group.names: group.counts for group in found} == wanted, (name, period)
    await store.close()


FILTERS: dict[str, tuple[dict[str, Any], Callable[[Document], bool]]] = {
    "all": ({}, lambda found: True),
    "a path": ({"user_path": "/a"}, lambda found: below(found.user_path, "/a")),
    "a model": ({"model": "org/far-2"}, lambda found: model(found) == "org/far-2"),
    "as asked": ({"requested_model": "sim/sim-1"}, lambda found: found.request_model == "sim/sim-1"),
    "failures": (
        {"outcome": "failed", "error": "upstream_error", "status": 502},
        lambda found: found.outcome == "failed" and found.status == 502 and found.error is not None and found.error.code == "upstream_error",
    ),
    "streams of a key": (
        {"stream": True, "client": "key-1"}, lambda found: found.stream and found.client == "key-1",
    ),
    "hits": ({"hits": True}, lambda found: bool(found.cache and found.cache.saved)),
    "no hits": ({"hits": False, "provider": "far"}, lambda found: found.provider == "far" and not (found.cache and found.cache.saved)),
    "a search": ({"search": "FAR-1"}, lambda found: "far-1" in (found.request_model or "")),
    "a search and a path": (
        {"search": "far-1", "user_path": "/a/b"},
        lambda found: "far-1" in (found.request_model or "") and below(found.user_path, "/a/b"),
    ),
    "the audit log": ({"view": "audit"}, lambda found: "audit" not in found.without),
    "the log of usage": (
        {"view": "usage"}, lambda found: "usage" not in found.without and found.outcome != "rejected",
    ),
    "rejected ones": ({"outcome": "rejected", "view": "audit"}, lambda found: found.outcome == "rejected" and "audit" not in found.without),
    "ten days": (
        {"since": "2026-01-05T00:00:00Z", "until": "2026-01-15T00:00:00Z"},
        lambda found: "2026-01-05" <= found.created_at < "2026-01-15",
    ),
}  # fmt: skip


async def test_lists_are_equal_everywhere(filled: Filled) -> None:
    """Each filter finds the same documents in the same order; pages by their place join without a gap."""
    store = reports(filled.config)
    for name, (given, holds) in FILTERS.items():
        wanted = [found for found in filled.documents if holds(found)]
        wanted.sort(key=lambda found: (found.created_at, found.request_id), reverse=True)
        page = await store.page(Wanted(**given))
        ids = [json.loads(bytes(each))["_id"] for each in page.documents]
        assert page.total == min(len(wanted), COUNTED + 1), name
        assert ids == [found.request_id for found in wanted[:50]], name
        if len(wanted) > 100:
            last = wanted[49]
            for more in ({"before": (last.created_at, last.request_id)}, {"offset": 50}):
                page = await store.page(Wanted(**given | more))
                ids = [json.loads(bytes(each))["_id"] for each in page.documents]
                assert ids == [found.request_id for found in wanted[50:100]], name
    await store.close()


async def test_one_is_the_whole_document(filled: Filled) -> None:
    """A list's documents have no bodies' content; one by its id is all of what was stored."""
    store = reports(filled.config)
    found = await store.one(request_id(17))
    assert found is not None
    stored = msgspec.json.decode(to_json(filled.documents[17]))
    assert msgspec.json.decode(found) == stored
    assert await store.one("nobody") is None
    await store.close()


async def test_what_was_spent_is_equal_everywhere(filled: Filled) -> None:
    """Of a partition and a time, by path, key and model as asked for; without what no budget is charged for."""
    since, until = "2026-01-05T00:00:00.000000Z", "2026-01-25T00:00:00.000000Z"
    expected: dict[tuple[str, str | None, str | None], tuple[int, int]] = {}
    for found in filled.documents:
        if "budget" in found.without or not since <= found.finished_at < until:
            continue
        names = (found.user_path, found.client, found.request_model)
        cost, tokens = expected.get(names, (0, 0))
        cost += found.cost.total if found.cost else 0
        expected[names] = cost, tokens + (found.usage.total_tokens if found.usage else 0)
    store: Any = reports(filled.config)
    spent = await store.spent(filled.documents[0].kafka.partition, since, until)
    assert {(s.user_path, s.client, s.model): (s.cost, s.tokens) for s in spent} == expected
    assert await store.spent(7, since, until) == []
    await store.close()
