"""Requests of one owner with one `Idempotency-Key` make one call: who comes while it runs joins it, who
comes later is given the recorded answer, and whoever asks something else is told so (docs/adr/0012).

They stand in one partition, so that one worker decides; the first of them leads. As in coalescing, the
call belongs to none of them. One that fails leaves the key free: the same request may be tried again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from msgspec.structs import replace

from providers.retelling import Listener, as_answer, as_stream
from schemas.clock import Clock
from schemas.envelopes import EVENT_STREAM, JSON
from schemas.errors import GatewayError, IdempotencyKeyReused, InternalError
from schemas.exchange import Exchange
from schemas.idempotency import Kept, Key
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.tasks import Tasks
from streams.budgets.rate_headers import merged
from streams.caches.flight import Flight
from streams.keys import Keys
from streams.stages import Call, Handler, Replies

HEADER = "idempotent-replayed"
Read = Callable[[int, int], Awaitable[Exchange]]  # partition, offset; LookupError if it is gone


class _Shared:
    """A call for one key, for as long as an outcome of it may still have to be recorded."""

    __slots__ = ("flight", "holders", "key")

    def __init__(self, flight: Flight, key: Key) -> None:
        self.flight = flight
        self.key = key
        self.holders = 0

    @property
    def joinable(self) -> bool:
        return not self.flight.over or isinstance(self.flight.end, Completed)


class Idempotency:
    """A Handler around all others."""

    def __init__(
        self, handler: Handler, keys: Keys, read: Read, clock: Clock, metrics: Metrics
    ) -> None:
        """`read` gives a recorded exchange of a partition."""
        self._handler = handler
        self._keys = keys
        self._read = read
        self._clock = clock
        self._running: dict[bytes, _Shared] = {}
        self._tasks = Tasks()
        self._counted = {
            kind: metrics.counter("sluice_idempotent_requests", kind)
            for kind in ("first", "joined", "stored", "refused")
        }

    def __call__(self, call: Call) -> Replies:
        return self._handler(call) if call.key is None else self._answered(call, call.key)

    async def _answered(self, call: Call, key: Key) -> Replies:
        if (kept := self._keys.find(key)) is not None:
            found = await self._stored(call, key, kept)
            for reply in found:
                yield reply
            if found:
                return
        # From here to the start of a call nothing waits: of two only one can be the first.
        shared = self._running.get(key.name)
        if shared is None or not shared.joinable:
            replies = self._told(call, self._begin(call, key))
        elif shared.key.fingerprint != key.fingerprint:
            replies = self._refused()
        else:
            self._counted["joined"].inc()
            call.repeats = shared.flight.asked.request.request_id
            replies = self._told(call, shared)
        async with aclosing(replies):
            async for reply in replies:
                yield reply

    async def _refused(self) -> Replies:
        yield self._refusal()

    def _refusal(self) -> Failed:
        self._counted["refused"].inc()
        error = IdempotencyKeyReused()
        return Failed(error, error.status)

    # -- what is recorded

    async def _stored(self, call: Call, key: Key, kept: Kept) -> list[Reply]:
        """The recorded answer; nothing if it is gone."""
        if kept.fingerprint != key.fingerprint:
            return [self._refusal()]
        try:
            exchange = await self._read(key.partition, kept.offset)
            if (body := exchange.response) is None or body.format == "claim":
                raise LookupError
        except LookupError:
            self._keys.forget(key)
            return []
        model = exchange.attempts[-1].model if exchange.attempts else exchange.response_model or ""
        try:
            data = _as_asked(call, body.content(), body.content_type, model)
        except GatewayError:
            return [self._refusal()]
        self._counted["stored"].inc()
        call.repeats = exchange.repeats or exchange.request_id
        headers = exchange.http_headers if isinstance(exchange.http_headers, dict) else {}
        started = Started(
            exchange.status,
            _type_of(call, body.content_type),
            exchange.provider or "",
            model,
            merged(headers, {HEADER: "true"}),
        )
        end = Completed(data, exchange.finish_reason, None, exchange.response_model)
        if not call.streamed:
            return [started, end]
        return [started, Chunk(data), replace(end, data=b"")]

    # -- what runs

    def _begin(self, call: Call, key: Key) -> _Shared:
        self._counted["first"].inc()
        flight = Flight(call, None, self._clock)
        shared = self._running[key.name] = _Shared(flight, key)
        flight.task = self._tasks.start(
            self._fly(flight), name=f"call for {call.request.request_id}"
        )
        flight.task.add_done_callback(lambda task: flight.wake())
        return shared

    async def _fly(self, flight: Flight) -> None:
        async with aclosing(self._handler(flight.call)) as replies:
            async for reply in replies:
                flight.add(reply)

    def _hold(self, call: Call, shared: _Shared) -> None:
        """Who comes until the outcome is recorded, and the key with it, joins all the same."""
        shared.holders += 1

        def release() -> None:
            shared.holders -= 1
            if not shared.holders and self._running.get(shared.key.name) is shared:
                del self._running[shared.key.name]

        call.release = release

    async def _told(self, call: Call, shared: _Shared) -> Replies:
        """What the call gives, piece by piece; to those who want it in another form at the end."""
        self._hold(call, shared)
        flight = shared.flight
        member = flight.join(call)
        call.abort = flight.call.in_band
        if call.repeats is not None:
            call.waits(True)
        position = 0
        try:
            while True:
                pieces = flight.replies[position:] if _same(call, flight.asked) else []
                position += len(pieces)
                if call.request.relay is not None:
                    call.streamed = flight.call.streamed  # only the answer says it
                for reply in pieces:
                    if isinstance(reply, Started | Chunk):
                        yield _marked(reply) if call.repeats is not None else reply
                if flight.over:
                    break
                await member.news()
            for reply in self._end(call, flight, pays=flight.settle(member)):
                yield reply
        finally:
            call.waits(False)
            await flight.leave(member)

    def _end(self, call: Call, flight: Flight, *, pays: bool) -> list[Reply]:
        end, started = flight.end, flight.started
        if pays:
            call.cached = flight.call.cached
        if end is None:
            if call.repeats is None and flight.task is not None:
                flight.task.result()  # a fault of ours in the call is one of the request that leads
            error = InternalError()
            return [Failed(error, error.status)]
        end = end if pays else replace(end, usage=None)
        if isinstance(end, Failed) or started is None or _same(call, flight.asked):
            return [end]
        try:
            data = _as_asked(call, flight.body, started.content_type, started.model)
        except GatewayError:
            return [self._refusal()]
        head = replace(_marked(started), content_type=_type_of(call, started.content_type))
        if not call.streamed:
            return [head, replace(end, data=data)]
        return [head, Chunk(data), replace(end, data=b"")]


def _same(call: Call, asked: Call) -> bool:
    """Whether it is told the answer byte by byte as the one who asked first."""
    if call is asked or call.request.relay is not None:
        return True
    return call.streamed == asked.streamed and not _named(call)


def _named(call: Call) -> bool:
    """Whether its caller was told a name for the answer already: a Response in the background."""
    request = call.request
    return request.keep and request.dialect == "openai_responses" and not call.streamed


def _marked(reply: Reply) -> Reply:
    if isinstance(reply, Started):
        return replace(reply, http_headers={**reply.http_headers, HEADER: "true"})
    return reply


def _fits(call: Call, content_type: str) -> bool:
    """Whether an answer is streamed where its caller wants a stream; what is relayed is as it is."""
    return call.request.relay is not None or (
        content_type.startswith(EVENT_STREAM) == call.streamed
    )


def _type_of(call: Call, content_type: str) -> str:
    if _fits(call, content_type):
        return content_type
    return EVENT_STREAM if call.streamed else JSON


def _as_asked(call: Call, body: bytes, content_type: str, model: str) -> bytes:
    """A whole answer in the form that this request asks for; GatewayError if it cannot be had in it."""
    request = call.request
    if _fits(call, content_type):
        return as_answer(request, body) if _named(call) else body
    if request.operation != "chat":
        raise IdempotencyKeyReused
    if call.streamed:
        return as_stream(request, body, model)
    listener = Listener(request)
    listener.begin(content_type, model)
    listener.hear(body)
    listener.finish(b"", None)
    return listener.body
