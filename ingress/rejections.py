"""Who was refused: requests of a known caller that never got into the log, each as an exchange of its own
with the outcome `rejected`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from ingress.draft import Draft
from ingress.producer import Log, Told
from schemas import exchange as exchanges, headers as h
from schemas.clock import Clock, rfc3339
from schemas.envelopes import JSON, error_body
from schemas.errors import GatewayError
from schemas.exchange import REFUSED_TYPE, SCHEMA_VERSION, Body, ErrorInfo, Exchange, Timings
from schemas.ids import milliseconds_of
from schemas.metrics import Metrics
from schemas.requests import Operation, Position

if TYPE_CHECKING:
    from ingress.guards import IncomingRequest

BODY_LIMIT = 64 << 10  # bytes of a body that are recorded
PENDING = 256  # records on their way at once; beyond, they are counted and not written
NOWHERE = -1  # the offset of a request that is not in the log


class Rejections:
    """Writes them to `llm.exchanges`, from where sinks store them as they store all others.

    A refusal is answered when its record is acknowledged, so that what was answered is recorded. Where
    that cannot be, with the log away or with very many at once, it is answered all the same and counted.
    """

    def __init__(
        self, producer: Log, topic: str, source: str, metrics: Metrics, clock: Clock
    ) -> None:
        self._log = producer
        self._topic = topic
        self._source = source
        self._clock = clock
        self._pending = 0
        self._lost = {
            reason: metrics.counter("sluice_unrecorded_rejections", reason)
            for reason in ("busy", "log")
        }

    async def note(
        self, request: IncomingRequest, error: GatewayError, operation: Operation = "chat"
    ) -> None:
        """Record that the request was refused, if it is known who asked, and if the log has nothing of it."""
        draft, request.draft = request.draft, None
        if draft is None or request.gateway_id is None:
            return
        if self._pending >= PENDING:
            self._lost["busy"].inc()
            return
        self._pending += 1
        try:
            found = self._exchange(request, request.gateway_id, draft, error, operation)
            if not await self._log.tell(self._record(found)):
                self._lost["log"].inc()
        finally:
            self._pending -= 1

    def _exchange(
        self,
        request: IncomingRequest,
        request_id: str,
        draft: Draft,
        error: GatewayError,
        operation: Operation,
    ) -> Exchange:
        caller, key, now = draft.caller, draft.principal.key, self._clock.time()
        created = (milliseconds_of(request_id) or int(now * 1000)) / 1000
        content_type = request.headers.get("content-type") or JSON
        return Exchange(
            request_id=request_id,
            outcome="rejected",
            created_at=rfc3339(created),
            finished_at=rfc3339(now),
            operation=operation,
            dialect=request.dialect,
            stream=draft.stream,
            source=self._source,
            user_path=draft.principal.path("/") if caller is None else caller.user_path,
            request_model=draft.model,
            status=error.status,
            delivery_attempt=1,
            kafka=Position("", NOWHERE, NOWHERE),
            timings=Timings(total=round(max(0.0, now - created), 6)),
            request=_shortened(draft.content, content_type),
            response=Body(Raw(error_body(request.dialect, error))),
            client=draft.principal.name,
            client_ip=draft.client_ip,
            client_request_id=request.client_request_id,
            traceparent=None if caller is None else caller.traceparent,
            error=ErrorInfo(error.code, error.type, error.message),
            without=() if key is None or key.log_bodies else ("bodies",),
        )

    def _record(self, found: Exchange) -> Told:
        name = found.request_id.encode()
        headers = [
            (h.CE_SPECVERSION, b"1.0"),
            (h.CE_TYPE, REFUSED_TYPE),
            (h.CE_ID, name),
            (h.CE_SOURCE, found.source.encode()),
            (h.CONTENT_TYPE, b"application/json"),
            (h.SCHEMA_VERSION, b"%d" % SCHEMA_VERSION),
        ]
        return Told(self._topic, name, exchanges.encode(found), headers)


def _shortened(content: bytes, content_type: str) -> Body:
    """A body of which nothing is known, and of a long one the beginning."""
    if len(content) <= BODY_LIMIT:
        return exchanges.any_body(content, content_type)
    text = content[:BODY_LIMIT].decode(errors="ignore").encode()
    return exchanges.any_body(text, "text/plain")
