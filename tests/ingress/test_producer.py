"""The log as the ingress writes it: too large, away, and broken for good."""

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from ingress.producer import Log
from schemas.errors import BodyTooLarge, LogUnavailable
from tests.ingress.conftest import Start, until
from tests.ingress.worker import Worker


async def test_a_body_that_the_log_does_not_take_is_too_large(start: Start, worker: Worker) -> None:
    """A limit above the record's is found out by the log; the gateway stays well, nothing is cancelled."""
    ingress = await start(body_limit=64 << 20)

    found = await ingress.chat(padding="x" * (17 << 20))
    after = await ingress.chat()

    assert (found.status_code, after.status_code) == (413, 200)
    assert ingress.gateway.log.healthy
    assert worker.cancellations == []


async def test_a_producer_that_broke_is_replaced(start: Start, worker: Worker) -> None:
    """aiokafka's sender does not recover from some errors; ours comes back without a restart."""
    ingress = await start()
    log = ingress.gateway.log
    assert log._producer is not None
    broken = log._producer
    broken._message_accumulator.fail_all(KafkaError("the sender died"))

    refused = await ingress.chat()
    await until(lambda: log.healthy)
    accepted = await ingress.chat()

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "2"
    assert accepted.status_code == 200
    assert log._producer is not broken


async def test_a_log_that_fails_refuses_at_once_and_is_probed(start: Start, worker: Worker) -> None:
    """Until the next heartbeat is acknowledged."""
    ingress = await start()
    ingress.gateway.log.failed(TimeoutError())

    refused = await ingress.chat()
    await until(lambda: ingress.gateway.log.healthy)
    accepted = await ingress.chat()

    assert (refused.status_code, accepted.status_code) == (503, 200)
    assert refused.json()["error"]["code"] == "log_unavailable"
    assert ingress.gateway.metrics.counter("sluice_rejected_requests", "log").value == 1


async def test_errors_are_told_apart(start: Start) -> None:
    """A record that is too large says nothing about the log."""
    log: Log = (await start()).gateway.log

    assert isinstance(log.failed(MessageSizeTooLargeError()), BodyTooLarge)
    assert not log.failing
    assert isinstance(log.failed(TimeoutError()), LogUnavailable)
    assert log.failing
