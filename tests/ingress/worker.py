"""A worker for the ingress's tests: takes requests from the log and answers as its script says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from schemas import headers as h
from schemas.clock import SystemClock
from schemas.control import Cancellation, Control, Heartbeat, decode, encode
from schemas.kafka import KafkaConfig
from schemas.replies import Head, Kind, ReplyRecord, to_headers
from schemas.requests import Position, Request, from_record

JSON = "application/json"
SSE = "text/event-stream"
ANSWER = b'{"id":"chatcmpl-1","object":"chat.completion","choices":[]}'
DONE = b"data: [DONE]\n\n"


def event(number: int) -> bytes:
    return b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % number


class Answering:
    """One request in a worker's hands: writes its reply records, also wrong ones."""

    def __init__(self, worker: "Worker", request: Request) -> None:
        self._worker = worker
        self.request = request
        self.attempt = 1
        self.seq = 0

    @property
    def options(self) -> dict[str, object]:
        return msgspec.json.decode(self.request.body, type=dict[str, object])

    async def put(
        self,
        kind: Kind,
        value: bytes = b"",
        *,
        head: Head | None = None,
        count: int | None = None,
        seq: int | None = None,
    ) -> None:
        """Produce one reply record and wait until the log has it."""
        number = self.seq if seq is None else seq
        record = ReplyRecord(kind, self.attempt, number, value, head, count)
        self.seq = number + 1
        await self._worker.reply(self.request, record)

    async def plain(self, body: bytes = ANSWER, status: int = 200, **headers: str) -> None:
        """A whole answer in one record."""
        head = Head(status, JSON, "sim", "sim-1", msgspec.json.encode(headers) if headers else b"")
        await self.put("completed" if status < 400 else "failed", body, head=head, count=1)

    async def begin(self, value: bytes = b"", content_type: str = SSE) -> None:
        """The first of several records."""
        await self.put("started", value, head=Head(200, content_type, "sim", "sim-1"))

    async def chunk(self, value: bytes) -> None:
        await self.put("chunk", value)

    async def finish(self, value: bytes = b"") -> None:
        """The last record, with the right count."""
        await self.put("completed", value, count=self.seq + 1)

    async def fail(self, value: bytes = b"") -> None:
        await self.put("failed", value, count=self.seq + 1)


Script = Callable[[Answering], Awaitable[None]]


async def answer_plainly(answering: Answering) -> None:
    await answering.plain()


def streams(*pieces: bytes) -> Script:
    """A stream of these pieces, each a record."""

    async def script(answering: Answering) -> None:
        await answering.begin(pieces[0])
        for piece in pieces[1:-1]:
            await answering.chunk(piece)
        await answering.finish(b"".join(pieces[1:][-1:]))

    return script


def breaks_after(*pieces: bytes) -> Script:
    """A stream of which a record is lost behind these: the ingress must end it by itself."""

    async def script(answering: Answering) -> None:
        await answering.begin(pieces[0])
        for piece in pieces[1:]:
            await answering.chunk(piece)
        await answering.put("chunk", pieces[-1], seq=answering.seq + 1)

    return script


class Worker:
    """Consumes all partitions of the request topic from its end, without a group."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self._kafka = kafka
        self._tasks: set[asyncio.Task[None]] = set()
        self._clock = SystemClock()
        self.script: Script = answer_plainly
        self.requests: list[Request] = []
        self.control: list[Control] = []

    @property
    def cancellations(self) -> list[Cancellation]:
        return [record for record in self.control if isinstance(record, Cancellation)]

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """Of ingresses."""
        return [
            record
            for record in self.control
            if isinstance(record, Heartbeat) and record.role == "ingress"
        ]

    def cancelled(self, request_id: str) -> str | None:
        """Why this request was cancelled, if it was."""
        return next((c.reason for c in self.cancellations if c.request_id == request_id), None)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Worker"]:
        options = self._kafka.client_options("test-worker")
        self._producer = AIOKafkaProducer(**self._kafka.producer_options("test-worker"))
        self._consumer = AIOKafkaConsumer(
            **options,
            enable_auto_commit=False,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=16 << 20,
        )
        await self._producer.start()
        await self._consumer.start()
        topic = self._kafka.topics.requests
        parts = await self._producer.partitions_for(topic)
        await self._producer.partitions_for(self._kafka.topics.control)
        self._consumer.assign(
            [TopicPartition(topic, part) for part in parts]
            + [TopicPartition(self._kafka.topics.control, 0)]
        )
        await self._consumer.seek_to_end()
        for partition in self._consumer.assignment():
            await self._consumer.position(partition)
        reading = asyncio.create_task(self._read())
        try:
            yield self
        finally:
            for task in (reading, *self._tasks):
                task.cancel()
            await asyncio.gather(reading, *self._tasks, return_exceptions=True)
            await self._consumer.stop()
            await self._producer.stop()

    async def _read(self) -> None:
        while True:
            for batch in (await self._consumer.getmany(timeout_ms=1000)).values():
                for record in batch:
                    self._take(record)

    def _take(self, record: ConsumerRecord[bytes, bytes]) -> None:
        if record.topic == self._kafka.topics.control:
            self.control.append(decode(record.value or b""))
            return
        position = Position(record.topic, record.partition, record.offset)
        request = from_record(h.first(record.headers), record.value, position, 0.0)
        self.requests.append(request)
        task = asyncio.create_task(self._work(Answering(self, request)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, answering: Answering) -> None:
        await self.script(answering)

    async def reply(self, request: Request, record: ReplyRecord) -> None:
        assert request.reply_to is not None
        assert request.reply_to.partition is not None
        await self._producer.send_and_wait(
            request.reply_to.topic,
            record.value,
            key=request.request_id.encode(),
            partition=request.reply_to.partition,
            headers=to_headers(record, request.reply_to.correlation_id),
        )

    async def raw_reply(self, request: Request, headers: list[tuple[str, bytes]]) -> None:
        """A record on the reply partition that is no reply."""
        assert request.reply_to is not None
        await self._producer.send_and_wait(
            request.reply_to.topic,
            b"",
            key=request.request_id.encode(),
            partition=request.reply_to.partition,
            headers=headers,
        )

    async def beat(self, boot_id: str = "w1", **fields: object) -> None:
        """One heartbeat of a worker."""
        known: dict[str, object] = {
            "role": "streams",
            "boot_id": boot_id,
            "host": "test",
            "pid": 1,
            "time": self._clock.time(),
            "partitions": (0, 1),
        }
        value, headers = encode(msgspec.convert(known | fields, Heartbeat))
        await self._producer.send_and_wait(
            self._kafka.topics.control, value, partition=0, headers=headers
        )
