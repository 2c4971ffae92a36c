"""OpenTelemetry: one trace for one request, from the client to the store, through every process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiohttp import web

from tests.brokers import embedded_broker
from tests.collector import Collector, Told, collector
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACE = "0af7651916cd43dd8448eb211c80319c"
CLIENT = "b7ad6b7169203331"
KEY = "sk-traced"
SECRET = "pineapple"


class Upstream:
    """A provider that keeps the headers of what it is asked."""

    def __init__(self) -> None:
        self.url = ""
        self.headers: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        message = {"role": "assistant", "content": "Hello"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response({"id": "c", "model": "m", "choices": [choice]})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[Upstream]:
    found, application = Upstream(), web.Application()
    application.router.add_post("/v1/chat/completions", found.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield found
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def traced(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> AsyncIterator[tuple[Stack, Collector]]:
    """All roles on a broker of their own, with a collector."""
    folder = tmp_path_factory.mktemp("traced")
    with collector() as found:
        async with embedded_broker(folder) as broker:
            stack = Stack(
                folder,
                broker.bootstrap,
                "llm.",
                GOMODEL_MASTER_KEY=KEY,
                OTEL_EXPORTER_OTLP_ENDPOINT=found.url,
                OTEL_EXPORTER_OTLP_HEADERS="x-tenant=ours",
                OTEL_METRICS_EXPORTER="otlp",
                OTEL_METRIC_EXPORT_INTERVAL="500",
                OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
                RETRY_INITIAL_BACKOFF="10ms",
                VLLM_BASE_URL=upstream.url,
                VLLM_MODELS="traced-model",
            )
            try:
                await stack.start_all()
                yield stack, found
            finally:
                stack.erase()


async def ask(stack: Stack, trace: str, flags: str = "01", **fields: Any) -> httpx.Response:
    body = {"model": "sim-echo", "messages": [{"role": "user", "content": SECRET}]} | fields
    headers = {"authorization": f"Bearer {KEY}", "traceparent": f"00-{trace}-{CLIENT}-{flags}"}
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as client:
        return await client.post("/v1/chat/completions", json=body, headers=headers)


async def whole(found: Collector, trace: str) -> list[Told]:
    """The trace, when its last span has come."""
    await until(lambda: any(s.name.startswith("store ") for s in found.of_trace(trace)))
    await until(lambda: any(s.name.startswith("POST ") for s in found.of_trace(trace)))
    await until(lambda: any(s.name.startswith("process ") for s in found.of_trace(trace)))
    return found.of_trace(trace)


def chain(spans: list[Told], last: Told) -> list[str]:
    """The names from a span to the first that we made."""
    by_id = {span.span_id: span for span in spans}
    names = [last.name]
    while (last_parent := by_id.get(last.parent_id)) is not None:
        last = last_parent
        names.append(last.name)
    assert last.parent_id == CLIENT
    return names


async def test_one_request_is_one_trace(traced: tuple[Stack, Collector]) -> None:
    """Client, ingress, log, worker, provider call and store are one chain of parents; no words of the
    messages are in it unless that is asked for."""
    stack, found = traced
    answer = await ask(stack, TRACE, stream=True)
    assert answer.status_code == 200, answer.text

    spans = await whole(found, TRACE)

    call = next(span for span in spans if span.name == "chat sim-echo")
    store = next(span for span in spans if span.name == "store sqlite")
    upward = ["process llm.requests", "send llm.requests", "POST chat"]
    assert chain(spans, call) == ["chat sim-echo", *upward]
    assert chain(spans, store) == ["store sqlite", *upward]
    assert {(span.service, span.kind) for span in spans} == {
        ("sluice-ingress", 2),
        ("sluice-ingress", 4),
        ("sluice-streams", 5),
        ("sluice-streams", 3),
        ("sluice-sinks", 5),
    }
    told = call.attributes
    assert told["gen_ai.operation.name"] == "chat"
    assert (told["gen_ai.provider.name"], told["gen_ai.request.model"]) == ("sim", "sim-echo")
    assert told["gen_ai.response.finish_reasons"] == ["stop"]
    assert told["gen_ai.usage.input_tokens"] > 0
    assert told["gen_ai.usage.output_tokens"] > 0
    request_id = answer.headers["sluice-request-id"]
    assert store.attributes["sluice.request_id"] == request_id
    assert not any(span.failed for span in spans)
    assert SECRET not in str(spans)
    assert found.headers[0]["x-tenant"] == "ours"


async def test_the_provider_is_told_the_trace(
    traced: tuple[Stack, Collector], upstream: Upstream
) -> None:
    """The request that reaches it names the span of its call, so that what it records hangs below it."""
    stack, found = traced
    trace = "3" * 32
    answer = await ask(stack, trace, model="vllm/traced-model")
    assert answer.status_code == 200, answer.text

    spans = await whole(found, trace)

    call = next(span for span in spans if span.name == "chat traced-model")
    assert chain(spans, call)[1:] == ["process llm.requests", "send llm.requests", "POST chat"]
    (headers,) = upstream.headers
    assert headers["traceparent"] == f"00-{trace}-{call.span_id}-01"


async def test_each_attempt_is_a_span(traced: tuple[Stack, Collector]) -> None:
    """A provider that fails is asked again, and each of its calls is a span below the worker's."""
    stack, found = traced
    trace = TRACE[::-1]
    answer = await ask(stack, trace, model="sim-status-500")

    spans = await whole(found, trace)

    assert answer.status_code == 500
    calls = [span for span in spans if span.name == "chat sim-status-500"]
    assert len(calls) > 1
    assert all(span.failed for span in calls)
    assert len({span.parent_id for span in calls}) == 1
    server = next(span for span in spans if span.name == "POST chat")
    assert (server.failed, server.attributes["http.response.status_code"]) == (True, 500)


async def test_a_trace_that_is_not_sampled_is_not_told(traced: tuple[Stack, Collector]) -> None:
    """What the client does not sample nobody records."""
    stack, found = traced
    quiet, loud = "1" * 32, "2" * 32
    assert (await ask(stack, quiet, flags="00")).status_code == 200
    assert (await ask(stack, loud)).status_code == 200

    await whole(found, loud)

    assert found.of_trace(quiet) == []


async def test_the_metrics_have_their_names(traced: tuple[Stack, Collector]) -> None:
    """GenAI's histograms arrive over OTLP, with the model and no request in their attributes."""
    stack, found = traced
    assert (await ask(stack, "3" * 32, stream=True)).status_code == 200
    names = {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.server.time_to_first_token",
    }

    await until(lambda: names <= found.metrics.keys())

    for name in names:
        for point in found.metrics[name]:
            keys = {pair.key for pair in point.attributes}
            assert "gen_ai.request.model" in keys
            assert not {key for key in keys if "id" in key.split(".")[-1].split("_")}


async def test_words_are_told_where_they_may_be(
    traced: tuple[Stack, Collector], tmp_path: Path
) -> None:
    """With content captured a call's span holds the messages and the answer, put together from its stream."""
    stack, found = traced
    words = tmp_path / "words"
    words.mkdir()
    # In place of the other worker, which leaves in order.
    worker = next(p for p in stack.processes if "streams-" in p.log.name)
    await worker.stop()
    await stack.start("streams", OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true")
    trace = "4" * 32
    assert (await ask(stack, trace, stream=True)).status_code == 200

    spans = await whole(found, trace)

    told = next(span for span in spans if span.name == "chat sim-echo").attributes
    assert SECRET in told["gen_ai.input.messages"]
    assert f'"content":"{SECRET}"' in told["gen_ai.output.messages"].replace(": ", ":")
