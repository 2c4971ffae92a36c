"""`/admin/api/v1/audit/…`: what was asked and answered, from the documents that sinks store."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from ingress.admin import Asking, Said, answered
from ingress.conversation import LIMIT, MOST, thread
from ingress.guards import IncomingRequest
from ingress.heads import Head, audit_entry, head
from ingress.listing import LISTED, asked_for, named, paged, said_in, wanted
from ingress.periods import span
from ingress.wire import Answer
from schemas.errors import InvalidRequest, NotFound

ASKED = ("days", "start_date", "end_date", "timezone", "format", *LISTED)
OF_THREAD = ("log_id", "limit")


async def log(request: IncomingRequest) -> Answer:
    """GET: requests, the newest first, without their bodies."""
    return await answered(request, _log, role="analyst")


async def entry(request: IncomingRequest, name: str) -> Answer:
    """GET: one, with its bodies and its whole document."""
    return await answered(request, _entry, unquote(name), role="analyst")


async def conversation(request: IncomingRequest) -> Answer:
    """GET: the thread of Responses that one stands in, the oldest first, with their bodies."""
    return await answered(request, _conversation, role="analyst")


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
    if not _may_see(asking, found):
        raise NotFound("There is no such exchange, or not yet.")
    shown: dict[str, Any] = audit_entry(found, named(asking, found.provider), bodies=True)
    return Said(shown | {"exchange": document})


async def _conversation(asking: Asking) -> Said:
    said = said_in(asking, *OF_THREAD)
    if not (anchor := said.get("log_id", "").strip()):
        raise InvalidRequest("`log_id` is required.", param="log_id")
    given = said.get("limit", str(LIMIT))
    if not (given.isascii() and given.isdecimal() and 1 <= int(given[:4]) <= MOST):
        raise InvalidRequest(f"`limit` must be from 1 to {MOST}.", param="limit")
    gateway = asking.gateway
    threads = gateway.threads
    documents = (
        await thread(gateway.reports, gateway.answers, threads, anchor, int(given))
        if threads is not None
        else ()
    )
    heads = [each for each in map(head, documents) if _may_see(asking, each)]
    entries = [audit_entry(each, named(asking, each.provider), bodies=True) for each in heads]
    return Said({"anchor_id": anchor, "entries": entries})


def _may_see(asking: Asking, found: Head) -> bool:
    """What a workflow keeps out of the audit log nobody; a key of one path sees what is that path's."""
    return (
        "audit" not in found.without and asking.principal.path(found.user_path) == found.user_path
    )
