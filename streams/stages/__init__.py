"""What happens to a request: each stage is a function from handler to handler."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import reduce
from typing import TYPE_CHECKING

from providers.base import Target
from schemas.bodies import Envelope
from schemas.envelopes import error_event
from schemas.errors import GatewayError
from schemas.exchange import Attempt, Cached
from schemas.idempotency import Key
from schemas.replies import Reply
from schemas.requests import Request
from schemas.tracing import Span
from schemas.workflows import Features
from streams.caches.lookup import Lookup

if TYPE_CHECKING:
    from streams.caches.meaning.finding import Found
    from streams.guardrails.guarded import Guarded


def _nobody(waits: bool) -> None:
    return


class Call:
    """One request under way, and what is learnt on the way for its exchange."""

    __slots__ = (
        "abort",
        "attempts",
        "cached",
        "envelope",
        "features",
        "first_content",
        "found",
        "guarded",
        "key",
        "lookup",
        "release",
        "repeats",
        "request",
        "rule",
        "span",
        "streamed",
        "target",
        "upstream_started",
        "waits",
        "winner",
    )

    def __init__(
        self, request: Request, envelope: Envelope, waits: Callable[[bool], None] = _nobody
    ) -> None:
        """`waits` is told when the request only waits for another's call, and when that is over."""
        self.request = request
        self.envelope = envelope
        self.streamed = envelope.stream  # pieces of the answer go out as they come
        self.attempts: list[Attempt] = []
        self.abort: Callable[[GatewayError], bytes] | None = None  # of the answer that has begun
        self.upstream_started: float | None = None  # monotonic seconds, of the first call
        self.first_content: float | None = None  # monotonic seconds
        self.target: Target | None = None  # who is to be called; None: whom the model's name means
        self.winner: Target | None = None  # who ended what another had begun
        self.rule: str | None = None  # the routing rule that held
        self.cached: Cached | None = None  # what the caches were to it; None: they are off
        self.lookup: Lookup | None = None  # by which others may have its answer, or it theirs
        self.found: Found | None = None  # what the semantic cache is to learn from its answer
        self.waits = waits
        self.key: Key | None = None  # its idempotency key
        self.span: Span | None = None  # while it is traced
        self.features: Features | None = None  # what its workflow does for it; None: everything
        self.guarded: Guarded | None = None  # what its guardrails note; None: there are none
        self.repeats: str | None = None  # the request of the same key whose answer it is given
        self.release: Callable[[], None] | None = None  # to be called when its outcome is recorded

    def in_band(self, error: GatewayError) -> bytes:
        """The event that ends the caller's stream with `error`."""
        if self.abort is not None:
            return self.abort(error)
        return error_event(self.request.dialect, error)


Replies = AsyncGenerator[Reply, None]
Handler = Callable[[Call], Replies]
Stage = Callable[[Handler], Handler]


def compose(*stages: Stage, around: Handler) -> Handler:
    """Wrap `around` in `stages`; the first stage is outermost and sees the request first."""
    return reduce(lambda handler, stage: stage(handler), reversed(stages), around)
