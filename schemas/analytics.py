"""What stores are asked about the exchanges in them: sums by hour or day, lists, one of them."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Raw, Struct

Period = Literal["hour", "day"]
View = Literal["audit", "usage"]
# By these sums are kept. `cache` is the kind of hit, empty for a request that was no hit.
Dimension = Literal["start", "model", "provider", "user_path", "client", "cache"]

# Upper ends of the buckets of both histograms, in seconds; one more bucket has no end.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
BUCKETS = len(BOUNDS) + 1
# Integers all of them, so that sums are the same in every store and in every order. Costs are
# nano-USD; `priced` counts the requests whose cost is known.
SUMS = (
    *("requests", "failed", "cancelled"),
    *("input_tokens", "output_tokens"),
    *("cached_input_tokens", "cache_creation_input_tokens", "reasoning_tokens"),
    *("saved_input_tokens", "saved_output_tokens"),
    *("priced", "input_cost", "output_cost", "total_cost", "saved_cost"),
    "microseconds",  # produced to finished
)
LATENCY = tuple(f"latency_{number}" for number in range(BUCKETS))
FIRST_TOKEN = tuple(f"first_token_{number}" for number in range(BUCKETS))
MEASURES = (*SUMS, *LATENCY, *FIRST_TOKEN)


class Counts(Struct, frozen=True, kw_only=True):
    """Sums over some requests; see SUMS."""

    requests: int = 0
    failed: int = 0  # expired ones, too
    cancelled: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    reasoning_tokens: int = 0
    saved_input_tokens: int = 0  # of hits; in no other count
    saved_output_tokens: int = 0
    priced: int = 0
    input_cost: int = 0
    output_cost: int = 0
    total_cost: int = 0
    saved_cost: int = 0
    microseconds: int = 0
    latency: tuple[int, ...] = (0,) * BUCKETS
    first_token: tuple[int, ...] = (0,) * BUCKETS


class Group(Struct, frozen=True):
    """The sums of one group; `names` are its values of the dimensions that were asked for."""

    names: tuple[str, ...]
    counts: Counts


class Where(Struct, frozen=True, kw_only=True):
    """What must hold of what is counted; None asks nothing."""

    model: str | None = None
    provider: str | None = None
    user_path: str | None = None  # it, and what is below
    client: str | None = None
    hits: bool | None = None


class Sums(Struct, frozen=True, kw_only=True):
    """A question for sums. Times are RFC 3339 in UTC, `since` included, `until` not; both at the
    beginning of a period."""

    since: str
    until: str
    period: Period = "day"
    by: tuple[Dimension, ...] = ()
    where: Where = Where()


class Wanted(Struct, frozen=True, kw_only=True):
    """Which exchanges are listed, the newest first; None asks nothing.

    `before` is the place of the last one that is known, as (created_at, request id).
    """

    since: str | None = None
    until: str | None = None
    requested_model: str | None = None
    model: str | None = None
    provider: str | None = None
    user_path: str | None = None  # it, and what is below
    client: str | None = None
    outcome: str | None = None
    operation: str | None = None
    status: int | None = None
    error: str | None = None  # a code
    stream: bool | None = None
    hits: bool | None = None
    # Only what belongs there: what workflows keep out of it does not, nor into usage what was rejected.
    view: View | None = None
    search: str | None = (
        None  # part of an id, a model, a provider or a user path; case does not matter
    )
    before: tuple[str, str] | None = None
    # The same for those who read the oldest first.
    after: tuple[str, str] | None = None
    offset: int = 0
    limit: int = 50


COUNTED = 10_000  # a list is counted up to here


class Page(Struct, frozen=True):
    """Documents as JSON, without the content of their bodies; and how many there are of them on all
    pages, COUNTED + 1 where there are more."""

    documents: list[Raw]
    total: int


class Reports(Protocol):
    """The store of the exchanges, for those who ask. Raises StoreUnavailable."""

    async def sums(self, asked: Sums) -> list[Group]:
        """One group for each combination of `by`, in no order; none where nothing was counted."""
        ...

    async def page(self, wanted: Wanted) -> Page:
        """The newest first."""
        ...

    async def one(self, request_id: str) -> Raw | None:
        """The whole document as JSON; None if it is not there."""
        ...

    async def close(self) -> None: ...


class Pages(Protocol):
    """A store of which everything can be read. Raises StoreUnavailable."""

    async def after(self, wanted: Wanted) -> list[Raw]:
        """Whole documents, the oldest first; none behind the last one."""
        ...

    async def count(self, wanted: Wanted) -> int:
        """How many there are, all of them."""
        ...

    async def close(self) -> None: ...


class Spent(Struct, frozen=True):
    """What some exchanges of one user path, key and model have used: nano-dollars, tokens."""

    user_path: str
    client: str | None
    model: str | None  # as asked for
    cost: int
    tokens: int


class Spending(Protocol):
    """A store of which budgets are rebuilt. Raises StoreUnavailable."""

    async def spent(self, partition: int, since: str, until: str) -> list[Spent]:
        """By what finished from `since` up to `until`, RFC 3339, of one partition of the log; without what
        no budget is charged for."""
        ...

    async def close(self) -> None: ...


class NoReports:
    """Of a gateway whose store cannot be asked."""

    async def sums(self, asked: Sums) -> list[Group]:
        return []

    async def page(self, wanted: Wanted) -> Page:
        return Page([], 0)

    async def one(self, request_id: str) -> Raw | None:
        return None

    async def close(self) -> None:
        return
