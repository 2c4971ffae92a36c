"""Requests that hold a commit back are produced again, so that their old offset can be finished.

The copy stands on the same topic and in the same partition, and attaches to the running request.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from schemas import headers as h
from schemas.faultpoints import reach
from schemas.headers import Headers
from schemas.metrics import Metrics
from schemas.requests import Position
from schemas.tasks import Tasks
from streams.delivery import Delivery
from streams.log import Log, Undeliverable

log = structlog.get_logger()


class Mover:
    """Moves pinned requests forward in the log."""

    def __init__(self, producers: Log, tasks: Tasks, metrics: Metrics) -> None:
        self._log = producers
        self._tasks = tasks
        self._moved = metrics.counter("sluice_moved_requests")
        self.fatal: Callable[[BaseException], None] = lambda error: None

    def move(self, delivery: Delivery, position: Position) -> None:
        """Produce a request again whose record at `position` holds the commit back."""
        if delivery.moving or not delivery.started:
            return
        delivery.moving = True
        self._tasks.start(
            self._move(delivery, position), name=f"move {delivery.request.request_id}"
        )

    async def _move(self, delivery: Delivery, position: Position) -> None:
        message = delivery.message
        headers: Headers = [(n, v) for n, v in message.headers if n != h.REQUEST_ID]
        headers.append((h.REQUEST_ID, delivery.request.request_id.encode()))
        try:
            await self._log.write(
                position.topic,
                message.value,
                key=message.key,
                headers=headers,
                partition=position.partition,
            )
        except Undeliverable as error:  # too large with one header more: it goes on pinning
            log.warning("move_refused", request_id=delivery.request.request_id, error=str(error))
            return
        except Exception as error:  # the edge: an effect on the log failed for good
            log.exception("move_failed", request_id=delivery.request.request_id)
            self.fatal(error)
            return
        reach("streams.moved")  # the old offset is finished when the copy attaches
        self._moved.inc()
