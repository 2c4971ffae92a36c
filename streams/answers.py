"""One answer on its way to the reply topic: numbered records, joined while an earlier one is under way."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.faultpoints import reach
from schemas.replies import Address, Head, Kind, ReplyRecord, Started, to_headers
from schemas.tasks import Tasks
from streams.log import Log, Undeliverable

log = structlog.get_logger()

RECORD_BYTES = 1 << 20  # a longer piece becomes several records
PENDING_BYTES = 1 << 20  # an answer that waits for the log stops reading its provider here
SHARED_LINGER_FROM = 16  # streams open at once above which chunks may wait for each other


class Sender:
    """What all answers of a worker share."""

    def __init__(self, producers: Log) -> None:
        self.log = producers
        self.tasks = Tasks()
        self.open_streams = 0


class Answer:
    """The reply records of one attempt of one request.

    At most one record is under way; what comes meanwhile is joined. So order holds, also over a
    change of producer, and a slow log costs records, not memory.
    """

    def __init__(
        self,
        sender: Sender,
        request_id: str,
        to: Address | None,
        attempt: int,
        *,
        replay: bool = False,
    ) -> None:
        self._sender = sender
        self._replay = replay
        self._key = request_id.encode()
        self._to = to
        self._attempt = attempt
        self._seq = 0
        self._head: Head | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._in_flight: asyncio.Future[Any] | None = None
        self._stream: AIOKafkaProducer | None = None  # set while this is an open stream
        self._finishing = False

    @property
    def begun(self) -> bool:
        """Whether bytes of this attempt may have reached the client."""
        return self._seq > 0

    def start(self, started: Started) -> None:
        """Note what goes on the first record; nothing is sent yet."""
        extra = msgspec.json.encode(started.http_headers) if started.http_headers else b""
        self._head = Head(
            started.status,
            started.content_type,
            started.provider,
            started.model,
            extra,
            started.claim,
        )

    async def tell_begun(self) -> None:
        """Let whoever asks how far the request is know that a worker has it."""
        if self._to is not None:
            await self._write(ReplyRecord("begun", self._attempt, -1, b""))

    def open_stream(self) -> None:
        """The pieces that follow are sent as they come."""
        shared = self._sender.open_streams >= SHARED_LINGER_FROM
        self._sender.open_streams += 1
        self._stream = self._sender.log.chunks if shared else self._sender.log.prompt

    def close_stream(self) -> None:
        if self._stream is not None:
            self._sender.open_streams -= 1
            self._stream = None

    async def chunk(self, data: bytes) -> None:
        """Send a piece of a stream, now or with the next one. Waits only if too much is pending."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._to is None:
            self._take()
            self._seq += 1
        elif self._in_flight is None:
            await self._flush()
        elif self._pending_bytes > PENDING_BYTES:
            await asyncio.wait((self._in_flight,))

    def _take(self) -> bytes:
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        return data

    async def _flush(self) -> None:
        """Send all that is pending as one record, without waiting for its acknowledgement."""
        to = self._to
        if to is None or self._in_flight is not None or self._finishing or not self._pending:
            return  # a chunk that came before this task started has sent it all
        first = self._seq == 0
        producer = self._sender.log.prompt if first or self._stream is None else self._stream
        # Set before the first await: a chunk that comes meanwhile must wait its turn.
        self._in_flight = asyncio.get_running_loop().create_future()
        record = self._next(self._take(), None)
        try:
            sent: Any = await producer.send(
                to.topic,
                record.value,
                key=self._key,
                partition=to.partition,
                headers=to_headers(record, to.correlation_id),
            )
        except (KafkaError, AssertionError) as error:
            self._landed(error)
            return
        except BaseException:  # cancelled: this piece was not sent, the end will take it along
            self._seq -= 1
            self._pending.insert(0, record.value)
            self._settle()
            raise
        sent.add_done_callback(self._acknowledged)

    def _acknowledged(self, sent: asyncio.Future[Any]) -> None:
        self._landed(None if sent.cancelled() else sent.exception())

    def _landed(self, error: BaseException | None) -> None:
        if error is not None:  # the gap in `seq` ends the stream in-band at the ingress
            log.warning("reply_lost", request_id=self._key.decode(), error=repr(error))
        reach("streams.first_reply" if self._seq == 1 else "streams.mid_stream")
        self._settle()
        if self._pending and not self._finishing:
            self._sender.tasks.start(self._flush(), name="flush")

    def _settle(self) -> None:
        """Nothing is under way any more."""
        waiter, self._in_flight = self._in_flight, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _next(self, value: bytes, count: int | None, *, failed: bool = False) -> ReplyRecord:
        seq = self._seq
        self._seq += 1
        head = self._head if seq == 0 else None
        kind: Kind = "started" if seq == 0 else "chunk"
        if count is not None:
            kind = "failed" if failed else "completed"
        return ReplyRecord(kind, self._attempt, seq, value, head, count, self._replay)

    def discard(self) -> None:
        """Drop what was not sent: the answer failed before its first byte, and only that counts."""
        self._pending.clear()
        self._pending_bytes = 0

    async def finish(self, data: bytes, *, failed: bool) -> None:
        """Send the end; returns when it is acknowledged, or when nobody can ever get it."""
        self.close_stream()
        self._finishing = True
        while self._in_flight is not None:
            await asyncio.wait((self._in_flight,))
        self._pending.append(data)
        rest = self._take()
        if self._to is None:
            return
        last = max(0, (len(rest) - 1) // RECORD_BYTES)
        for index in range(last + 1):
            piece = rest[index * RECORD_BYTES : (index + 1) * RECORD_BYTES] if last else rest
            count = self._seq + 1 if index == last else None
            if not await self._write(self._next(piece, count, failed=failed)):
                return

    async def _write(self, record: ReplyRecord) -> bool:
        to = self._to
        assert to is not None
        try:
            await self._sender.log.write(
                to.topic,
                record.value,
                key=self._key,
                headers=to_headers(record, to.correlation_id),
                partition=to.partition,
            )
        except Undeliverable as error:
            log.warning(
                "reply_undeliverable",
                request_id=self._key.decode(),
                topic=to.topic,
                error=str(error),
            )
            return False
        return True
