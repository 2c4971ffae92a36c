"""`/admin/api/v1/audit/…`: what was asked and answered, from the documents that sinks store."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from ingress.admin import Asking, Said, answered
from ingress.guards import IncomingRequest
from ingress.heads import audit_entry, head
from ingress.listing import LISTED, asked_for, named, paged, said_in, wanted
from ingress.periods import span
from ingress.wire import Answer
from schemas.errors import NotFound

ASKED = ("days", "start_date", "end_date", "timezone", "format", *LISTED)


async def log(request: IncomingRequest) -> Answer:
    """GET: requests, the newest first, without their bodies."""
    return await answered(request, _log, role="analyst")


async def entry(request: IncomingRequest, name: str) -> Answer:
    """GET: one, with its bodies and its whole document."""
    return await answered(request, _entry, unquote(name), role="analyst")


# -- what they do


async def _log(asking: Asking) -> Said:
    said = said_in(asking, *ASKED)
    zone = said.get("timezone") or asking.request.headers.get("x-gomodel-timezone")
    asked = span(said, zone, asking.gateway.clock.time())
    question = wanted(said, asked, asked_for(asking, said, None), "audit")
    page = await asking.gateway.reports.page(question)
    heads = [head(each) for each in page.documents]
    entries = [audit_entry(each, named(asking, each.provider)) for each in heads]
    return paged(said, question, page.total, heads, entries)


async def _entry(asking: Asking, name: str) -> Said:
    document = await asking.gateway.reports.one(name)
    if document is None:
        raise NotFound("There is no such exchange, or not yet.")
    found = head(document)
    if asking.principal.path(found.user_path) != found.user_path or "audit" in found.without:
        raise NotFound("There is no such exchange, or not yet.")
    shown: dict[str, Any] = audit_entry(found, named(asking, found.provider), bodies=True)
    return Said(shown | {"exchange": document})
