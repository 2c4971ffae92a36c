"""/admin/api/v1/routing: sets of rules, fallbacks and aliases, in force on every process at once."""

from __future__ import annotations

import re

from ingress.admin import Asking, Said, answered
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.errors import InvalidRequest, NotFound
from schemas.routing_sets import ROUTING, Checker, RoutingSet

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


async def routing_sets(request: IncomingRequest) -> Answer:
    """GET: all of them, in the order in which they count."""
    return await answered(request, _list)


async def routing_set(request: IncomingRequest, name: str) -> Answer:
    """GET: one. PUT: it is so from now on. DELETE: it is forgotten."""
    work = {"PUT": _put, "DELETE": _delete}.get(request.method, _show)
    return await answered(request, work, name)


async def _list(asking: Asking) -> Said:
    table = asking.objects.objects.table(ROUTING)
    return Said({"sets": [{"name": name, "set": found} for name, found in sorted(table)]})


async def _show(asking: Asking, name: str) -> Said:
    entry = asking.objects.objects.table(ROUTING).entry(name)
    if entry.value is None:
        raise NotFound(f"There is no routing set `{name[:100]}`.")
    return Said(entry.value, version=entry.version)


async def _put(asking: Asking, name: str) -> Said:
    if _NAME.fullmatch(name) is None:
        raise InvalidRequest("A name has letters, digits, dots, dashes, underscores.", param="name")
    found = await asking.body(RoutingSet)
    _checker(asking).check(name, found)
    entry = await asking.objects.put(ROUTING, name, found, expected=asking.expected)
    return Said(entry.value, version=entry.version)


async def _delete(asking: Asking, name: str) -> Said:
    await asking.objects.delete(ROUTING, name, expected=asking.expected)
    return Said(status=204)


def _checker(asking: Asking) -> Checker:
    if asking.gateway.routing is None:
        raise NotFound("Routing is not governed here.")
    return asking.gateway.routing
