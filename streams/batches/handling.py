"""The life of a line: as any request's, and then its result is kept, before its offset is finished."""

from __future__ import annotations

import structlog

from schemas.faultpoints import reach
from streams.batches.worker import Lines
from streams.delivery import Delivery
from streams.handling import Handling
from streams.outcomes import Outcomes

log = structlog.get_logger()


class LineHandling:
    """Runs lines to their outcome; stands before a Handling."""

    def __init__(self, handling: Handling, outcomes: Outcomes, lines: Lines) -> None:
        self._handling = handling
        self._outcomes = outcomes
        self._lines = lines

    async def run(self, delivery: Delivery, *, redelivered: bool) -> None:
        """As Handling.run. A line of a batch that is over is not called, and its outcome says so."""
        request, line = delivery.request, delivery.request.line
        assert line is not None
        if line.again and await self._lines.has_result(line):
            return  # of the two records in the log this is the second
        if delivery.stop_reason is None and not self._lines.is_open(line):
            delivery.stop_reason = "cancelled"
        delivery.request = self._lines.begun(request)
        await self._handling.run(delivery, redelivered=redelivered)
        if (exchange := delivery.outcome) is None:
            offset = self._outcomes.find(delivery.message.partition, request.request_id)
            if offset is None:
                return  # a copy of what ended elsewhere, and was kept there
            try:
                exchange = await self._outcomes.read(delivery.message.partition, offset)
            except LookupError:
                log.warning("outcome_gone", request_id=request.request_id)
                return
        await self._lines.put(line, request.deadline, exchange)
        reach("streams.result_kept")
