"""The questions of schemas/analytics.py as SQL, for the stores that speak it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from schemas.analytics import COUNTED, MEASURES, Dimension, Group, Spent, Sums, Wanted
from schemas.clock import from_rfc3339, rfc3339
from sinks.rollups import counts_of

SEARCHED = ("request_id", "client_request_id", "request_model", "model", "provider", "user_path")


LONGEST = 2 * 86_400.0  # seconds that a request takes at most, a line of a batch too


class Speech(Struct, frozen=True):
    """In what the stores differ."""

    mark: Callable[[int], str]  # the place of the nth value
    moment: Callable[[str], str]  # a value as the type of a time
    start: str  # the column `start` as text
    contains: Callable[
        [str, str], str
    ]  # whether a column has a value in it, in upper or lower case
    whole: str  # a document
    partition: str  # of the log
    head: str  # a document without the content of its bodies


class Statement:
    """A condition that grows, with its values in the order of their places."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self.given: list[object] = []
        self._conditions: list[str] = []

    def value(self, given: object) -> str:
        """Its place."""
        self.given.append(given)
        return self.speech.mark(len(self.given))

    def add(self, condition: str) -> None:
        self._conditions.append(condition)

    def equal(self, column: str, given: object) -> None:
        """Nothing is asked where nothing is given."""
        if given is not None:
            self.add(f"{column} = {self.value(given)}")

    def span(self, column: str, since: str | None, until: str | None) -> None:
        """From the first on, up to the second and without it."""
        if since is not None:
            self.add(f"{column} >= {self.speech.moment(self.value(since))}")
        if until is not None:
            self.add(f"{column} < {self.speech.moment(self.value(until))}")

    def below(self, path: str | None) -> None:
        """The path itself, or one below it: a range, as "0" is what comes after "/"."""
        if path is not None and path != "/":
            own, first, end = (self.value(path + more) for more in ("", "/", "0"))
            self.add(f"(user_path = {own} OR (user_path >= {first} AND user_path < {end}))")

    def hits(self, wanted: bool | None) -> None:
        """Only what a cache answered, or what it did not."""
        if wanted is not None:
            self.add("cache <> ''" if wanted else "cache = ''")

    @property
    def where(self) -> str:
        return f" WHERE {' AND '.join(self._conditions)}" if self._conditions else ""


def sums(asked: Sums, speech: Speech) -> tuple[str, list[object]]:
    """Rows of the names, then the sums."""
    found = Statement(speech)
    found.equal("period", asked.period)
    found.span("start", asked.since, asked.until)
    where = asked.where
    for column, given in (
        ("model", where.model),
        ("provider", where.provider),
        ("client", where.client),
    ):
        found.equal(column, given)
    found.below(where.user_path)
    found.hits(where.hits)
    names = [speech.start if name == "start" else name for name in asked.by]
    columns = [*names, *(f"sum({name})" for name in MEASURES)]
    grouped = f" GROUP BY {', '.join(asked.by)}" if asked.by else ""
    return f"SELECT {', '.join(columns)} FROM rollups{found.where}{grouped}", found.given


def groups(rows: Iterable[tuple[object, ...]], by: tuple[Dimension, ...]) -> list[Group]:
    """What the statement of sums() gives; without `by` it is one row also of nothing."""
    width = len(by)
    return [
        Group(tuple(map(str, row[:width])), counts_of(row[width:]))  # type: ignore[arg-type]  # sums
        for row in rows
        if row[width] is not None
    ]


def page(wanted: Wanted, speech: Speech) -> tuple[str, list[object]]:
    """Documents as JSON text."""
    found = _listed(wanted, speech)
    if wanted.before is not None:
        moment, request_id = map(found.value, wanted.before)
        found.add(f"(created_at, request_id) < ({speech.moment(moment)}, {request_id})")
    where = found.where
    limit, offset = found.value(wanted.limit), found.value(wanted.offset)
    statement = (
        f"SELECT {speech.head} FROM exchanges{where}"
        f" ORDER BY created_at DESC, request_id DESC LIMIT {limit} OFFSET {offset}"
    )
    return statement, found.given


def count(wanted: Wanted, speech: Speech) -> tuple[str, list[object]]:
    """How many there are on all pages, as far as it is counted."""
    found = _listed(wanted, speech)
    rows = f"SELECT 1 FROM exchanges{found.where} LIMIT {COUNTED + 1}"
    return f"SELECT count(*) FROM ({rows}) AS counted", found.given


def after(wanted: Wanted, speech: Speech) -> tuple[str, list[object]]:
    """Whole documents as JSON text, the oldest first."""
    found = _behind(wanted, speech)
    limit = found.value(wanted.limit)
    statement = (
        f"SELECT {speech.whole} FROM exchanges{found.where}"
        f" ORDER BY created_at, request_id LIMIT {limit}"
    )
    return statement, found.given


def count_after(wanted: Wanted, speech: Speech) -> tuple[str, list[object]]:
    """How many these are on all pages."""
    found = _behind(wanted, speech)
    return f"SELECT count(*) FROM exchanges{found.where}", found.given


def spent(partition: int, since: str, until: str, speech: Speech) -> tuple[str, list[object]]:
    """Rows of the fields of Spent."""
    found = Statement(speech)
    found.span("created_at", longest_before(since), until)  # which has an index
    found.span("finished_at", since, until)
    found.equal(speech.partition, partition)
    found.add("left_out NOT LIKE '%budget%'")
    names = "user_path, client, request_model"
    statement = (
        f"SELECT {names}, sum(coalesce(cost, 0)),"
        " sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0))"
        f" FROM exchanges{found.where} GROUP BY {names}"
    )
    return statement, found.given


def spendings(rows: Iterable[tuple[Any, ...]]) -> list[Spent]:
    """Of these rows."""
    return [
        Spent(path, client, name, int(cost), int(tokens))
        for path, client, name, cost, tokens in rows
    ]


def longest_before(moment: str) -> str:
    """When what finished then was begun at the earliest."""
    return rfc3339(from_rfc3339(moment) - LONGEST)


def _behind(wanted: Wanted, speech: Speech) -> Statement:
    found = _listed(wanted, speech)
    if wanted.after is not None:
        moment, request_id = map(found.value, wanted.after)
        found.add(f"(created_at, request_id) > ({speech.moment(moment)}, {request_id})")
    return found


def _listed(wanted: Wanted, speech: Speech) -> Statement:
    found = Statement(speech)
    found.span("created_at", wanted.since, wanted.until)
    for column, given in (
        ("request_model", wanted.requested_model),
        ("model", wanted.model),
        ("provider", wanted.provider),
        ("client", wanted.client),
        ("outcome", wanted.outcome),
        ("operation", wanted.operation),
        ("status", wanted.status),
        ("error_code", wanted.error),
        ("stream", wanted.stream),
    ):
        found.equal(column, given)
    found.below(wanted.user_path)
    found.hits(wanted.hits)
    if wanted.view is not None:
        found.add(f"left_out NOT LIKE '%{wanted.view}%'")
    if wanted.view == "usage":
        found.add("outcome <> 'rejected'")
    if wanted.search:
        either = [speech.contains(name, found.value(wanted.search)) for name in SEARCHED]
        found.add(f"({' OR '.join(either)})")
    return found
