"""Equal requests that run at the same time make one call: the first leads, the others follow.

The call belongs to none of them. A leader that goes leaves it to the next; one whose call fails before
a follower has shown anything is followed by another call, for which one of the followers leads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from msgspec.structs import replace

from providers.base import Writer
from providers.canonical.answer import CONTENT
from providers.retelling import Listener, as_answer, writer
from schemas.clock import Clock
from schemas.envelopes import EVENT_STREAM, JSON
from schemas.errors import GatewayError, InternalError, InvalidRequest
from schemas.exchange import Cached
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.tasks import Tasks
from streams.caches.flight import Flight
from streams.caches.lookup import Lookup, headers
from streams.stages import Call, Handler, Replies

Keep = Callable[[Flight], Awaitable[None]]
FOLLOWED = 2  # calls that failed for one follower before it is told so


class Coalesce:
    """A Handler around the calls; `keep` is told of each whole answer."""

    def __init__(
        self, handler: Handler, keep: Keep, clock: Clock, metrics: Metrics, *, shared: bool = True
    ) -> None:
        self._handler = handler
        self._keep = keep
        self._clock = clock
        self._shared = shared
        self._flights: dict[str, Flight] = {}
        self._tasks = Tasks()
        self._counted = {
            kind: metrics.counter("sluice_cache_requests", kind)
            for kind in ("coalesced", "miss", "bypass")
        }

    async def close(self) -> None:
        await self._tasks.abort()

    def __call__(self, call: Call) -> Replies:
        return self._handler(call) if call.lookup is None else self._answered(call, call.lookup)

    async def _answered(self, call: Call, lookup: Lookup) -> Replies:
        telling = _Telling(call)
        for left in reversed(range(FOLLOWED)):
            flight = self._joinable(lookup)
            if flight is None:
                break
            async with aclosing(self._followed(telling, flight, last=left == 0)) as replies:
                async for reply in replies:
                    yield reply
            if telling.done:
                return
        async with aclosing(self._led(call, lookup)) as replies:
            async for reply in replies:
                yield reply

    def under_way(self, lookup: Lookup) -> bool:
        """Whether an equal request could be followed."""
        return self._joinable(lookup) is not None

    def _joinable(self, lookup: Lookup) -> Flight | None:
        flight = self._flights.get(lookup.key) if self._may_follow(lookup) else None
        if flight is None or not flight.understood:
            return None
        return None if flight.over and not isinstance(flight.end, Completed) else flight

    def _may_follow(self, lookup: Lookup) -> bool:
        return self._shared and lookup.control.read

    # -- leading

    def _flight(self, call: Call, lookup: Lookup) -> Flight:
        listener = Listener(call.request) if call.request.operation == "chat" else None
        flight = Flight(call, listener, self._clock)
        if self._may_follow(lookup):
            self._flights[lookup.key] = flight
        name = f"call for {call.request.request_id}"
        flight.task = self._tasks.start(self._fly(flight, lookup.key), name=name)
        flight.task.add_done_callback(lambda task: flight.wake())
        call.abort = flight.call.in_band
        return flight

    async def _fly(self, flight: Flight, key: str) -> None:
        try:
            async with aclosing(self._handler(flight.call)) as replies:
                async for reply in replies:
                    flight.add(reply)
            if isinstance(flight.end, Completed) and flight.understood:
                await self._keep(flight)
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]

    async def _led(self, call: Call, lookup: Lookup) -> Replies:
        try:
            flight = self._flight(call, lookup)
        except InvalidRequest:  # what cannot be said in other words cannot be told again
            async with aclosing(self._alone(call)) as replies:
                async for reply in replies:
                    yield reply
            return
        self._counted["miss"].inc()
        call.cached = Cached("miss", lookup.key)
        member = flight.join(call)
        position = 0
        try:
            while True:
                while position < len(flight.replies):
                    reply = flight.replies[position]
                    position += 1
                    if isinstance(reply, Completed | Failed):
                        flight.settle(member)
                        yield reply
                        return
                    yield _named(reply, lookup)
                if flight.over:
                    self._raise_of(flight)
                await member.news()
        finally:
            await flight.leave(member)

    @staticmethod
    def _raise_of(flight: Flight) -> None:
        """A fault of ours in the call is one of the request that leads."""
        if flight.end is None and flight.task is not None:
            flight.task.result()
            raise RuntimeError("the handler ended without a terminal reply")

    async def _alone(self, call: Call) -> Replies:
        self._counted["bypass"].inc()
        call.cached = Cached("bypass")
        async with aclosing(self._handler(call)) as replies:
            async for reply in replies:
                yield bypassed(reply)

    # -- following

    async def _followed(self, telling: _Telling, flight: Flight, *, last: bool) -> Replies:
        """Ends without a terminal reply if the call failed and another one may do better."""
        call = telling.call
        member = flight.join(call)
        call.waits(True)
        try:
            while not flight.over and flight.understood:
                for reply in telling.news(flight):
                    yield reply
                await member.news()
            pays = flight.settle(member) if flight.over else False
            for reply in telling.end(flight, pays=pays, last=last):
                yield reply
        finally:
            call.waits(False)
            await flight.leave(member)
        if telling.done:
            self._counted["miss" if pays else "coalesced"].inc()


class _Telling:
    """What one follower is told."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.done = False
        self._writer: Writer | None = None
        self._position = 0
        self._shown = False

    def news(self, flight: Flight) -> list[Reply]:
        """The pieces of a stream that came since the last time, once there is something to see."""
        started = flight.started
        if not self.call.streamed or started is None:
            return []
        events = flight.events[self._position :]
        content = any(isinstance(event, CONTENT) for event in events)
        if not events or not (self._shown or content):
            return []
        if self._writer is None:
            self._writer = writer(self.call.request, started.model)
            self.call.abort = self._writer.abort
        self._position += len(events)
        found: list[Reply] = [] if self._shown else [self._started(flight, started)]
        self._shown = True
        if data := self._writer.write(events):
            found.append(Chunk(data, content))
        return found

    def end(self, flight: Flight, *, pays: bool, last: bool) -> list[Reply]:
        """The last of all; nothing if another call may do better."""
        end, started = flight.end, flight.started
        key = flight.call.lookup.key if flight.call.lookup is not None else None
        if isinstance(end, Completed) and started is not None and flight.understood:
            try:
                found = self._whole(flight, started, end)
            except GatewayError:
                pass  # below
            else:
                self.done = True
                saved = None if pays else end.usage
                self.call.cached = Cached("miss" if pays else "coalesced", key, 0.0, saved)
                last_reply = replace(found[-1], usage=end.usage if pays else None)
                return [*found[:-1], last_reply]
        return self._failed(end, pays=pays, last=last)

    def _whole(self, flight: Flight, started: Started, end: Completed) -> list[Reply]:
        request = self.call.request
        found: list[Reply] = [] if self._shown else [self._started(flight, started)]
        if self.call.streamed:
            told = self._writer or writer(request, started.model)
            data = told.write(flight.events[self._position :]) + told.end()
        elif request.operation == "chat":
            data = as_answer(request, flight.body)
        else:
            data = flight.body
        return [*found, replace(end, data=data)]

    def _failed(self, end: Completed | Failed | None, *, pays: bool, last: bool) -> list[Reply]:
        if isinstance(end, Failed):
            failed = end if pays else replace(end, usage=None)
        else:
            error = InternalError()
            failed = Failed(error, error.status)
        if self._shown:
            self.done = True
            return [replace(failed, event=self.call.in_band(failed.error))]
        if isinstance(end, Completed):
            return []  # it could only not be told again
        # What is wrong with the question is wrong with the same one asked again.
        if last or isinstance(failed.error, InvalidRequest):
            self.done = True
            return [replace(failed, event=None)]
        return []

    def _started(self, flight: Flight, started: Started) -> Started:
        key = flight.call.lookup.key if flight.call.lookup is not None else None
        content_type = EVENT_STREAM if self.call.streamed else JSON
        told = headers("HIT (coalesced)", key, 0.0)
        return Started(200, content_type, started.provider, started.model, told)


def _named(reply: Reply, lookup: Lookup) -> Reply:
    if isinstance(reply, Started):
        told = headers("MISS", lookup.key)
        return replace(reply, http_headers={**reply.http_headers, **told})
    return reply


def bypassed(reply: Reply) -> Reply:
    """With the word that no cache had a part in it."""
    if isinstance(reply, Started):
        return replace(reply, http_headers={**reply.http_headers, **headers("BYPASS")})
    return reply
