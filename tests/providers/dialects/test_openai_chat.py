"""The dialect over real HTTP: the simulated provider's faults, and recorded providers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from providers.base import Target
from providers.config import TransportConfig
from providers.dialogue import converse
from providers.instances import make_instance
from providers.transport import Transport
from providers.vendors import VENDORS
from schemas.errors import (
    GatewayError,
    RateLimited,
    StreamTruncated,
    UpstreamError,
    UpstreamTimeout,
)
from schemas.replies import Chunk, Completed, Failed
from schemas.requests import Request
from schemas.tasks import Tasks
from sluice.sim import SimConfig, run
from tests.recorded_provider import recorded_provider
from tests.recordings import chat_recordings

MESSAGES = [{"role": "user", "content": "one two three"}]


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport(TransportConfig(response_header_timeout=0.5, stream_idle_timeout=0.5))
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def patient() -> AsyncIterator[Transport]:
    """For what takes its time on a busy machine."""
    made = Transport(TransportConfig())
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def sim_url() -> AsyncIterator[str]:
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    config, tasks = SimConfig(port=0, shutdown_timeout=0.1), Tasks()
    running = tasks.start(run(config, stop, address.set_result), name="sim")
    yield f"{await address}/v1"
    stop.set()
    await running


async def call(
    transport: Transport, base_url: str, body: bytes, model: str
) -> tuple[bytes, Completed | Failed]:
    """What a caller gets before the end, and the end."""
    target = Target(make_instance(VENDORS["sim"], "sim", base_url).endpoint, model)
    dialogue = converse(Request(request_id="r-1", body=body), target)
    sent = b""
    try:
        async with transport.send(dialogue.sent) as response:
            if response.status != 200:
                body = await response.read(1 << 20)
                return sent, dialogue.failure(response.status, response.headers, body)
            decoder = dialogue.decoder(response.content_type)
            async for data in response:
                for reply in decoder.feed(data):
                    if isinstance(reply, Failed):
                        return sent, reply
                    assert isinstance(reply, Chunk)
                    sent += reply.data
    except GatewayError as error:
        return sent, Failed(error, error.status)
    return sent, decoder.finish()


async def ask(
    transport: Transport, base_url: str, model: str, *, stream: bool
) -> tuple[bytes, Completed | Failed]:
    body = {"model": f"sim/{model}", "messages": MESSAGES, "stream": stream}
    return await call(transport, base_url, msgspec.json.encode(body), model)


@pytest.mark.parametrize("stream", [False, True])
async def test_answers(transport: Transport, sim_url: str, stream: bool) -> None:
    """A whole answer is completed, with usage and reason; what only we asked for is not shown."""
    sent, end = await ask(transport, sim_url, "sim-lorem-50", stream=stream)
    assert isinstance(end, Completed)
    assert (end.finish_reason, end.response_model) == ("stop", "sim-lorem-50")
    assert end.usage is not None
    assert (end.usage.input_tokens, end.usage.output_tokens) == (3, 50)
    if stream:
        assert b'"usage"' not in sent
        assert end.data == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("model", "stream", "kind"),
    [
        ("sim-cut-2", True, StreamTruncated),
        ("sim-cut-2", False, StreamTruncated),
        ("sim-truncate-2", True, StreamTruncated),
        ("sim-truncate-2", False, StreamTruncated),
        ("sim-stall-2", True, UpstreamTimeout),
        ("sim-stall-2", False, UpstreamTimeout),
        ("sim-hang", True, UpstreamTimeout),
        ("sim-malformed-2", True, UpstreamError),
        ("sim-malformed-2", False, UpstreamError),
        ("sim-error-2", True, UpstreamError),
        ("sim-error-2", False, UpstreamError),
        ("sim-refuse", True, UpstreamError),
        ("sim-status-429", True, RateLimited),
        ("sim-status-500", False, UpstreamError),
    ],
)
async def test_faults(
    transport: Transport, sim_url: str, model: str, stream: bool, kind: type[GatewayError]
) -> None:
    """Each fault becomes the failure that it is, after whole events only."""
    sent, end = await ask(transport, sim_url, model, stream=stream)
    assert isinstance(end, Failed)
    assert type(end.error) is kind
    if stream and model.endswith("-2"):
        assert sent.count(b'"content":"') == 3
        assert sent.endswith(b"\n\n")


async def test_no_done(transport: Transport, sim_url: str) -> None:
    """A stream without `[DONE]` but with a finish reason is whole."""
    _, end = await ask(transport, sim_url, "sim-no-done", stream=True)
    assert isinstance(end, Completed)
    assert end.data == b"data: [DONE]\n\n"


@pytest.mark.parametrize("stream", [False, True])
async def test_8_mib(patient: Transport, sim_url: str, stream: bool) -> None:
    """Large answers arrive whole."""
    sent, end = await ask(patient, sim_url, "sim-bytes-8388608", stream=stream)
    assert isinstance(end, Completed)
    assert len(sent) + len(end.data) > 8 << 20


async def test_recorded_providers(patient: Transport, shared_dir: Path) -> None:
    """Every recorded request, sent over HTTP, brings back its recorded answer byte for byte."""
    by_body = {}
    for recording in chat_recordings(shared_dir):
        by_body.setdefault(msgspec.json.encode(recording.request, order="sorted"), recording)
    seen = 0
    async with recorded_provider(by_body.values()) as provider:
        for recording in by_body.values():
            body = msgspec.json.encode(recording.request)
            model = recording.request["model"]
            sent, end = await call(patient, provider.base_url, body, model)
            if isinstance(end, Failed):
                assert end.body is not None, recording.key
                assert end.body in recording.body(), recording.key
                continue
            got, expected = sent + end.data, recording.body()
            if recording.streamed and "stream_options" not in recording.request:
                # We asked for usage, so an event with nothing else in it is not the caller's.
                usage = [
                    e for e in expected.split(b"\n\n") if b'"choices":[]' in e and b'"usage":{' in e
                ]
                for event in usage:
                    expected = expected.replace(event + b"\n\n", b"")
            assert got == expected, recording.key
            seen += 1
        assert provider.unknown == []
    assert seen > 100
