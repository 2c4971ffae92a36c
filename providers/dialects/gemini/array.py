"""What `:streamGenerateContent` without `alt=sse` answers: one JSON array, its chunks as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from providers.base import Decoder, Dialogue, UpstreamRequest
from providers.sse import Events, payload, terminated
from schemas.envelopes import JSON
from schemas.errors import GatewayError
from schemas.replies import Chunk, Completed, Failed, Reply


class AsArray:
    """A Dialogue that streams events, for a caller that wants an array instead."""

    __slots__ = ("_dialogue",)

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

    @property
    def sent(self) -> UpstreamRequest:
        return self._dialogue.sent

    @property
    def dropped(self) -> tuple[str, ...]:
        return self._dialogue.dropped

    def media_type(self, content_type: str) -> str:
        return JSON

    def decoder(self, content_type: str) -> Decoder:
        return ArrayDecoder(self._dialogue.decoder(content_type))

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return self._dialogue.failure(status, headers, body)


class ArrayDecoder:
    """Writes the events of another decoder as an array. An answer that is no stream stays as it is."""

    __slots__ = ("_array", "_decoder")

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._array = Array()

    @property
    def done(self) -> bool:
        return self._decoder.done

    def feed(self, data: bytes) -> Iterable[Reply]:
        for reply in self._decoder.feed(data):
            match reply:
                case Chunk():
                    if found := self._array.write(reply.data):
                        yield Chunk(found, reply.content)
                case Failed():
                    yield self._failed(reply)
                case _:
                    yield reply

    def finish(self) -> Completed | Failed:
        end = self._decoder.finish()
        if isinstance(end, Failed):
            return self._failed(end)
        return replace(end, data=self._array.end(end.data))

    def abort(self, error: GatewayError) -> bytes:
        return self._array.end(self._decoder.abort(error))

    def _failed(self, failed: Failed) -> Failed:
        if failed.event is None:
            return failed
        return replace(failed, event=self._array.end(failed.event))


class Array:
    """One array, written piece by piece."""

    __slots__ = ("_begun", "_events")

    def __init__(self) -> None:
        self._begun = False
        self._events = Events()

    def write(self, events: bytes) -> bytes:
        """The data of server-sent events as the next elements."""
        return b"".join(self._elements(self._events.feed(events)))

    def end(self, events: bytes) -> bytes:
        """The last elements and the end. What is no event is a whole answer, and stays as it is."""
        if not self._begun and events.lstrip()[:1] in (b"[", b"{"):
            return events
        found = [*self._events.feed(events), terminated(self._events.rest())]
        written = b"".join(self._elements(found))
        return written + (b"\n]\n" if self._begun else b"[]\n")

    def _elements(self, events: Iterable[bytes]) -> Iterator[bytes]:
        for event in events:
            if data := payload(event):
                yield (b",\n" if self._begun else b"[") + data
                self._begun = True
