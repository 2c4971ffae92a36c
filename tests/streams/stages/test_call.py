"""One call of one provider, against the simulated one over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from providers.config import RegistryConfig, TransportConfig
from providers.dialogue import converse
from providers.instances import make_instance
from providers.registry import Registry
from providers.transport import Transport
from providers.vendors import VENDORS
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.requests import Request
from sluice.sim import SimConfig, run
from streams.stages import Call
from streams.stages.call import Caller
from tests import services


@pytest_asyncio.fixture
async def caller() -> AsyncIterator[Caller]:
    port, stop, up = services.free_port(), asyncio.Event(), asyncio.Event()
    serving = asyncio.get_running_loop().create_task(
        run(SimConfig(port=port, shutdown_timeout=0.1), stop, lambda address: up.set())
    )
    await up.wait()
    transport = Transport(TransportConfig(stream_idle_timeout=0.5))
    await transport.open()
    instance = make_instance(
        VENDORS["sim"], "sim", f"http://127.0.0.1:{port}/v1", models=("sim-echo",)
    )
    registry = Registry([instance], transport, RegistryConfig())
    yield Caller(registry, converse, transport, SystemClock(), Metrics())
    await transport.close()
    stop.set()
    await serving


def call(model: str, *, stream: bool) -> Call:
    flag = b"true" if stream else b"false"
    body = b'{"model":"%s","stream":%s,"messages":[{"role":"user","content":"one two three"}]}' % (
        model.encode(),
        flag,
    )
    request = Request(request_id="r", body=body)
    return Call(request, envelope(request))


async def replies(caller: Caller, asked: Call) -> list[Reply]:
    async with aclosing(caller(asked)) as found:
        return [reply async for reply in found]


async def test_a_plain_answer(caller: Caller) -> None:
    """Started, then the end with the body, usage and reason; the attempt is noted."""
    asked = call("sim/sim-echo", stream=False)
    started, *pieces, completed = await replies(caller, asked)

    assert isinstance(started, Started)
    assert (started.provider, started.model) == ("sim", "sim-echo")
    assert isinstance(completed, Completed)
    assert completed.finish_reason == "stop"
    assert completed.usage is not None
    body = b"".join(piece.data for piece in pieces if isinstance(piece, Chunk)) + completed.data
    assert b"one two three" in body
    (attempt,) = asked.attempts
    assert (attempt.status, attempt.error) == (200, None)


async def test_a_stream(caller: Caller) -> None:
    """Whole events, the first content noted, `[DONE]` held back to the end."""
    asked = call("sim-echo", stream=True)
    _started, *pieces, completed = await replies(caller, asked)

    assert all(isinstance(piece, Chunk) and piece.data.endswith(b"\n\n") for piece in pieces)
    assert isinstance(completed, Completed)
    assert completed.data.endswith(b"data: [DONE]\n\n")
    assert asked.first_content is not None


@pytest.mark.parametrize(
    ("model", "stream", "code", "status"),
    [
        ("sim-status-500", False, None, 500),
        ("sim-status-429", True, "rate_limit_exceeded", 429),
        ("sim-cut-2", True, "stream_truncated", 502),
        ("sim-cut-1", False, "stream_truncated", 502),
        ("sim-truncate-2", True, "stream_truncated", 502),
        ("sim-stall-2", True, "upstream_timeout", 504),
        ("sim-malformed-2", True, "upstream_error", 502),
        ("sim-refuse", False, None, 502),
        ("nobody/has-this", False, "model_not_found", 404),
    ],
)
async def test_what_can_go_wrong(
    caller: Caller, model: str, stream: bool, code: str | None, status: int
) -> None:
    """Each fault is one Failed at the end, with its code, and noted on the attempt."""
    asked = call(model, stream=stream)
    *before, failed = await replies(caller, asked)

    assert isinstance(failed, Failed)
    assert failed.status == status
    assert code is None or failed.error.code == code
    assert not any(isinstance(reply, Completed | Failed) for reply in before)
    assert [attempt.error for attempt in asked.attempts] == [failed.error.code] * len(
        asked.attempts
    )


async def test_closing_the_handler_closes_the_call(caller: Caller) -> None:
    """A stop does not leave a provider talking to nobody."""
    asked = call("sim-3600000-lorem-10", stream=True)
    found = caller(asked)
    assert isinstance(await anext(found), Started)
    await found.aclose()

    assert len(asked.attempts) == 1
