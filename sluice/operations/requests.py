"""Where a request stands: in `llm.requests`, with a worker, in its replies, in its exchange."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Literal

import msgspec
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from msgspec import Struct, field

from schemas import control, exchange as exchanges, headers as h, replies
from schemas.clock import Clock, from_rfc3339, rfc3339, within_calendar
from schemas.control import Cancellation, Heartbeat
from schemas.exchange import SHOWN_TYPES, Exchange, Outcome
from schemas.ids import milliseconds_of
from schemas.requests import Position, request_id_of
from sluice.operations.letters import letter
from sluice.operations.log import Log, Progress, Record, untold
from sluice.topics import TopicsError
from streams.ledger import unpack

SKEW = 60.0  # seconds by which the clocks of producers may differ
HEARD = 5.0  # seconds: a worker that was not heard for longer is taken for dead
Status = Literal["waiting", "running", Outcome, "refused", "unknown"]


class Sought(Struct, frozen=True):
    """What is known of the requests that are looked for."""

    name: str  # a request id, or a client's X-Request-ID
    since: float | None = None  # epoch seconds

    @property
    def begin(self) -> float | None:
        """From when on it may stand in the log: an id of ours says when it was made."""
        made = milliseconds_of(self.name)
        if self.since is None and made is not None:
            return made / 1000 - SKEW
        return self.since


class Answering(Struct, frozen=True):
    """What stands of an answer on its reply topic."""

    topic: str
    records: int
    bytes: int
    attempt: int
    whole: bool


class Worker(Struct, frozen=True):
    """Who has the partition, as it said last."""

    host: str
    pid: int
    running: int
    waiting: int


class Standing(Struct, kw_only=True):
    """All that the log says of one request."""

    request_id: str
    status: Status = "unknown"
    client_request_id: str | None = None
    source: str | None = None
    user_path: str | None = None
    batch_id: str | None = None  # of which it is a line, and what its batch calls it
    custom_id: str | None = None
    made: str | None = None  # RFC 3339
    deadline: str | None = None
    reply_topic: str | None = None
    reply_partition: int | None = None
    # It has several if it was moved forward or produced again.
    places: list[Position] = field(default_factory=list)
    ahead: int | None = None  # records of its partition that are neither finished nor behind it
    worker: Worker | None = None
    cancelled: str | None = None  # why somebody asked for its end
    answering: Answering | None = None
    letter: int | None = None  # number of its dead letter
    exchange: Exchange | None = None


class Search:
    """Looks for requests, topic by topic; each step adds what it finds."""

    def __init__(self, log: Log, sought: Sought, clock: Clock) -> None:
        self._log = log
        self._sought = sought
        self._clock = clock
        self._beats: dict[str, Heartbeat] = {}  # the newest of each worker
        self.found: dict[str, Standing] = {}  # by request id

    async def extents(self) -> list[dict[TopicPartition, range]]:
        """What is read, in the order in which it is."""
        topics = self._log.topics
        groups = [await self._log.request_topics()]
        groups += [[each] for each in (topics.exchanges, topics.dead_letters, topics.control)]
        return [
            await self._log.extents(await self._log.partitions(*names), self._sought.begin)
            for names in groups
        ]

    async def run(
        self, extents: list[dict[TopicPartition, range]], progress: Progress = untold
    ) -> list[Standing]:
        """Everything, the oldest first."""
        notes = (self._note_request, self._note_exchange, self._note_letter, self._note_control)
        for part, note in zip(extents, notes, strict=True):
            async with aclosing(self._log.records(part, progress)) as batches:
                async for batch in batches:
                    for record in batch:
                        note(record)
        group = self._log.topics.group("streams")
        committed = await self._log.admin.list_consumer_group_offsets(group)
        for standing in self.found.values():
            if standing.exchange is None:
                await self._note_replies(standing)
                _note_commit(standing, committed)
                self._note_worker(standing)
            standing.status = status(standing)
        return sorted(self.found.values(), key=lambda each: each.made or "")

    def _note_request(self, record: Record) -> None:
        headers = h.first(record.headers)
        position = Position(record.topic, record.partition, record.offset)
        request_id = request_id_of(headers, position)
        if self._is_sought(request_id, headers):
            standing = self._standing(request_id, headers, record.timestamp / 1000)
            standing.places.append(position)

    def _note_exchange(self, record: Record) -> None:
        if h.first(record.headers).get(h.CE_TYPE) not in SHOWN_TYPES or record.value is None:
            return
        request_id, name = _text(record.key), self._sought.name
        known = request_id in self.found or request_id == name
        if not known and name.encode() not in record.value:
            return
        try:
            found = exchanges.decode(record.value)
        except msgspec.DecodeError:
            return  # a dead letter: see the sinks
        if not known and found.client_request_id != name:
            return
        standing = self.found.setdefault(
            request_id,
            Standing(
                request_id=request_id,
                client_request_id=found.client_request_id,
                source=found.source,
                user_path=found.user_path,
                made=found.created_at,
            ),
        )
        standing.exchange = standing.exchange or found  # the first one counts

    def _note_letter(self, record: Record) -> None:
        content = (list(record.headers), record.key, record.value)
        found = letter(record.offset, record.timestamp / 1000, content, self._log.topics)
        headers = h.first(found.headers)
        if found.request_id in self.found or self._is_sought(found.request_id, headers):
            standing = self._standing(found.request_id, headers, found.made)
            standing.letter = found.number

    def _note_control(self, record: Record) -> None:
        try:
            found = control.decode(record.value or b"")
        except msgspec.DecodeError:
            return
        if isinstance(found, Heartbeat):
            if found.role == "streams":
                self._beats[found.boot_id] = found
        elif isinstance(found, Cancellation) and found.request_id in self.found:
            self.found[found.request_id].cancelled = found.reason

    def _is_sought(self, request_id: str, headers: Mapping[str, bytes]) -> bool:
        name = self._sought.name
        return request_id == name or headers.get(h.CLIENT_REQUEST_ID) == name.encode()

    def _standing(self, request_id: str, headers: Mapping[str, bytes], written: float) -> Standing:
        if (standing := self.found.get(request_id)) is None:
            partition = headers.get(h.REPLY_PARTITION)
            standing = self.found[request_id] = Standing(
                request_id=request_id,
                client_request_id=_text(headers.get(h.CLIENT_REQUEST_ID)) or None,
                source=_text(headers.get(h.CE_SOURCE)) or None,
                user_path=_text(headers.get(h.USER_PATH)) or None,
                batch_id=_text(headers.get(h.BATCH)) or None,
                custom_id=_text(headers.get(h.CUSTOM_ID)) or None,
                made=_text(headers.get(h.CE_TIME)) or rfc3339(within_calendar(written)),
                deadline=_text(headers.get(h.CE_EXPIRYTIME)) or None,
                reply_topic=_text(headers.get(h.REPLY_TOPIC)) or None,
                reply_partition=None if partition is None else _integer(partition),
            )
        return standing

    async def _note_replies(self, standing: Standing) -> None:
        if standing.reply_topic is None:
            return
        try:
            partitions = await self._log.partitions(standing.reply_topic)
        except TopicsError:
            return  # an address that leads nowhere
        if standing.reply_partition is not None:
            partitions = [each for each in partitions if each.partition == standing.reply_partition]
        extents = await self._log.extents(partitions, _since(standing.made))
        answering: Answering | None = None
        async with aclosing(self._log.records(extents)) as batches:
            async for batch in batches:
                for record in batch:
                    if record.key == standing.request_id.encode():
                        answering = _with(answering, record)
        standing.answering = answering

    def _note_worker(self, standing: Standing) -> None:
        if not standing.places:
            return
        place, now = standing.places[-1], self._clock.time()
        for beat in self._beats.values():
            partitions, running, waiting = beat.partitions, beat.running, beat.queued + beat.lag
            if place.topic == self._log.topics.batch:
                partitions, running = beat.batch_partitions, beat.batch_running
                waiting = beat.batch_queued + beat.batch_lag
            if place.partition in partitions and now - beat.time < HEARD:
                standing.worker = Worker(beat.host, beat.pid, running, waiting)


def told(found: Standing, *, bodies: bool) -> dict[str, object]:
    """All of it as it is printed; the request and its answer only with `bodies`."""
    made: dict[str, object] = msgspec.to_builtins(found, builtin_types=(msgspec.Raw,))
    if isinstance(exchange := made["exchange"], dict) and not bodies:
        made["exchange"] = {k: v for k, v in exchange.items() if k not in ("request", "response")}
    return made


def status(standing: Standing) -> Status:
    """One word for it. Whether a worker has begun is known once it answers, or if it lets nobody wait."""
    if standing.exchange is not None:
        return standing.exchange.outcome
    if standing.letter is not None:
        return "refused"
    idle = standing.worker is not None and standing.worker.waiting == 0
    if standing.answering is not None or (idle and standing.ahead is not None):
        return "running"
    return "waiting" if standing.ahead is not None else "unknown"


def _note_commit(standing: Standing, committed: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
    """How many are before it, unless its record is finished: then it ended in another way."""
    if not standing.places:
        return
    place = standing.places[-1]
    at = committed.get(TopicPartition(place.topic, place.partition))
    if at is None or at.offset < 0:  # nobody has ever taken anything there
        standing.ahead = place.offset
        return
    known = unpack(at.offset, at.metadata)
    if place.offset >= known.offset and place.offset not in known.finished:
        before = sum(offset < place.offset for offset in known.finished)
        standing.ahead = place.offset - known.offset - before


def _with(answering: Answering | None, record: Record) -> Answering | None:
    try:
        found = replies.from_record(record.headers, record.value)
    except (ValueError, KeyError):
        return answering
    attempt = answering.attempt if answering else 0
    if found.attempt < attempt:
        return answering
    count, size = (
        (answering.records, answering.bytes) if answering and found.attempt == attempt else (0, 0)
    )
    return Answering(
        record.topic, count + 1, size + len(found.value), found.attempt, whole=found.last
    )


def _since(made: str | None) -> float | None:
    try:
        return None if made is None else from_rfc3339(made) - SKEW
    except ValueError:
        return None


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _integer(value: bytes) -> int | None:
    try:
        return h.integer(value)
    except ValueError:
        return None
