"""One process's parts together."""

import pytest

from ingress.reader import Reader
from schemas.kafka import KafkaConfig
from tests.ingress.conftest import Start, settings_of, start_without_waiting
from tests.services import free_port


async def test_a_loop_that_ends_by_a_bug_ends_the_process(
    kafka: KafkaConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a gateway would accept requests and never answer; the supervisor starts a whole one."""

    async def fail(self: Reader) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Reader, "run", fail)
    running, _ = start_without_waiting(settings_of(free_port()), kafka)

    with pytest.raises(ZeroDivisionError):
        await running


async def test_lost_replies_interrupt_those_who_wait(start: Start) -> None:
    """Whose answer may have been among them; nobody waits for a record that is gone."""
    gateway = (await start()).gateway
    slot = gateway.replies.open(b"id", lambda: None)

    gateway._lost(gateway._reply_partition)

    assert slot.error is not None
    gateway.replies.close(slot)
