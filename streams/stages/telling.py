"""What one follower of a flight is told, and how it goes on when the flight breaks off."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from providers.base import Writer
from providers.canonical.answer import CONTENT, Begin, Counted, Event, TextDelta
from providers.retelling import as_answer, writer
from schemas.envelopes import EVENT_STREAM, JSON
from schemas.errors import GatewayError, InternalError, InvalidRequest
from schemas.exchange import Cached
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from streams.caches.flight import Flight
from streams.caches.lookup import headers
from streams.stages import Call


class Diverged(Exception):
    """The other answer says something else: it cannot be gone on with."""


class _Text:
    """The text that was shown, as long as nothing else was; what another answer must repeat of it."""

    def __init__(self) -> None:
        self.only = True
        self._shown: list[str] = []
        self._missing = ""

    def again(self) -> None:
        """Another answer follows, from its beginning."""
        self._missing = "".join(self._shown)

    @property
    def repeated(self) -> bool:
        return not self._missing

    def new(self, events: Iterable[Event]) -> list[Event]:
        """What of these was not shown yet; Diverged if they do not repeat what was."""
        found: list[Event] = []
        for event in events:
            if not self._missing:
                # A second beginning is none.
                if not (isinstance(event, Begin) and self._shown):
                    found.append(self._noted(event))
            elif isinstance(event, TextDelta):
                found += self._beyond(event)
            elif not isinstance(event, Begin | Counted):
                raise Diverged
        return found

    def _beyond(self, event: TextDelta) -> list[Event]:
        if self._missing.startswith(event.text):
            self._missing = self._missing[len(event.text) :]
            return []
        if not event.text.startswith(self._missing):
            raise Diverged
        rest = event.text[len(self._missing) :]
        self._missing = ""
        return [self._noted(TextDelta(rest))]

    def _noted(self, event: Event) -> Event:
        if isinstance(event, TextDelta) and event.choice == 0:
            self._shown.append(event.text)
        elif not isinstance(event, Begin | Counted):
            self.only = False
        return event


class Telling:
    """Replies for one request, out of the events of a flight, or of one after another."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.done = False
        self.shown = False
        self._writer: Writer | None = None
        self._position = 0
        self._text = _Text()
        self._cause: Failed | None = None  # why it broke off

    def news(self, flight: Flight) -> list[Reply]:
        """The pieces of a stream that came since the last time, once there is something to see."""
        started = flight.started
        if not self.call.streamed or started is None:
            return []
        events = flight.events[self._position :]
        content = any(isinstance(event, CONTENT) for event in events)
        if not events or not (self.shown or content):
            return []
        if self._writer is None:
            self._writer = writer(self.call.request, started.model)
        self.call.abort = self._writer.abort
        self._position += len(events)
        found: list[Reply] = [] if self.shown else [self._started(flight, started)]
        self.shown = True
        try:
            data = self._writer.write(self._text.new(events))
        except Diverged:
            return [*found, self._broken()]
        if data:
            found.append(Chunk(data, content))
        return found

    def end(self, flight: Flight, *, pays: bool, last: bool) -> list[Reply]:
        """The last of all; nothing if another call may do better."""
        end, started = flight.end, flight.started
        key = flight.call.lookup.key if flight.call.lookup is not None else None
        if isinstance(end, Completed) and started is not None and flight.understood:
            try:
                found = self._whole(flight, started, end)
            except Diverged:
                return [self._broken()]
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
        found: list[Reply] = [] if self.shown else [self._started(flight, started)]
        if self.call.streamed:
            told = self._writer or writer(request, started.model)
            rest = self._text.new(flight.events[self._position :])
            if not self._text.repeated:
                raise Diverged
            data = told.write(rest) + told.end()
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
        mistake = isinstance(failed.error, InvalidRequest)
        if self.shown:
            self._cause = self._cause or failed
            if last or mistake or not self._text.only or isinstance(end, Completed):
                return [self._broken()]
            self._text.again()
            self._position = 0
            return []
        if isinstance(end, Completed):
            return []  # it could only not be told again
        # What is wrong with the question is wrong with the same one asked again.
        if last or mistake:
            self.done = True
            return [replace(failed, event=None)]
        return []

    def abort(self, error: GatewayError) -> bytes:
        """The event that ends what was shown."""
        return self._writer.abort(error) if self._writer else self.call.in_band(error)

    def _broken(self) -> Failed:
        """The end in the middle, for the reason of which it broke off first."""
        self.done = True
        error = InternalError()
        failed = self._cause or Failed(error, error.status)
        return replace(failed, event=self.abort(failed.error))

    def _started(self, flight: Flight, started: Started) -> Started:
        key = flight.call.lookup.key if flight.call.lookup is not None else None
        content_type = EVENT_STREAM if self.call.streamed else JSON
        told = headers("HIT (coalesced)", key, 0.0)
        return Started(200, content_type, started.provider, started.model, told)
