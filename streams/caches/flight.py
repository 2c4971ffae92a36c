"""One call that several requests wait for: what came of it so far, as its caller was told it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from providers.canonical.answer import Event
from providers.retelling import Listener
from schemas.clock import Clock
from schemas.errors import GatewayError
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from streams.stages import Call


class Member:
    """A request that waits for a flight."""

    __slots__ = ("_news", "call")

    def __init__(self, call: Call) -> None:
        self.call = call
        self._news = asyncio.Event()

    def wake(self) -> None:
        self._news.set()

    async def news(self) -> None:
        """Something came, or the flight is over."""
        await self._news.wait()
        self._news.clear()


class Flight:
    """The call runs in a task of its own, so that the end of a request that waits for it is not its end.

    Whoever is first among the members pays: the call stands in that request's exchange.
    """

    def __init__(self, call: Call, listener: Listener | None, clock: Clock) -> None:
        """`listener` understands the answer, for askers who want it in another form; None: all want
        it as it is."""
        self.asked = call
        self.call = Call(call.request, call.envelope)  # what the call itself learns
        self.call.lookup, self.call.found = call.lookup, call.found
        self.replies: list[Reply] = []
        self.events: list[Event] = []
        self.started: Started | None = None
        self.end: Completed | Failed | None = None
        self.body = b""  # of the whole answer, as one who asked for no stream gets it
        self.ended_at = 0.0  # epoch seconds
        self.task: asyncio.Task[Any] | None = None
        self.understood = True
        self._listener = listener
        self._pieces: list[bytes] = []
        self._members: list[Member] = []
        self._paid = False
        self._clock = clock

    @property
    def over(self) -> bool:
        """Nothing more will come."""
        return self.end is not None or (self.task is not None and self.task.done())

    @property
    def listener(self) -> Listener | None:
        return self._listener

    # -- members

    def join(self, call: Call) -> Member:
        member = Member(call)
        self._members.append(member)
        return member

    async def leave(self, member: Member) -> None:
        """The last one who leaves ends the call; if it was the first, the next one pays."""
        if member not in self._members:
            return
        pays = self._members[0] is member
        self._members.remove(member)
        if self._members:
            if pays and not self._paid:
                self._members[0].call.waits(False)
            return
        if not self.over and self.task is not None:
            self.task.cancel()
            await asyncio.wait((self.task,))
        if not self._paid:
            self._pay(member)

    def settle(self, member: Member) -> bool:
        """It has seen the end; whether the call is this one's."""
        if self._paid or self._members[0] is not member:
            return False
        self._pay(member)
        return True

    def _pay(self, member: Member) -> None:
        self._paid = True
        call = member.call
        call.attempts += self.call.attempts
        call.rule, call.winner = self.call.rule, self.call.winner
        call.target = self.call.target
        call.upstream_started = self.call.upstream_started
        call.first_content = self.call.first_content

    # -- the call

    def add(self, reply: Reply) -> None:
        """What the call gave."""
        self.replies.append(reply)
        match reply:
            case Started():
                self.started = reply
                if self._listener is not None:
                    self._listener.begin(reply.content_type, reply.model)
            case Chunk():
                self._hear(lambda: self._heard(reply.data))
            case Completed():
                self._hear(lambda: self._finished(reply))
                self._ended(reply)
            case Failed():
                self._ended(reply)
        self.wake()

    def _ended(self, end: Completed | Failed) -> None:
        self.end = end
        self.ended_at = self._clock.time()

    def _heard(self, data: bytes) -> None:
        if self._listener is None:
            self._pieces.append(data)
        else:
            self.events += self._listener.hear(data)

    def _finished(self, end: Completed) -> None:
        if self._listener is None:
            self.body = b"".join([*self._pieces, end.data])
            return
        self.events += self._listener.finish(end.data, end.usage)
        self.body = self._listener.body

    def _hear(self, hear: Callable[[], None]) -> None:
        """What cannot be understood is good for its own caller all the same."""
        if not self.understood:
            return
        try:
            hear()
        except GatewayError:
            self.understood = False

    def wake(self) -> None:
        for member in self._members:
            member.wake()
