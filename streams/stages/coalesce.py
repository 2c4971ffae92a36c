"""Equal requests that run at the same time make one call: the first leads, the others follow.

The call belongs to none of them. A leader that goes leaves it to the next; one whose call fails before
a follower has shown anything is followed by another call, for which one of the followers leads; so is
one that broke off in the middle of a text, as long as the other call repeats it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from msgspec.structs import replace

from providers.retelling import Listener
from schemas.clock import Clock
from schemas.errors import InvalidRequest
from schemas.exchange import Cached
from schemas.metrics import Metrics
from schemas.replies import Completed, Failed, Reply, Started
from schemas.tasks import Tasks
from streams.caches.flight import Flight
from streams.caches.lookup import Lookup, headers
from streams.stages import Call, Handler, Replies
from streams.stages.telling import Telling

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
        telling = Telling(call)
        for left in reversed(range(FOLLOWED)):
            flight = self._joinable(lookup)
            own = flight is None
            if flight is None:
                if not telling.shown:
                    break
                flight = self._flight(call, lookup)  # to go on where the other one stopped
                call.abort = telling.abort
            async with aclosing(self._followed(telling, flight, own, last=left == 0)) as replies:
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

    async def _followed(
        self, telling: Telling, flight: Flight, own: bool, *, last: bool
    ) -> Replies:
        """Ends without a terminal reply if the call failed and another one may do better. `own`: it is
        the first of those who wait for this flight."""
        call = telling.call
        member = flight.join(call)
        call.waits(not own)
        try:
            while not flight.over and flight.understood:
                for reply in telling.news(flight):
                    yield reply
                if telling.done:
                    return
                await member.news()
            pays = flight.settle(member) if flight.over else False
            for reply in telling.end(flight, pays=pays, last=last):
                yield reply
        finally:
            call.waits(False)
            await flight.leave(member)
        if telling.done:
            self._counted["miss" if pays else "coalesced"].inc()


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
