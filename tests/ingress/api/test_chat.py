"""POST /v1/chat/completions over a real log."""

from tests.ingress.conftest import Start
from tests.ingress.worker import ANSWER, DONE, Answering, Worker, event


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

    assert found.headers["content-type"] == "text/event-stream"
    assert found.headers["cache-control"] == "no-cache"
    assert found.headers["x-accel-buffering"] == "no"
    assert found.content == b"".join(event(n) for n in range(5)) + DONE
