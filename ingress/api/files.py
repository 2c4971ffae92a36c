"""`/v1/files` and `/v1/batches`: what providers keep for their callers, as OpenAI has it."""

from __future__ import annotations

from ingress.api import kept_files
from ingress.api.passthrough import path_behind, query_of
from ingress.guards import IncomingRequest
from ingress.intake import Asked, refuse, take
from ingress.wire import Answer
from schemas.batch_lines import is_batch_id
from schemas.errors import InvalidRequest
from schemas.files import is_file_id
from schemas.requests import Operation, Relay

PROVIDER = "sluice-provider"


async def files(request: IncomingRequest, name: str = "") -> Answer | None:
    """Upload, list, get, delete, and the content; the worker knows who keeps what."""
    if is_file_id(name) and request.path.endswith("/content"):
        return await kept_files.content(request, name)
    return await _ask(request, "files")


async def batches(request: IncomingRequest, name: str = "") -> Answer | None:
    """Create, list, get, cancel, and the results."""
    if is_batch_id(name) and request.path.endswith("/results"):
        return await kept_files.results(request, name)
    return await _ask(request, "batches")


async def _ask(request: IncomingRequest, operation: Operation) -> Answer | None:
    try:
        path = path_behind(request, 1) + query_of(request)
    except InvalidRequest as error:
        return await refuse(request, operation, error)
    provider = request.headers.get(PROVIDER) or ""
    if not provider.isascii():
        return await refuse(request, operation, InvalidRequest(f"`{PROVIDER}` must be ASCII."))
    relay = Relay(provider, request.method, path)
    return await take(request, Asked(operation, operation, relay=relay))
