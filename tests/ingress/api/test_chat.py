"""POST /v1/chat/completions over a real log."""

import asyncio
import json

import httpx
import pytest

from schemas.kafka import KafkaConfig
from schemas.replies import Head
from tests.ingress.conftest import KEY, Ingress, Start, body, until
from tests.ingress.worker import ANSWER, DONE, JSON, SSE, Answering, Worker, event

MEBIBYTE = 1 << 20


def errors_of(stream: bytes) -> list[str]:
    """The codes of the error events in a stream."""
    events = [line.removeprefix(b"data: ") for line in stream.split(b"\n") if b'"error"' in line]
    return [json.loads(text)["error"]["code"] for text in events]


async def test_a_plain_answer_comes_back_whole(start: Start, worker: Worker) -> None:
    """The value of a single completed record is the body, with its length and the names of who answered."""
    ingress = await start()

    found = await ingress.chat()

    assert (found.status_code, found.content) == (200, ANSWER)
    assert found.headers["content-length"] == str(len(ANSWER))
    assert found.headers["sluice-provider"] == "sim"
    assert found.headers["sluice-model"] == "sim-1"
    assert found.headers["x-request-id"] == worker.requests[0].request_id
    assert found.headers["sluice-request-id"] == worker.requests[0].request_id


async def test_the_record_says_who_asked(start: Start, worker: Worker, kafka: KafkaConfig) -> None:
    """The body goes as it came, the headers carry ids, caller, path, trace and deadline."""
    ingress = await start(request_timeout=30.0)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    content = (
        b'{ "model":"sim/sim-1", "messages" : [{"role":"user","content":"\xc3\xa4"}],"new":1}\n'
    )

    found = await ingress.client.post(
        "/v1/chat/completions",
        content=content,
        headers={"x-request-id": "mine-1", "x-gomodel-user-path": "a//b/", "traceparent": trace},
    )

    request = worker.requests[0]
    assert found.headers["x-request-id"] == "mine-1"
    assert found.headers["sluice-request-id"] == request.request_id
    assert request.body == content
    assert request.client == "master"
    assert request.client_ip == "127.0.0.1"
    assert request.client_request_id == "mine-1"
    assert request.user_path == "/a/b"
    assert request.traceparent == trace
    assert request.source == "/sluice/ingress/0"
    assert request.deadline == pytest.approx(request.created + 30.0)
    assert request.reply_to is not None
    assert (request.reply_to.topic, request.reply_to.partition) == (kafka.topics.replies, 0)


async def test_upstream_headers_are_passed_on(start: Start, worker: Worker) -> None:
    """What the worker found worth passing on reaches the client, except what is ours or about the connection."""

    async def script(answering: Answering) -> None:
        await answering.plain(
            **{
                "openai-processing-ms": "12",
                "Content-Length": "1",
                "x-request-id": "theirs",
                "x-a": "b\r\nc: d",
            }
        )

    worker.script = script
    ingress = await start()

    found = await ingress.chat()

    assert found.content == ANSWER
    assert found.headers["openai-processing-ms"] == "12"
    assert found.headers["x-request-id"] == worker.requests[0].request_id
    assert found.headers["x-a"] == "bc: d"
    assert "c" not in found.headers


async def test_a_stream_comes_as_its_records(start: Start, worker: Worker) -> None:
    """The values of the records, concatenated, are the event stream."""

    async def script(answering: Answering) -> None:
        await answering.begin(event(0))
        for number in range(1, 5):
            await answering.chunk(event(number))
        await answering.finish(DONE)

    worker.script = script
    ingress = await start()

    found = await ingress.chat(stream=True)

    assert found.headers["content-type"] == SSE
    assert found.headers["cache-control"] == "no-cache"
    assert found.headers["x-accel-buffering"] == "no"
    assert found.content == b"".join(event(n) for n in range(5)) + DONE


async def test_a_record_is_written_as_it_comes(start: Start, worker: Worker) -> None:
    """The client has the first event while the worker has not yet sent the second."""
    seen = asyncio.Event()

    async def script(answering: Answering) -> None:
        await answering.begin(event(0))
        await seen.wait()
        await answering.finish(event(1) + DONE)

    worker.script = script
    ingress = await start()

    async with ingress.client.stream("POST", "/v1/chat/completions", json=body()) as found:
        pieces = found.aiter_bytes()
        first = await anext(pieces)
        seen.set()
        rest = b"".join([piece async for piece in pieces])

    assert first == event(0)
    assert rest == event(1) + DONE


async def test_a_stream_over_http_1_0_is_not_chunked(start: Start, worker: Worker) -> None:
    """An old client gets the bytes of the stream and the end of the connection."""

    async def script(answering: Answering) -> None:
        await answering.begin(event(0))
        await answering.finish(DONE)

    worker.script = script
    ingress = await start()
    content = json.dumps(body()).encode()

    found = await ingress.raw(
        b"POST /v1/chat/completions HTTP/1.0\r\nx-api-key: %s\r\nContent-Length: %d\r\n\r\n%s"
        % (KEY.encode(), len(content), content)
    )

    head, _, stream = found.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert stream == event(0) + DONE


async def test_requests_share_a_connection(start: Start, worker: Worker) -> None:
    """Two pipelined requests, the second in the same packet, are both answered in order."""
    ingress = await start()
    content = json.dumps(body()).encode()
    lines = b"Host: a\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n" % (KEY.encode(), len(content))
    post = b"POST /v1/chat/completions HTTP/1.1\r\n" + lines

    found = await ingress.raw(
        post + b"\r\n" + content + post + b"Connection: close\r\n\r\n" + content
    )

    assert found.count(b"HTTP/1.1 200 OK") == 2
    assert found.count(ANSWER) == 2


class TestFailures:
    """What goes wrong behind the log is told truthfully."""

    async def test_a_failure_instead_of_an_answer(self, start: Start, worker: Worker) -> None:
        """A failed first record has its own status and body, of a streamed request too."""

        async def script(answering: Answering) -> None:
            await answering.plain(b'{"error":{"message":"slow down"}}', 429, **{"retry-after": "7"})

        worker.script = script
        ingress = await start()

        found = await ingress.chat(stream=True)

        assert found.status_code == 429
        assert found.json() == {"error": {"message": "slow down"}}
        assert found.headers["retry-after"] == "7"

    @pytest.mark.parametrize(
        "value",
        [b'{"error":{"message":"cut",\n"code":"cut"}}', b'data: {"error":{"code":"cut"}}\n\n'],
    )
    async def test_a_failure_in_a_stream_is_an_event(
        self, start: Start, worker: Worker, value: bytes
    ) -> None:
        """After bytes went out a failure is one more event, and no [DONE] follows."""

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            await answering.fail(value)

        worker.script = script
        ingress = await start()

        found = await ingress.chat(stream=True)

        assert found.content.startswith(event(0))
        assert errors_of(found.content) == ["cut"]
        assert found.content.endswith(b"\n\n")
        assert DONE not in found.content

    async def test_a_failure_after_unseen_pieces_is_the_answer(
        self, start: Start, worker: Worker
    ) -> None:
        """Pieces of a plain answer that failed before any was written do not show."""

        async def script(answering: Answering) -> None:
            await answering.begin(b'{"id":', JSON)
            await answering.fail(b'{"error":{"code":"cut"}}')

        worker.script = script
        ingress = await start()

        found = await ingress.chat()

        assert (found.status_code, found.content) == (502, b'{"error":{"code":"cut"}}')

    async def test_duplicates_are_dropped(self, start: Start, worker: Worker) -> None:
        """A record that a producer sent twice is written once."""

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            await answering.put("chunk", event(1), seq=1)
            await answering.put("chunk", event(1), seq=1)
            await answering.put("started", event(0), seq=0, head=Head(200, SSE))
            answering.seq = 2
            await answering.finish(DONE)

        worker.script = script
        ingress = await start()

        found = await ingress.chat(stream=True)

        assert found.content == event(0) + event(1) + DONE

    @pytest.mark.parametrize("seqs", [(2,), (3, 2)], ids=["gap", "out of order"])
    async def test_a_gap_is_an_error(
        self, start: Start, worker: Worker, seqs: tuple[int, ...]
    ) -> None:
        """A missing record ends the stream in-band, and the worker is told to stop."""

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            for seq in seqs:
                await answering.put("chunk", event(seq), seq=seq)

        worker.script = script
        ingress = await start()

        found = await ingress.chat(stream=True)

        assert found.content.startswith(event(0))
        assert errors_of(found.content) == ["stream_interrupted"]
        await until(lambda: worker.cancelled(worker.requests[0].request_id) == "disconnected")

    async def test_a_wrong_count_is_an_error(self, start: Start, worker: Worker) -> None:
        """A last record that counts more than came is no proper end."""

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            await answering.put("completed", DONE, count=3)

        worker.script = script
        ingress = await start()

        found = await ingress.chat(stream=True)

        assert errors_of(found.content) == ["stream_interrupted"]

    async def test_an_answer_without_its_beginning_is_an_error(
        self, start: Start, worker: Worker
    ) -> None:
        """A first record that is not seq 0 gives 502 in the envelope."""

        async def script(answering: Answering) -> None:
            await answering.put("completed", ANSWER, seq=1, count=2)

        worker.script = script
        ingress = await start()

        found = await ingress.chat()

        assert found.status_code == 502
        assert found.json()["error"]["code"] == "stream_interrupted"

    async def test_an_unreadable_record_is_an_error(self, start: Start, worker: Worker) -> None:
        """A record on the reply partition that is no reply fails its request, not the reader."""

        async def script(answering: Answering) -> None:
            await worker.raw_reply(answering.request, [("ce_type", b"nonsense")])

        worker.script = script
        ingress = await start()

        first = await ingress.chat()
        worker.script = Answering.plain
        second = await ingress.chat()

        assert (first.status_code, second.status_code) == (502, 200)


class TestAttempts:
    """A request that runs again answers again; the client sees one answer."""

    async def test_a_new_attempt_replaces_what_nobody_saw(
        self, start: Start, worker: Worker
    ) -> None:
        """Pieces of a plain answer are dropped when another attempt begins."""

        async def script(answering: Answering) -> None:
            await answering.begin(b'{"old":', JSON)
            answering.attempt, answering.seq = 2, 0
            await answering.begin(b'{"new":', JSON)
            await answering.finish(b"1}")

        worker.script = script
        ingress = await start()

        found = await ingress.chat()

        assert found.json() == {"new": 1}

    async def test_an_older_attempt_is_dropped(self, start: Start, worker: Worker) -> None:
        """Late records of an attempt that was replaced do not mix with the newer one's."""

        async def script(answering: Answering) -> None:
            answering.attempt = 2
            await answering.begin(event(0))
            answering.attempt = 1
            await answering.put("chunk", event(9), seq=1)
            answering.attempt, answering.seq = 2, 1
            await answering.finish(DONE)

        worker.script = script
        ingress = await start()

        found = await ingress.chat(stream=True)

        assert found.content == event(0) + DONE

    async def test_a_new_attempt_after_bytes_ends_the_stream(
        self, start: Start, worker: Worker
    ) -> None:
        """What was written cannot be taken back, so the stream ends with an error event."""
        seen = asyncio.Event()

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            await seen.wait()
            answering.attempt, answering.seq = 2, 0
            await answering.begin(event(0))
            await answering.finish(DONE)

        worker.script = script
        ingress = await start()

        async with ingress.client.stream("POST", "/v1/chat/completions", json=body()) as found:
            pieces = found.aiter_bytes()
            first = await anext(pieces)
            seen.set()
            rest = b"".join([piece async for piece in pieces])

        assert first == event(0)
        assert errors_of(rest) == ["stream_interrupted"]
        assert DONE not in rest

    async def test_replies_that_nobody_waits_for_are_counted(
        self, start: Start, worker: Worker
    ) -> None:
        """Records after the end and of unknown requests are passed over."""

        async def script(answering: Answering) -> None:
            await answering.plain()
            await answering.plain()

        worker.script = script
        ingress = await start()
        late = ingress.gateway.metrics.counter("sluice_late_replies")

        found = await ingress.chat()

        assert found.content == ANSWER
        await until(lambda: late.value == 1)


class TestTimes:
    """Deadlines, keep-alives, and readers that are slow or gone."""

    async def test_the_deadline_without_an_answer(
        self, start: Start, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request that nobody answers gets 504 soon after its deadline."""
        monkeypatch.setattr("ingress.producer.GRACE", 0.1)

        async def script(answering: Answering) -> None:
            """Say nothing."""

        worker.script = script
        ingress = await start(request_timeout=0.5)

        found = await ingress.chat()

        assert found.status_code == 504
        assert found.json()["error"]["code"] == "deadline_exceeded"

    async def test_the_deadline_in_a_stream(
        self, start: Start, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stream that stands still past its deadline ends with an error event."""
        monkeypatch.setattr("ingress.producer.GRACE", 0.1)

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))

        worker.script = script
        ingress = await start(request_timeout=0.5)

        found = await ingress.chat(stream=True)

        assert errors_of(found.content) == ["deadline_exceeded"]

    async def test_a_quiet_stream_is_kept_alive(self, start: Start, worker: Worker) -> None:
        """While nothing comes, comments of one newline are written; none between events that flow."""

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            await asyncio.sleep(1.0)
            await answering.finish(DONE)

        worker.script = script
        ingress = await start(ping_interval=0.2)

        found = await ingress.chat(stream=True)

        pings = found.content.removeprefix(event(0)).removesuffix(DONE)
        assert pings
        assert pings.replace(b": ping\n", b"") == b""

    @pytest.mark.parametrize("size", [10, 100_000], ids=["small body", "body of 100 kB"])
    async def test_a_client_that_leaves_cancels(
        self, start: Start, worker: Worker, size: int
    ) -> None:
        """A disconnect before the answer reaches the workers as a cancellation."""
        begun = asyncio.Event()

        async def script(answering: Answering) -> None:
            begun.set()

        worker.script = script
        ingress = await start()
        content = json.dumps(body(padding="x" * size)).encode()

        _, writer = await asyncio.open_connection(ingress.host, ingress.port)
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (KEY.encode(), len(content), content)
        )
        await begun.wait()
        writer.close()

        await until(lambda: worker.cancelled(worker.requests[0].request_id) == "disconnected")
        assert ingress.gateway.admission.count == ingress.gateway.admission.bytes == 0
        assert len(ingress.gateway.replies) == 0

    async def test_a_client_that_leaves_a_stream_cancels(
        self, start: Start, worker: Worker
    ) -> None:
        """A disconnect in mid-stream, too."""

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))

        worker.script = script
        ingress = await start()

        async with ingress.client.stream("POST", "/v1/chat/completions", json=body()) as found:
            await anext(found.aiter_bytes())

        await until(lambda: worker.cancelled(worker.requests[0].request_id) == "disconnected")

    @pytest.mark.parametrize(
        "settings", [{"write_timeout": 0.5}, {"reply_buffer": 4 * MEBIBYTE}], ids=["time", "bytes"]
    )
    async def test_a_reader_that_takes_nothing_is_dropped(
        self, start: Start, worker: Worker, settings: dict[str, float]
    ) -> None:
        """Its connection is broken and the worker told, whether the time or the buffer ends first."""

        async def script(answering: Answering) -> None:
            await answering.begin(event(0))
            while not worker.cancelled(answering.request.request_id):
                await answering.chunk(b"data: %s\n\n" % (b"x" * MEBIBYTE))

        worker.script = script
        ingress = await start(**settings)
        content = json.dumps(body()).encode()

        _, writer = await asyncio.open_connection(ingress.host, ingress.port, limit=1024)
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (KEY.encode(), len(content), content)
        )

        await until(lambda: worker.cancellations)
        assert worker.cancellations[0].reason == "disconnected"
        await until(lambda: ingress.gateway.admission.count == 0)
        writer.close()

    async def test_a_body_that_trickles_times_out(self, start: Start, worker: Worker) -> None:
        """The body's deadline is absolute: bytes that keep coming do not move it."""
        ingress = await start(body_timeout=0.5)

        reader, writer = await asyncio.open_connection(ingress.host, ingress.port)
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nContent-Length: 1000\r\n\r\n"
            % KEY.encode()
        )
        answering = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        while not answering.done():
            writer.write(b" ")
            await asyncio.sleep(0.1)
        writer.close()

        assert answering.result().startswith(b"HTTP/1.1 408 ")
        assert worker.requests == []


class TestSizes:
    """Large bodies in both directions."""

    async def test_eight_megabytes_up(self, start: Start, worker: Worker) -> None:
        """A body of 8 MiB reaches the log byte for byte."""
        ingress = await start()
        content = json.dumps(body(padding="x" * 8 * MEBIBYTE)).encode()

        found = await ingress.client.post("/v1/chat/completions", content=content)

        assert found.status_code == 200
        assert worker.requests[0].body == content
        assert ingress.gateway.admission.bytes == 0

    async def test_a_chunked_body_goes_whole(self, start: Start, worker: Worker) -> None:
        """Without a length the body is read to its end."""
        ingress = await start()
        content = json.dumps(body(padding="x" * 300_000)).encode()

        async def pieces():  # type: ignore[no-untyped-def]
            for at in range(0, len(content), 50_000):
                yield content[at : at + 50_000]

        found = await ingress.client.post("/v1/chat/completions", content=pieces())

        assert found.status_code == 200
        assert worker.requests[0].body == content

    @pytest.mark.parametrize("content_type", [JSON, SSE])
    async def test_eight_megabytes_down(
        self, start: Start, worker: Worker, content_type: str
    ) -> None:
        """An answer of many records arrives whole."""
        piece = b"x" * (256 << 10)

        async def script(answering: Answering) -> None:
            await answering.begin(piece, content_type)
            for _ in range(31):
                await answering.chunk(piece)
            await answering.finish()

        worker.script = script
        ingress = await start()

        found = await ingress.chat()

        assert found.content == piece * 32

    async def test_one_large_record(self, start: Start, worker: Worker) -> None:
        """An answer of 6 MiB in one record has its length."""
        large = b"x" * 6 * MEBIBYTE

        async def script(answering: Answering) -> None:
            await answering.plain(large)

        worker.script = script
        ingress = await start()

        found = await ingress.chat()

        assert found.content == large
        assert found.headers["content-length"] == str(len(large))

    @pytest.mark.parametrize("failed", [True, False], ids=["failed", "gap"])
    async def test_a_large_plain_answer_that_breaks_does_not_look_whole(
        self, start: Start, worker: Worker, failed: bool
    ) -> None:
        """After its first bytes a failure breaks the connection."""

        async def script(answering: Answering) -> None:
            await answering.begin(b"x" * 2 * MEBIBYTE, JSON)
            await asyncio.sleep(0.2)
            if failed:
                await answering.fail(b'{"error":{}}')
            else:
                await answering.put("completed", b"x", seq=5, count=6)

        worker.script = script
        ingress = await start()

        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await ingress.chat()

    async def test_many_at_once(self, start: Start, worker: Worker) -> None:
        """Each of two hundred requests gets its own answer."""

        async def script(answering: Answering) -> None:
            await answering.plain(b'{"you":%d}' % answering.options["number"])

        worker.script = script
        ingress = await start()

        async def ask(ingress: Ingress, number: int) -> int:
            return int((await ingress.chat(number=number)).json()["you"])

        found = await asyncio.gather(*(ask(ingress, number) for number in range(200)))

        assert found == list(range(200))
