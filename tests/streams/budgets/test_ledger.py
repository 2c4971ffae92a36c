"""Accounts that were lost are charged anew: by the store for what the topic has no more, by the topic for
the rest."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndTimestamp
from msgspec.structs import replace

from schemas.budgets import MONTHLY
from schemas.clock import SystemClock, rfc3339
from schemas.costs import Cost
from schemas.errors import StoreUnavailable
from schemas.exchange import Exchange
from schemas.kafka import KafkaConfig
from schemas.topics import Topics
from sinks.config import SinkConfig
from sinks.document import document
from sinks.sqlite import SQLiteSink
from sinks.sqlite_reports import SQLiteReports
from streams.budgets.base import AccountsUnavailable
from streams.budgets.ledger import Ledger
from streams.budgets.memory import MemoryAccounts
from tests.sinks.samples import exchange, record
from tests.streams.budgets.test_book import book, budget

NOW = 1_900_000_000.0 // 86_400 * 86_400 + 5000
HOUR, DAY = 3600.0, 86_400.0
PLACE = TopicPartition("llm.exchanges", 3)
KEPT = 1000  # the first offset that the topic still has


class At(SystemClock):
    def time(self) -> float:
        return NOW


def spent(number: int, ago: float, cost: int = 100, **fields: Any) -> Exchange:
    """One that finished so long ago."""
    found = exchange(number, at=NOW - ago - 1, cost=Cost(total=cost), user_path="/a/b", **fields)
    return replace(found, finished_at=rfc3339(NOW - ago))


class Topic:
    """A consumer of a topic that has the last two days."""

    def __init__(self, found: list[Exchange]) -> None:
        self.records = found

    async def end_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return {PLACE: KEPT + len(self.records)}

    async def beginning_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return {PLACE: KEPT}

    async def offsets_for_times(self, times: Any) -> dict[TopicPartition, OffsetAndTimestamp]:
        return {PLACE: OffsetAndTimestamp(KEPT, int((NOW - 2 * DAY) * 1000))}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert offset == KEPT


class Record:
    """As aiokafka gives it."""

    def __init__(self, offset: int, found: Exchange) -> None:
        _, self.value, self.headers = record(found)
        self.offset = offset


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[tuple[list[Exchange], SQLiteReports]]:
    """A store of a month, of which the last two days stand in the topic, too."""
    found = [
        spent(1, 3 * DAY),
        spent(2, 3 * DAY, without=("budget",)),
        spent(3, 2 * DAY - 30),  # where topic and store overlap
        spent(4, HOUR),
        spent(5, 90 * DAY),  # of a period that is past
    ]
    sink = SQLiteSink(
        SinkConfig(sqlite_path=str(tmp_path / "s.db"), retention_days=0), SystemClock()
    )
    await sink.write([document(each, bodies=False, body_limit=0) for each in found])
    await sink.close()
    reports = SQLiteReports(str(tmp_path / "s.db"))
    yield found, reports
    await reports.close()


async def test_a_month_is_rebuilt_from_the_store_and_the_topic(
    stored: tuple[list[Exchange], SQLiteReports],
) -> None:
    """Each exchange once, whichever of the two has it, those of both too; nothing of what is past, or that
    its workflow charges to nobody."""
    found, reports = stored
    limits = [budget("/a", MONTHLY, amount=10**6), budget("/a/b", amount=10**6)]
    known, accounts = book(*limits), MemoryAccounts()
    ledger = Ledger(
        KafkaConfig(bootstrap_servers="none", topics=Topics("")),
        known,
        accounts,
        At(),
        shared=False,
    )
    ledger.past = reports
    topic = [
        each for each in found if each.request_id in (found[2].request_id, found[3].request_id)
    ]

    await ledger.place(Topic(topic), [PLACE])  # type: ignore[arg-type]  # what is asked of a consumer
    records: Any = [Record(KEPT + number, each) for number, each in enumerate(topic)]
    assert await ledger._settle(PLACE, records)

    names = [known.spent_accounts(each, NOW)[0] for each in limits]
    assert [spent for spent, _ in await accounts.read(names)] == [300, 100]


class Away(SQLiteReports):
    async def spent(self, partition: int, since: str, until: str) -> Any:
        raise StoreUnavailable


async def test_without_the_store_nothing_is_known(tmp_path: Path) -> None:
    """Nobody is served by accounts of which a part is missing."""
    accounts = MemoryAccounts()
    known = book(budget("/a", MONTHLY))
    ledger = Ledger(
        KafkaConfig(bootstrap_servers="none", topics=Topics("")),
        known,
        accounts,
        At(),
        shared=False,
    )
    ledger.past = Away(str(tmp_path / "none.db"))
    with pytest.raises(AccountsUnavailable):
        await ledger.place(Topic([]), [PLACE])  # type: ignore[arg-type]  # what is asked of a consumer
    assert not ledger._known.is_set()
    assert await accounts.position(3) is None
