"""Below /admin/api/v1/cache: kept answers are forgotten, by key, tag, model, user path, or all; and what
the caches did."""

from __future__ import annotations

from ingress.admin import Asking, Said, answered
from ingress.cache_overview import Day, days, overview
from ingress.guards import IncomingRequest
from ingress.listing import asked_for, said_in
from ingress.periods import span
from ingress.producer import RETRY_AFTER
from ingress.wire import Answer
from schemas.analytics import Sums
from schemas.control import Purge, encode
from schemas.errors import InvalidRequest, LogUnavailable, NotFound, StoreUnavailable

MEANT = ("key", "tag", "model", "user_path")
OF_DAYS = ("days", "start_date", "end_date", "interval", "timezone", "user_path")


async def cache_overview(request: IncomingRequest) -> Answer:
    """GET: what the caches of all workers did, by their last heartbeats; hits by day from the store."""
    return await answered(request, _overview)


async def purge(request: IncomingRequest, name: str | None = None) -> Answer:
    """DELETE: all that is said must hold of what is forgotten. Every worker does it as it reads of it."""
    return await answered(request, _purge, *(() if name is None else (name,)))


async def _overview(asking: Asking) -> Said:
    _cached_here(asking)
    said = said_in(asking, *OF_DAYS)
    reports = asking.gateway.workers.caches.values()
    try:
        daily = await _daily(asking, said)
    except StoreUnavailable:
        if said:
            raise
        return Said(overview(reports, None))
    return Said(overview(reports, daily, of_days=bool(said)))


async def _daily(asking: Asking, said: dict[str, str]) -> list[Day]:
    zone = said.get("timezone") or asking.request.headers.get("x-gomodel-timezone")
    asked = span(said, zone, asking.gateway.clock.time())
    question = Sums(
        since=asked.since,
        until=asked.until,
        period=asked.period,
        by=("start", "cache"),
        where=asked_for(asking, said, hits=True),
    )
    return days(await asking.gateway.reports.sums(question), asked)


async def _purge(asking: Asking, name: str | None = None) -> Said:
    _cached_here(asking)
    asked = _asked(asking.request, name, asking.gateway.clock.time())
    if not await asking.gateway.log.signal(*encode(asked)):
        raise LogUnavailable(retry_after=RETRY_AFTER)
    return Said(asked, 202)


def _cached_here(asking: Asking) -> None:
    if asking.gateway.config.sharing is None:
        raise NotFound(
            "Answers are not cached here: set RESPONSE_CACHE_SIMPLE_ENABLED or SEMANTIC_CACHE_ENABLED."
        )


def _asked(request: IncomingRequest, name: str | None, now: float) -> Purge:
    said = {each: values[0] for each, values in request.args.items() if values}
    if unknown := said.keys() - {*MEANT}:
        # One that is mistyped must not make it a purge of everything.
        raise InvalidRequest(
            f"`{min(unknown)[:50]}` is unknown: there are key, tag, model and user_path.",
            param=min(unknown)[:50],
        )
    return Purge(
        time=now,
        key=name or said.get("key"),
        tag=said.get("tag"),
        model=said.get("model"),
        user_path=said.get("user_path"),
    )
