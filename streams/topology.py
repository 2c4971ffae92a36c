"""What happens to a request, top to bottom. The only file with `@app.agent`.

llm.requests ─▶ process ─▶ Inflight ─▶ Handling ─▶ claims ─▶ guardrails ─▶ idempotency ─▶ resources ─▶ failover ─▶ call ─▶ provider
                                          │
                                          ├─▶ llm.exchanges   the outcome, first
                                          ├─▶ llm.replies     its last piece, then
                                          └─▶ the offset is finished
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import faust

from schemas.topics import Topics
from streams.inflight import Inflight
from streams.stages import Handler, Stage, compose


def pipeline(
    call: Handler,
    *,
    before: Sequence[Stage],
    idempotency: Stage,
    resources: Stage,
    failover: Stage,
    cached: Sequence[Stage] = (),
) -> Handler:
    """The stages around the provider's call, outermost first."""
    return compose(
        *before,  # bodies that were too large for the log are fetched; guardrails
        idempotency,  # one call for all requests with one key
        resources,  # files and batches: as many calls as it takes
        *cached,  # kept answers, equal calls under way, then budgets; what is off is not there
        failover,  # who is asked, and who next
        around=call,
    )


def wire(app: faust.App, topics: Topics, inflight: Inflight) -> None:
    """Declare the processor of the request topics, of which one consumer reads both."""
    requests = app.topic(*topics.lanes, key_type=bytes, value_type=bytes, value_serializer="raw")

    @app.agent(requests, name="requests")
    async def process(stream: Any) -> None:
        # noack: offsets are finished by the ledger, when the outcome is recorded. The body never
        # waits and never raises: a loop that does stops every other request.
        async for event in stream.noack().events():
            inflight.admit(event.message)
