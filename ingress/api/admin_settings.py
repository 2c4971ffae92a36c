"""/admin/api/v1/settings: what this process was started with, for admins."""

from __future__ import annotations

from ingress.admin import Asking, Said, answered
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.errors import NotFound


async def settings(request: IncomingRequest) -> Answer:
    """GET: settings with their values and places, secrets masked, and the providers."""
    return await answered(request, _show)


async def _show(asking: Asking) -> Said:
    if asking.gateway.configured is None:
        raise NotFound("What is configured is not told here.")
    return Said(asking.gateway.configured())
