"""What a caller was told of a stream, and another stream that goes on from there, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from providers.resuming.grammar import GRAMMARS, Event, Grammar, Read
from providers.sse import Events, payload
from schemas.envelopes import error_event
from schemas.errors import GatewayError

Way = Literal["splice", "continue"]
# A text that has so many characters in common with the beginning was begun anew, not gone on with.
BEGUN_ANEW = 24
_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode


class Diverged(Exception):
    """The other stream says something else; what it says cannot be joined."""


class Told:
    """The events that went out to a caller."""

    def __init__(self, grammar: Grammar, dialect: str, data: bytes) -> None:
        """Diverged if something was told that no other stream can repeat: anything but one text."""
        self._grammar = grammar
        self._dialect = dialect
        self._events: list[Event] = []
        self._pieces: list[str] = []
        self.note(data)

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def note(self, data: bytes) -> None:
        """More went out."""
        for event, _ in _events(Events(), data):
            if event is None:
                continue
            read = self._grammar.read(event)
            if read.kind in ("other", "thought") or read.ends:
                raise Diverged
            self._events.append(event)
            if read.kind == "text":
                self._pieces.append(read.text)

    def abort(self, error: GatewayError) -> bytes:
        """The event that ends the stream in-band."""
        sequence = self._grammar.identity(self._events).get("sequence", -1)
        return error_event(self._dialect, error, sequence + 1)

    def sequel(self, way: Way) -> Sequel:
        """For another stream in the same dialect."""
        return Sequel(self._grammar, self._grammar.identity(self._events), self.text, way)


def told(dialect: str, data: bytes) -> Told | None:
    """What was told in these events; None if no other stream can go on from there."""
    grammar = GRAMMARS.get(dialect)
    if grammar is None:
        return None
    try:
        return Told(grammar, dialect, data)
    except Diverged:
        return None


class Sequel:
    """Of the events of another stream those that go out."""

    def __init__(self, grammar: Grammar, identity: Event, text: str, way: Way) -> None:
        self._grammar = grammar
        self._told = identity
        self._text = text
        self._way = way
        self._events = Events()
        self._opening: list[Event] = []  # of the other stream
        self._at = 0  # characters of the text that it has repeated
        self._held: list[
            tuple[Event, Read]
        ] = []  # its first pieces, until it is known what they are
        self._before = ""
        self.joined = False

    def feed(self, data: bytes) -> bytes:
        """What goes out of these bytes; Diverged if the streams part."""
        try:
            return b"".join(self._all(data))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Diverged from error  # of a shape that we do not know

    def finish(self, data: bytes) -> bytes:
        """The same for the end of the other stream."""
        found = self.feed(data)
        if not self.joined:
            raise Diverged
        return found

    def _all(self, data: bytes) -> Iterator[bytes]:
        for event, raw in _events(self._events, data):
            if event is None:
                yield raw if self.joined else b""
            elif self.joined:
                yield self._out(event)
            else:
                yield from self._join(event, self._grammar.read(event))

    def _join(self, event: Event, read: Read) -> Iterator[bytes]:
        if read.kind == "other":
            raise Diverged
        if read.kind == "opening" or (read.kind == "silent" and not self._opening):
            self._opening.append(event)
        if read.kind == "text":
            if not self._opening:
                self._opening.append(event)
            yield from self._compared(event, read)
        elif read.ends:
            if not self._held:
                raise Diverged
            yield from self._released()
            yield self._out(event)

    def _compared(self, event: Event, read: Read) -> Iterator[bytes]:
        """A piece of text before it is known that the streams have met."""
        rest = self._text[self._at :]
        if read.text.startswith(rest):
            self.joined = True
            self._held.clear()
            if (more := read.text[len(rest) :]) or read.ends:
                yield self._out(self._grammar.with_text(event, more))
            return
        if rest.startswith(read.text):
            self._at += len(read.text)
            if read.ends:
                raise Diverged
            if self._way == "continue":
                self._held.append((event, read))
            return
        if self._way == "splice" or self._at + _common(rest, read.text) >= BEGUN_ANEW:
            raise Diverged
        self._held.append((event, read))
        yield from self._released()

    def _released(self) -> Iterator[bytes]:
        """It goes on with the text: what was held is the beginning of that."""
        self.joined = True
        self._before = self._text
        for event, _ in self._held:
            yield self._out(event)
        self._held.clear()

    def _out(self, event: Event) -> bytes:
        grammar = self._grammar
        made = grammar.adopted(event, grammar.identity(self._opening), self._told, self._before)
        if "sequence" in self._told:
            self._told["sequence"] += 1
            made = {**made, "sequence_number": self._told["sequence"]}
        name = b"event: %s\n" % str(made.get("type")).encode() if grammar.named else b""
        return name + b"data: " + _encode(made) + b"\n\n"


def _common(one: str, other: str) -> int:
    """How many characters they begin with in common."""
    length = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        length += 1
    return length


def _events(events: Events, data: bytes) -> Iterator[tuple[Event | None, bytes]]:
    """Each event, decoded; None for one that holds no object, as a comment or the end."""
    for raw in events.feed(data):
        found = payload(raw)
        if not found.startswith(b"{"):
            yield None, raw
            continue
        try:
            yield _decode(found), raw
        except msgspec.DecodeError as error:
            raise Diverged from error
