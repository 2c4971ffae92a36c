"""What the pages ask the store, over 100,000 exchanges: no exchange is read for a sum, none is sorted for a list."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.analytics import Dimension, Sums, Wanted
from sinks.sql_reports import Speech, count, page, sums
from sinks.sqlite_reports import SPEECH
from tests.dashboard.conftest import EXCHANGES

Question = Callable[[Wanted, Speech], tuple[str, list[object]]]

pytestmark = pytest.mark.xdist_group("dashboard")


@pytest.fixture(scope="module")
def store(history: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{history}?mode=ro", uri=True)
    yield connection
    connection.close()


def planned(store: sqlite3.Connection, statement: str, given: list[object]) -> list[str]:
    """The steps in which SQLite would answer."""
    return [row[3] for row in store.execute(f"EXPLAIN QUERY PLAN {statement}", given)]


@pytest.mark.parametrize(
    "by",
    [(), ("start",), ("model", "provider"), ("provider",), ("user_path",), ("client",)],
    ids=lambda by: "-".join(by) or "all",
)
def test_sums_are_read_from_roll_ups(store: sqlite3.Connection, by: tuple[Dimension, ...]) -> None:
    """Whatever a page sums up, SQLite finds the days in the roll-ups by their key."""
    asked = Sums(since="2020-01-01T00:00:00Z", until="2100-01-01T00:00:00Z", by=by)
    steps = planned(store, *sums(asked, SPEECH))

    assert steps[0].startswith("SEARCH rollups USING PRIMARY KEY (period=?")
    assert not any("exchanges" in step for step in steps)


def test_there_are_far_fewer_roll_ups(store: sqlite3.Connection) -> None:
    """A year of days is a small part of its exchanges, and counts all of them."""
    (rows,) = store.execute("SELECT count(*) FROM exchanges").fetchone()
    days, counted = store.execute(
        "SELECT count(*), sum(requests) FROM rollups WHERE period = 'day'"
    ).fetchone()

    assert rows == counted == EXCHANGES
    assert days < EXCHANGES / 10


@pytest.mark.parametrize("question", [page, count], ids=["page", "count"])
def test_the_newest_are_read_in_their_order(store: sqlite3.Connection, question: Question) -> None:
    """A list begins at the end of an index and stops at its length; equal times alone are sorted."""
    for wanted in (Wanted(), Wanted(since="2026-01-01T00:00:00Z")):
        steps = planned(store, *question(wanted, SPEECH))
        assert any("INDEX exchanges_created_at" in step for step in steps), steps
        assert "USE TEMP B-TREE FOR ORDER BY" not in steps
