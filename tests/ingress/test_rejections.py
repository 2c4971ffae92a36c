"""Who was refused stands in the log, as an exchange of its own."""

import asyncio

import msgspec
from aiokafka import AIOKafkaConsumer

from ingress.producer import Told
from schemas.exchange import REFUSED_TYPE, Exchange, decode
from schemas.kafka import KafkaConfig
from tests.ingress.conftest import KEY, Start
from tests.ingress.worker import Worker


async def refusals(kafka: KafkaConfig, count: int) -> list[Exchange]:
    """So many of them as they stand in the log."""
    consumer = AIOKafkaConsumer(
        kafka.topics.exchanges,
        **kafka.client_options("test"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    found: list[Exchange] = []
    try:
        async with asyncio.timeout(10):
            while len(found) < count:
                record = await consumer.getone()
                if ("ce_type", REFUSED_TYPE) in record.headers:
                    found.append(decode(record.value))
    except TimeoutError:
        pass  # what is missing is seen
    else:
        return found
    finally:
        await consumer.stop()
    return found


async def test_a_refusal_is_recorded_before_it_is_answered(
    start: Start, worker: Worker, kafka: KafkaConfig
) -> None:
    """With who asked for what, what was sent, and what was told; not those of whom nobody is known, and
    of a request that is taken in nothing."""
    ingress = await start()
    long = "x" * 100_000
    answers = [
        await ingress.client.post("/v1/chat/completions", content=b"{not json"),
        await ingress.client.post("/v1/chat/completions", json={"messages": [], "model": 7}),
        await ingress.client.post("/v1/chat/completions", content=b'{"a":"' + long.encode()),
        await ingress.client.post(
            "/v1/chat/completions", json={}, headers={"x-sluice-user-path": "/a/../b"}
        ),
        await ingress.client.post("/v1beta/models/sim-1:sing", json={}),
    ]
    nobody = await ingress.chat(headers={"authorization": "Bearer wrong"})
    taken = await ingress.chat()
    found = {each.request_id: each for each in await refusals(kafka, len(answers))}

    assert (nobody.status_code, taken.status_code) == (401, 200)
    ids = [each.headers["sluice-request-id"] for each in answers]
    assert set(found) == set(ids)
    for answer, name in zip(answers, ids, strict=True):
        each = found[name]
        assert (each.outcome, each.status, each.client) == (
            "rejected",
            answer.status_code,
            "master",
        )
        assert each.error is not None
        assert each.error.message == answer.json()["error"]["message"]
        assert each.response is not None
        assert each.response.content() == answer.content
        assert each.kafka.offset == -1
        assert KEY.encode() not in msgspec.json.encode(each)
    assert found[ids[0]].request.content() == b"{not json"
    assert 0 < len(found[ids[2]].request.content()) <= 64 << 10


async def test_what_cannot_be_recorded_is_counted(start: Start, worker: Worker) -> None:
    """With the log away the refusal is told all the same."""
    ingress = await start()
    gateway = ingress.gateway

    async def away(record: Told) -> bool:
        return False

    gateway.log.tell = away  # type: ignore[method-assign]  # a log that takes nothing
    answer = await ingress.client.post("/v1/chat/completions", content=b"{not json")

    assert answer.status_code == 400
    assert gateway.metrics.counter("sluice_unrecorded_rejections", "log").value == 1
