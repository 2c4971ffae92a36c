"""/admin/api/v1/dashboard/config: which features are on, by the names of their settings, as GoModel has it."""

from __future__ import annotations

from ingress.admin import Asking, Said, answered
from ingress.guards import IncomingRequest
from ingress.wire import Answer


async def switches(request: IncomingRequest) -> Answer:
    """GET: `on` or `off` of each feature; of the fallbacks their mode."""
    return await answered(request, _switches, role="analyst")


async def _switches(asking: Asking) -> Said:
    return Said(dict(asking.gateway.switches))
