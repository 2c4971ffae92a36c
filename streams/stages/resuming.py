"""Ends a stream that broke off after a part of it had gone out: by another candidate, or in-band."""

from __future__ import annotations

from contextlib import aclosing

from msgspec.structs import replace

from providers.resuming.prefill import continued
from providers.resuming.sequel import Diverged, Sequel, Told, Way, told
from schemas.envelopes import error_event
from schemas.errors import GatewayError
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply
from schemas.requests import Request
from streams.routing.attempts import Attempts, Run
from streams.routing.config import Recovery
from streams.stages import Call, Handler, Replies

# In this order at each candidate.
_WAYS: dict[Recovery, tuple[Way, ...]] = {
    "splice": ("splice",),
    "continue": ("continue", "splice"),
    "error": (),
}


class Resuming:
    """Only candidates that were not asked yet are asked, each once a way."""

    def __init__(self, handler: Handler, attempts: Attempts, metrics: Metrics) -> None:
        self._handler = handler
        self._attempts = attempts
        self._retries = metrics.counter("sluice_retries")
        self._failovers = metrics.counter("sluice_failovers")

    async def ended(self, call: Call, run: Run) -> Replies:
        """The rest of a stream that has failed."""
        story = _Story(call, run)
        while (task := story.next()) is not None and await self._attempts.begin(call, run):
            self._retries.inc()
            self._failovers.inc()
            call.request = task.request
            try:
                async with aclosing(self._handler(call)) as replies:
                    async for reply in replies:
                        if (found := task.take(reply)) is not None:
                            call.abort = story.abort
                            yield found
                        if task.over:
                            break
            finally:
                call.request = task.original
                run.end = task.end
                self._attempts.end(call, run)
                task.noted(call, run)
            if task.end is not None and isinstance(task.end, Completed):
                call.winner = run.target
                yield task.end
                return
            story.goes_on(task)
        yield story.failed


class _Task:
    """One attempt to go on."""

    def __init__(self, request: Request, so_far: Told, way: Way) -> None:
        self.original = request
        self._way = way
        self._sequel: Sequel = so_far.sequel(way)
        changed = continued(request, so_far.text) if way == "continue" else request
        self.possible = changed is not None
        self.request = changed or request
        self.sent: list[bytes] = []
        self.end: Completed | Failed | None = None
        self.over = False
        self._diverged = False

    @property
    def outage(self) -> bool:
        """Else it answered, but not so that it could be joined."""
        return isinstance(self.end, Failed) and self.end.error.retryable

    def take(self, reply: Reply) -> Reply | None:
        """What goes out of it now, but for its end."""
        if isinstance(reply, Failed):
            self.end, self.over = reply, True
            return None
        try:
            if isinstance(reply, Completed):
                self.end = replace(reply, data=self._sequel.finish(reply.data))
                self.over = True
            elif isinstance(reply, Chunk) and (data := self._sequel.feed(reply.data)):
                self.sent.append(data)
                return Chunk(data)
        except Diverged:
            self._diverged = self.over = True
        return None

    def noted(self, call: Call, run: Run) -> None:
        """For the exchange."""
        if run.attempt is not None:
            changes = {"error": "diverged"} if self._diverged else {}
            call.attempts[-1] = replace(call.attempts[-1], resumed=self._way, **changes)


class _Story:
    """What the caller has seen so far, and who may go on with it."""

    def __init__(self, call: Call, run: Run) -> None:
        assert isinstance(run.end, Failed)
        self._call = call
        self._run = run
        self._cause = run.end
        self._ways: list[Way] = []
        self._so_far: Told | None = None
        self._more = False  # went out since it broke off
        if run.recoverable and self._cause.error.retryable:
            self._so_far = told(call.request.dialect, b"".join(run.told))
            self._move()

    @property
    def failed(self) -> Failed:
        """The end, if nobody could go on."""
        if not self._more:
            return self._cause
        return replace(self._cause, event=self.abort(self._cause.error))

    def abort(self, error: GatewayError) -> bytes:
        """The event that ends the stream in-band."""
        if self._so_far is None:
            return error_event(self._call.request.dialect, error)
        return self._so_far.abort(error)

    def next(self) -> _Task | None:
        """How the next one is asked."""
        while self._so_far is not None and self._ways:
            task = _Task(self._call.request, self._so_far, self._ways[0])
            if task.possible:
                return task
            del self._ways[0]
        return None

    def goes_on(self, task: _Task) -> None:
        """It was not whole either."""
        if task.sent:
            self._more = True
            self._run.told += task.sent
            self._so_far = told(self._call.request.dialect, b"".join(self._run.told))
        elif not task.outage and len(self._ways) > 1:
            del self._ways[0]  # the same candidate in another way
            return
        self._move()

    def _move(self) -> None:
        self._run.move()
        self._ways = list(_WAYS[self._run.plan.recovery])
