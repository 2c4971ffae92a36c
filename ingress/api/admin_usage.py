"""`/admin/api/v1/usage/…`: who used what and what it cost, from the sums that sinks keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from ingress.admin import Asking, Said, answered
from ingress.guards import IncomingRequest
from ingress.heads import head, usage_entry
from ingress.listing import LISTED, asked_for, named, paged, said_in, table, wanted
from ingress.periods import Span, span
from ingress.usage import added, told
from ingress.wire import Answer
from schemas.analytics import Counts, Dimension, Group, Sums, Where
from schemas.errors import InvalidRequest

Json = dict[str, Any]
CacheMode = Literal["uncached", "cached", "all"]
HITS: dict[str, bool | None] = {"uncached": False, "cached": True, "all": None}
TIME = ("days", "start_date", "end_date", "interval", "timezone", "cache_mode", "format")
WHERE = ("model", "provider", "user_path", "auth_key_id")


class _Asked(Struct, frozen=True):
    """What a question for sums says."""

    said: dict[str, str]
    span: Span
    where: Where


async def summary(request: IncomingRequest) -> Answer:
    """GET: one row of everything."""
    return await answered(request, _summary, role="client")


async def daily(request: IncomingRequest) -> Answer:
    """GET: a row for each day, or another interval."""
    return await answered(request, _daily, role="client")


async def models(request: IncomingRequest) -> Answer:
    """GET: a row for each model of each provider."""
    return await answered(request, _grouped("model", "provider"), role="client")


async def providers(request: IncomingRequest) -> Answer:
    """GET: a row for each provider."""
    return await answered(request, _grouped("provider"), role="client")


async def user_paths(request: IncomingRequest) -> Answer:
    """GET: a row for each user path."""
    return await answered(request, _grouped("user_path"), role="client")


async def keys(request: IncomingRequest) -> Answer:
    """GET: a row for each key."""
    return await answered(request, _grouped("client"), role="client")


async def log(request: IncomingRequest) -> Answer:
    """GET: single requests, the newest first."""
    return await answered(request, _log, role="client")


# -- what they do


async def _summary(asking: Asking) -> Said:
    asked = _asked(asking)
    found = told(added(group.counts for group in await _sums(asking, asked)))
    names = ("requests", "input_tokens", "output_tokens", "input_cost", "output_cost")
    row = {f"total_{name}": found.pop(name) for name in names}
    row |= {name: found.pop(name) for name in ("total_tokens", "total_cost")}
    return table(asked.said, row | found)


async def _daily(asking: Asking) -> Said:
    asked = _asked(asking)
    days: dict[str, list[Counts]] = {}
    for group in await _sums(asking, asked, "start"):
        days.setdefault(asked.span.label(group.names[0]), []).append(group.counts)
    return table(asked.said, [{"date": each} | told(added(days[each])) for each in sorted(days)])


def _grouped(*by: Dimension) -> Callable[[Asking], Any]:
    async def work(asking: Asking) -> Said:
        asked = _asked(asking)
        rows = [
            _names(asking, by, group) | told(group.counts)
            for group in await _sums(asking, asked, *by)
        ]
        # What is used most comes first; the names make the order the same each time.
        rows.sort(key=lambda row: (-row["total_tokens"], *(row[name] or "" for name in row["_by"])))
        for row in rows:
            del row["_by"]
        return table(asked.said, rows)

    return work


def _names(asking: Asking, by: tuple[Dimension, ...], group: Group) -> Json:
    row: Json = {}
    for name, value in zip(by, group.names, strict=True):
        if name == "provider":
            row |= {"provider": named(asking, value), "provider_name": value}
        else:
            row["auth_key_id" if name == "client" else name] = value or None
    return row | {"_by": tuple(row)}


async def _log(asking: Asking) -> Said:
    said = said_in(asking, *TIME, *LISTED)
    asked = _asked(asking, said)
    question = wanted(said, asked.span, asked.where, "usage")
    page = await asking.gateway.reports.page(question)
    heads = [head(each) for each in page.documents]
    entries = [usage_entry(each, named(asking, each.provider)) for each in heads]
    return paged(said, question, page.total, heads, entries)


async def _sums(asking: Asking, asked: _Asked, *by: Dimension) -> list[Group]:
    return await asking.gateway.reports.sums(
        Sums(
            since=asked.span.since,
            until=asked.span.until,
            period=asked.span.period,
            by=by,
            where=asked.where,
        )
    )


def _asked(asking: Asking, said: dict[str, str] | None = None) -> _Asked:
    if said is None:
        said = said_in(asking, *TIME, *WHERE)
    mode = said.get("cache_mode", "uncached")
    if mode not in HITS:
        raise InvalidRequest(f"`cache_mode` must be one of {', '.join(HITS)}.", param="cache_mode")
    zone = said.get("timezone") or asking.request.headers.get("x-gomodel-timezone")
    found = span(said, zone, asking.gateway.clock.time())
    return _Asked(said, found, asked_for(asking, said, HITS[mode]))
