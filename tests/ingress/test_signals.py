"""Cancellations and heartbeats."""

import pytest

from ingress.producer import Log
from tests.ingress.conftest import Start, until
from tests.ingress.worker import Worker


async def test_a_cancellation_waits_until_the_log_takes_it(
    start: Start, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept, in order, and sent when the log is back."""
    ingress = await start()
    original = Log.signal

    async def refuse(self: Log, value: bytes, headers: object) -> bool:
        return False

    monkeypatch.setattr(Log, "signal", refuse)
    ingress.gateway.signals.cancel("a", "disconnected")
    ingress.gateway.signals.cancel("b", "requested")
    assert not await ingress.gateway.signals.flush()
    monkeypatch.setattr(Log, "signal", original)

    await until(lambda: len(worker.cancellations) == 2)
    assert [c.request_id for c in worker.cancellations] == ["a", "b"]
    assert [c.reason for c in worker.cancellations] == ["disconnected", "requested"]


async def test_a_heartbeat_says_what_runs(start: Start, worker: Worker) -> None:
    """Boot id, slot and the number of requests in flight."""
    ingress = await start(slot=1)
    ingress.gateway.admission.count = 3

    await until(lambda: worker.heartbeats and worker.heartbeats[-1].running == 3)
    ingress.gateway.admission.count = 0

    beat = worker.heartbeats[-1]
    assert (beat.role, beat.slot, beat.stopping) == ("ingress", 1, False)
    assert len({b.boot_id for b in worker.heartbeats}) == 1
