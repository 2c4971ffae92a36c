"""What the log and the store know of a request that this process may never have seen.

The request's own record, in `llm.requests`, says who asked, for what, and where its answer goes; its id
says when. The answer is in `llm.replies`, and when it is there no more, in the store. Nothing but the
records is believed: an id proves nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing, suppress

import msgspec
from aiokafka import ConsumerRecord, TopicPartition
from msgspec import Struct

from ingress.archive import Archive, Reading
from ingress.config import IngressConfig
from ingress.replies import GRACE, Slot, take
from schemas import headers as h
from schemas.clock import Clock
from schemas.errors import Gone, NotFound, StoreUnavailable
from schemas.identity import partition_of, record_key
from schemas.ids import milliseconds_of
from schemas.kafka import KafkaConfig
from schemas.kept import AnswerStore, Kept, may_read
from schemas.replies import Head, Kind, ReplyRecord
from schemas.requests import Malformed, Position, Request, from_record

SKEW_MS = 5_000  # that a worker's clock may be behind ours
_LATE_MS = 60_000  # between an id and its record, beside the times that are limited
_REMEMBERED = 10_000  # places in the log
_encode = msgspec.json.Encoder().encode


class _Place(Struct):
    """Where a request stands, so that who asks again and again need not be looked for."""

    topic: str
    offset: int
    replies: int | None = None  # where its replies begin, or nothing of it stands below
    begun: bool = False


class Told(Struct, frozen=True):
    """What the log says of an answer."""

    partition: TopicPartition | None  # where it comes; None: it is whole
    end: int  # everything below was read
    begun: bool  # a worker has it
    cut: bool = False  # its beginning may have been deleted


class Past:
    """Looks requests up."""

    def __init__(
        self,
        kafka: KafkaConfig,
        config: IngressConfig,
        archive: Archive,
        answers: AnswerStore,
        clock: Clock,
    ) -> None:
        self._topics = kafka.topics.lanes
        self._replies = kafka.topics.replies
        self._config = config
        self._archive = archive
        self._answers = answers
        self._clock = clock
        self._places: OrderedDict[str, _Place] = OrderedDict()

    async def find(self, name: str, client: str | None, user_path: str) -> Request | Kept:
        """The request of that id as its record has it, or what was kept of it.

        NotFound if there never was one, or if it is somebody else's; Gone if there is nothing of it any
        more. LogUnavailable, StoreUnavailable.
        """
        made = milliseconds_of(name)
        if made is None:
            raise _not_found(name)
        found: Request | Kept | None = await self._request(name, made)
        if found is None and (found := await self._answers.find(name)) is None:
            raise Gone()
        if not may_read(found, client, user_path):
            raise _not_found(name)
        if isinstance(found, Request) and found.dialect == "openai_responses":
            with suppress(StoreUnavailable):
                if await self._answers.deleted(name):
                    raise Gone()
        return found

    async def tell(
        self, found: Request | Kept, open_slot: Callable[[], Slot], admit: Callable[[int], None]
    ) -> tuple[Slot, Told]:
        """A slot with all that there is of the answer now; Gone if that is not its beginning.

        `admit` is told of the bytes before they are held.
        """
        slot = open_slot()
        if isinstance(found, Request):
            told = await self._told(found, slot, admit)
            if not told.cut:
                return slot, told
            kept = await self._answers.find(found.request_id)
            if kept is None:
                if slot.error is not None or self._clock.time() > _deadline(found) + GRACE:
                    raise Gone()
                return slot, told  # it may as well not have begun
            found, slot = kept, open_slot()
        slot.feed(_record(found))
        return slot, Told(None, 0, begun=True)

    # -- the request

    async def _request(self, name: str, made: int) -> Request | None:
        """In whichever lane it is. None: so old that its record may have been deleted. NotFound if it never
        was there."""
        cut = False
        for topic in self._topics:
            try:
                found = await self._request_of(topic, name, made)
            except NotFound:
                continue
            if found is not None:
                return found
            cut = True
        if cut:
            return None
        raise _not_found(name)

    async def _request_of(self, topic: str, name: str, made: int) -> Request | None:
        """The same of one lane."""
        partition = partition_of(record_key(name), self._config.partitions)
        async with self._archive.reading(topic, partition) as reading:
            place = self._places.get(name)
            if place is not None and place.topic == topic:
                last = place.offset + 1
                if (found := await _request_in(reading, name, place.offset, last)) is not None:
                    return found[0]
            extent = await reading.since(made)
            limits = self._config.body_timeout + self._config.publish_timeout
            until = made + int(limits * 1000) + _LATE_MS
            found = await _request_in(reading, name, extent.start, extent.end, until)
        if found is None:
            if extent.cut:
                return None
            raise _not_found(name)
        self._places[name] = _Place(topic, found[1])
        if len(self._places) > _REMEMBERED:
            self._places.popitem(last=False)
        return found[0]

    # -- its answer

    async def _told(self, request: Request, slot: Slot, admit: Callable[[int], None]) -> Told:
        to = request.reply_to
        if (line := request.line) is not None:
            raise Gone(f"The answer to this line of {line.batch} is in that batch's files.")
        if to is None or to.topic != self._replies or to.partition is None:
            raise Gone("The answer to this request went to a topic of its own.")
        place = self._places.get(request.request_id) or _Place("", -1)
        first: int | None = None
        async with self._archive.reading(to.topic, to.partition) as reading:
            extent = await reading.since(int(request.created * 1000) - SKEW_MS)
            start = extent.start if place.replies is None else max(place.replies, extent.first)
            cut = extent.cut or (place.replies or start) < start
            async with aclosing(reading.records(start, extent.end)) as pieces:
                async for records in pieces:
                    for record in records:
                        if record.key == slot.key:
                            first = record.offset if first is None else first
                            admit(record.serialized_value_size)
                            take(slot, record)
        place.begun = place.begun or first is not None
        place.replies = first if first is not None and slot.head is not None else extent.end
        partition = None if slot.ended else TopicPartition(to.topic, to.partition)
        cut = slot.head is None and (cut or slot.error is not None)
        return Told(partition, extent.end, place.begun, cut)


async def _request_in(
    reading: Reading, name: str, start: int, end: int, until: int | None = None
) -> tuple[Request, int] | None:
    """The request of that id between two offsets, and its own; it is not younger than `until`."""
    key = record_key(name)
    async with aclosing(reading.records(start, end)) as pieces:
        async for records in pieces:
            for record in records:
                if record.key == key and (found := _decoded(record, name)) is not None:
                    return found, record.offset
                if until is not None and record.timestamp > until:
                    return None
    return None


def _decoded(record: ConsumerRecord[bytes, bytes], name: str) -> Request | None:
    """The request in a record, if it has that id."""
    position = Position(record.topic, record.partition, record.offset)
    try:
        headers = h.first(record.headers)
        found = from_record(headers, record.value, position, record.timestamp / 1000)
    except Malformed:
        return None
    return found if found.request_id == name else None


def _deadline(request: Request) -> float:
    """Epoch seconds after which nobody works on it; who set no deadline may wait for ever."""
    return float("inf") if request.deadline is None else request.deadline


def _record(kept: Kept) -> ReplyRecord:
    """A kept answer as the one record that it could have been."""
    extra = _encode(kept.http_headers) if kept.http_headers else b""
    head = Head(kept.status, kept.content_type, kept.provider or "", kept.model or "", extra)
    kind: Kind = "completed" if kept.outcome == "completed" else "failed"
    return ReplyRecord(kind, 1, 0, kept.answer, head, 1)


def _not_found(name: str) -> NotFound:
    return NotFound(f"There is no request with the id '{name[:100]}'.")
