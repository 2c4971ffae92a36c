"""The official SDK as client: what it sees through the gateway is what it sees from the provider itself."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import openai
import pytest
import pytest_asyncio
from msgspec import Struct
from openai import AsyncOpenAI, OpenAI
from openai.resources.chat.completions import AsyncCompletions

from schemas import exchange as exchanges
from schemas.exchange import Exchange
from tests.e2e.log import Tail, is_outcome, tail
from tests.gateway import KEY, RECORDED, Gateway, vendor_of
from tests.recorded_provider import RecordedProvider
from tests.recordings import Recording
from tests.stack import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

KNOWN = inspect.signature(AsyncCompletions.create).parameters.keys() - {"self"}
HELLO: Any = [{"role": "user", "content": "Hello to all of you"}]


class World(Struct):
    """The shared gateway and its outcomes."""

    gateway: Gateway
    reading: Tail

    @property
    def recordings(self) -> list[Recording]:
        return self.gateway.recordings

    def client(self, url: str = "", **options: Any) -> AsyncOpenAI:
        return AsyncOpenAI(
            base_url=f"{url or self.gateway.url}/v1",
            api_key=KEY,
            **{"max_retries": 0, "timeout": 30} | options,
        )

    async def exchange(self, client_request_id: str) -> Exchange:
        """The outcome of the request that its client named so."""
        (record, *_) = await self.reading.take(
            self.gateway.stack.topics.exchanges,
            lambda r: (
                is_outcome(r) and exchanges.decode(r.value).client_request_id == client_request_id
            ),
            what=client_request_id,
        )
        return exchanges.decode(record.value)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(gateway: Gateway, shared_dir: Path) -> AsyncIterator[World]:
    async with tail(gateway.stack.bootstrap, gateway.stack.topics.exchanges) as reading:
        yield World(gateway, reading)


@pytest_asyncio.fixture(loop_scope="module")
async def client(world: World) -> AsyncIterator[AsyncOpenAI]:
    async with world.client() as found:
        yield found


def arguments(recording: Recording, model: str) -> dict[str, Any]:
    """The recorded body as arguments of `create`; what the SDK does not know goes as `extra_body`."""
    body = recording.request | {"model": model}
    unknown = {name: value for name, value in body.items() if name not in KNOWN}
    known = {name: value for name, value in body.items() if name in KNOWN}
    return known | ({"extra_body": unknown} if unknown else {})


def told(error: openai.APIError) -> tuple[Any, ...]:
    """All that the SDK makes of an error."""
    status = error.status_code if isinstance(error, openai.APIStatusError) else None
    return type(error), status, error.code, error.param, error.type, error.message, error.body


async def seen(client: AsyncOpenAI, recording: Recording, model: str) -> tuple[Any, ...]:
    """What the SDK sees: the answer's bytes and members, or the chunks; the error in its place."""
    chunks: list[Any] = []
    try:
        raw = await client.chat.completions.with_raw_response.create(**arguments(recording, model))
        if not recording.streamed:
            return raw.content, raw.parse().model_dump(warnings=False)
        async for chunk in raw.parse():
            chunks.append(chunk.model_dump(warnings=False))  # noqa: PERF401 - kept if it breaks
    except openai.APIError as error:
        return (chunks, *told(error))
    return (chunks,)


def seen_by_sync(client: OpenAI, recording: Recording, model: str) -> tuple[Any, ...]:
    """The same by the blocking client."""
    chunks: list[Any] = []
    try:
        answer = client.chat.completions.create(**arguments(recording, model))
        if not recording.streamed:
            return (answer.model_dump(warnings=False),)
        chunks += [chunk.model_dump(warnings=False) for chunk in answer]
    except openai.APIError as error:
        return (chunks, *told(error))
    return (chunks,)


def without_usage_chunk(found: tuple[Any, ...], recording: Recording) -> tuple[Any, ...]:
    """Who did not ask for usage gets no event of it alone, also where a provider sends it unasked."""
    if not recording.streamed or "stream_options" in recording.request:
        return found
    chunks = [chunk for chunk in found[0] if chunk["choices"] or not chunk["usage"]]
    return (chunks, *found[1:])


def direct_client(provider: RecordedProvider) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=provider.base_url, api_key="direct", max_retries=0)


@pytest.mark.parametrize("vendor", RECORDED)
async def test_recordings(world: World, client: AsyncOpenAI, vendor: str) -> None:
    """Every recorded conversation: answers byte for byte, chunks and errors member for member."""
    provider = world.gateway.providers[vendor]
    own = [recording for recording in world.recordings if vendor_of(recording) == vendor]
    assert own
    async with direct_client(provider) as direct:
        for recording in own:
            model = recording.request["model"]
            expected = await seen(direct, recording, model)
            found = await seen(client, recording, f"{world.gateway.instance(vendor)}/{model}")
            assert found == without_usage_chunk(expected, recording), recording.key
    assert not provider.unknown


async def test_recordings_hold_what_matters(world: World) -> None:
    """Among them are streams, tool calls, refusals, and members that the SDK does not know."""
    texts = [(one, msgspec.json.encode(one.response).decode()) for one in world.recordings]

    assert len({vendor_of(one) for one, _ in texts}) >= len(RECORDED)
    assert len([one for one, _ in texts if one.streamed]) >= 15
    assert len([one for one, text in texts if '"tool_calls":[{' in text]) >= 40
    assert len([one for one, _ in texts if one.status == 400]) >= 4
    assert len([one for one, text in texts if "reasoning" in text]) >= 20


def samples(recordings: list[Recording]) -> Iterator[Recording]:
    """The first plain, streamed and refused one of each provider."""
    met = set()
    for recording in recordings:
        kind = (vendor_of(recording), recording.streamed, recording.status)
        if kind not in met:
            met.add(kind)
            yield recording


async def test_blocking_client(world: World) -> None:
    """The blocking SDK sees of each provider what it sees directly."""
    for recording in samples(world.recordings):
        vendor, model = vendor_of(recording), recording.request["model"]
        direct = OpenAI(
            base_url=world.gateway.providers[vendor].base_url, api_key="direct", max_retries=0
        )
        through = OpenAI(base_url=f"{world.gateway.url}/v1", api_key=KEY, max_retries=0)
        with direct, through:
            expected = await asyncio.to_thread(seen_by_sync, direct, recording, model)
            name = f"{world.gateway.instance(vendor)}/{model}"
            found = await asyncio.to_thread(seen_by_sync, through, recording, name)
        assert found == without_usage_chunk(expected, recording), recording.key


async def test_bare_model_names(world: World, client: AsyncOpenAI) -> None:
    """A model that one provider lists is found without naming the instance."""
    recording = next(
        one
        for one in world.recordings
        if one.request["model"] == "gpt-4.1-mini" and one.status == 200
    )

    _, found = await seen(client, recording, "gpt-4.1-mini")

    assert found["model"] == recording.response["model"]


async def test_many_at_once(world: World, client: AsyncOpenAI) -> None:
    """A hundred conversations at the same time: each gets its own answer."""
    own = [one for one in world.recordings if vendor_of(one) == "openai" and not one.streamed]

    async def one(recording: Recording) -> None:
        found = await seen(client, recording, f"openai/{recording.request['model']}")
        if recording.status == 200:
            assert found[1]["id"] == recording.response["id"]
            assert found[0] == recording.body()

    await asyncio.gather(*(one(recording) for recording in (own * 2)[:100]))


async def test_models(world: World, client: AsyncOpenAI) -> None:
    """The list has every provider's models; one is found by its bare id and with its instance."""

    async def listed() -> bool:
        ids = {model.id async for model in client.models.list()}
        return {"gpt-4o", "glm-4.7", "sim-echo"} <= {name.rpartition("/")[2] for name in ids}

    await until(listed, 30.0, "the lists were not fetched")
    for name in ("sim-echo", "sim/sim-echo", "openai/gpt-4o", "groq/openai/gpt-oss-120b"):
        found = await client.models.retrieve(name)
        assert found.object == "model"
        assert found.id.endswith(name.rpartition("/")[2])
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("gpt-of-nobody")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("given", ["Bearer sk-wrong", f"Bearer {KEY}-", "Basic c2s6eA=="])
async def test_wrong_key(world: World, given: str) -> None:
    """AuthenticationError, for completions and for models."""
    async with world.client(default_headers={"Authorization": given}) as client:
        for ask in (
            lambda: client.chat.completions.create(model="sim-echo", messages=HELLO),
            lambda: client.models.retrieve("sim-echo"),
        ):
            with pytest.raises(openai.AuthenticationError) as caught:
                await ask()
            assert caught.value.code == "invalid_api_key"
            assert caught.value.type == "authentication_error"


BREAKING = ("sim-cut", "sim-malformed", "sim-truncate")


@pytest.mark.parametrize(
    ("arguments", "kind", "code", "param"),
    [
        ({"messages": []}, openai.BadRequestError, "invalid_request", "messages"),
        ({"messages": "hi"}, openai.BadRequestError, "invalid_request", "messages"),
        ({"model": ""}, openai.BadRequestError, "invalid_request", "model"),
        ({"model": 5}, openai.BadRequestError, "invalid_request", "model"),
        ({"model": "gpt-of-nobody"}, openai.NotFoundError, "model_not_found", "model"),
        ({"n": 1000}, openai.BadRequestError, None, "n"),  # the provider's own refusal
        ({"model": "sim-status-429"}, openai.RateLimitError, "rate_limit_exceeded", None),
        ({"model": "sim-status-500"}, openai.InternalServerError, None, None),
        ({"model": "sim-cut-1"}, openai.InternalServerError, "stream_truncated", None),
        ({"model": "sim-malformed-1"}, openai.InternalServerError, "upstream_error", None),
        ({"model": "sim-truncate-1"}, openai.InternalServerError, "stream_truncated", None),
    ],
)
async def test_refusals(
    client: AsyncOpenAI,
    arguments: dict[str, Any],
    kind: type[openai.APIStatusError],
    code: str | None,
    param: str | None,
) -> None:
    """The SDK's own exception, with code and member; plain and streamed alike."""
    for stream in (False, True):
        if stream and str(arguments.get("model")).startswith(BREAKING):
            continue  # a stream breaks inside, see below
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(
                **{"model": "sim-echo", "messages": HELLO, "stream": stream} | arguments
            )
        assert type(caught.value) is kind
        assert caught.value.message
        assert (caught.value.code, caught.value.param) == (code, param)


async def test_rate_limit_headers_of_a_refusal(client: AsyncOpenAI) -> None:
    """A provider's 429 keeps its Retry-After and its limits."""
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(model="sim-status-429-retry-7", messages=HELLO)

    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert caught.value.response.headers["x-upstream-request-id"] == "req_sim"
    assert caught.value.request_id == caught.value.response.headers["sluice-request-id"]


@pytest.mark.parametrize("fault", ["cut-3", "truncate-3", "malformed-3", "error-3"])
async def test_broken_streams(client: AsyncOpenAI, fault: str) -> None:
    """A stream that breaks after some words raises: it never ends as if it were whole."""
    stream = await client.chat.completions.create(
        model=f"sim-lorem-9-{fault}", messages=HELLO, stream=True
    )
    chunks = []

    async def read() -> None:
        async for chunk in stream:
            chunks.append(chunk)  # noqa: PERF401 - kept when it breaks

    with pytest.raises(openai.APIError) as caught:
        await read()

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "lorem ipsum dolor"
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)
    assert caught.value.message


async def test_raw_response_headers(client: AsyncOpenAI) -> None:
    """Who answered and under which ids; limits as the provider says them; nothing of its connection."""
    raw = await client.chat.completions.with_raw_response.create(
        model="openai/talkative", messages=HELLO, extra_headers={"X-Request-ID": "mine-1"}
    )

    assert raw.headers["sluice-provider"] == "openai"
    assert raw.headers["sluice-model"] == "talkative"
    assert raw.headers["x-ratelimit-limit-requests"] == "100"
    assert raw.headers["x-ratelimit-remaining-requests"] == "99"
    assert raw.headers["openai-processing-ms"] == "12"
    assert raw.headers["x-upstream-request-id"] == "req_theirs"
    assert raw.headers["x-request-id"] == raw.request_id == "mine-1"
    assert raw.headers["sluice-request-id"] != "mine-1"
    assert "set-cookie" not in raw.headers
    assert raw.headers.get("server") != "theirs"
    assert raw.parse().model == "talkative-2026"


async def test_an_id_of_ours(world: World, client: AsyncOpenAI) -> None:
    """Without an id of the client's, `_request_id` names the exchange."""
    found = await client.chat.completions.create(model="sim-echo", messages=HELLO)

    request_id = found._request_id
    assert request_id is not None
    (record,) = await world.reading.take(
        world.gateway.stack.topics.exchanges,
        lambda r: r.key == request_id.encode() and is_outcome(r),
    )
    assert exchanges.decode(record.value).client == "master"


@pytest.mark.parametrize("asked", [False, True])
async def test_usage_of_streams(world: World, client: AsyncOpenAI, asked: bool) -> None:
    """The provider is always asked for usage: the exchange has it, the client if it asked, too."""
    name = f"usage-{asked}"
    options: Any = {"stream_options": {"include_usage": True}} if asked else {}
    stream = await client.chat.completions.create(
        model="sim-echo",
        messages=HELLO,
        stream=True,
        extra_headers={"X-Request-ID": name},
        **options,
    )

    chunks = [chunk async for chunk in stream]

    found = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert [(usage.prompt_tokens, usage.completion_tokens) for usage in found] == [(5, 5)] * asked
    assert all(chunk.choices for chunk in chunks) is not asked
    exchange = await world.exchange(name)
    assert exchange.usage is not None
    assert (exchange.usage.input_tokens, exchange.usage.output_tokens) == (5, 5)
    assert msgspec.json.decode(exchange.request.content()).get("stream_options") == options.get(
        "stream_options"
    )


async def test_usage_is_not_asked_for_twice(client: AsyncOpenAI) -> None:
    """`include_usage: false` is a word of the client, which gets no usage for it."""
    stream = await client.chat.completions.create(
        model="sim-echo", messages=HELLO, stream=True, stream_options={"include_usage": False}
    )

    assert [chunk.usage async for chunk in stream if chunk.usage] == []


async def test_tool_calls_by_the_stream_helper(client: AsyncOpenAI) -> None:
    """The SDK's accumulating stream puts a tool call together."""
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    async with client.chat.completions.stream(
        model="sim-tool", messages=HELLO, tools=tools
    ) as stream:
        async for _ in stream:
            pass
        found = await stream.get_final_completion()

    (choice,) = found.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"simulated": true}')


async def test_keep_alive(world: World) -> None:
    """Comments between the words of a slow stream: they are there, and the SDK does not notice."""
    body: Any = {"model": "sim-500-lorem-3", "messages": HELLO, "stream": True}
    async with world.client(world.gateway.second) as client:
        stream = await client.chat.completions.create(**body)
        words = [chunk.choices[0].delta.content or "" async for chunk in stream]
    async with httpx.AsyncClient(timeout=30) as bare:
        found = await bare.post(
            f"{world.gateway.second}/v1/chat/completions",
            json=body,
            headers={"Authorization": f"Bearer {KEY}"},
        )

    assert "".join(words) == "lorem ipsum dolor"
    assert found.text.count(": ping\n") >= 3
    assert ": ping\n\n" not in found.text


async def test_timeout(world: World) -> None:
    """The SDK's own time-out: the provider's call is abandoned, the outcome is `cancelled`."""
    async with world.client(timeout=0.7) as client:
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(
                model="sim-hang", messages=HELLO, extra_headers={"X-Request-ID": "timeout"}
            )

    assert (await world.exchange("timeout")).outcome == "cancelled"
    await nothing_open(world)


async def test_cancelled_task(world: World, client: AsyncOpenAI) -> None:
    """A cancelled call is cancelled all the way."""
    call = asyncio.ensure_future(
        client.chat.completions.create(
            model="sim-hang", messages=HELLO, extra_headers={"X-Request-ID": "cancelled"}
        )
    )
    await until(lambda: open_calls(world), 30.0, "the provider was not called")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert (await world.exchange("cancelled")).outcome == "cancelled"
    await nothing_open(world)


async def test_closed_stream(world: World, client: AsyncOpenAI) -> None:
    """A stream that is closed after its first words is cancelled; the exchange has what was sent."""
    stream = await client.chat.completions.create(
        model="sim-20-lorem-5000",
        messages=HELLO,
        stream=True,
        extra_headers={"X-Request-ID": "closed"},
    )
    words = 0
    async for chunk in stream:
        words += bool(chunk.choices[0].delta.content)
        if words == 3:
            break
    await stream.close()

    exchange = await world.exchange("closed")
    assert exchange.outcome == "cancelled"
    assert exchange.response is not None
    assert exchange.response.content().count(b"data: ") >= 3
    await nothing_open(world)


async def open_calls(world: World) -> int:
    return int((await world.gateway.sim_calls())["open"])


async def nothing_open(world: World) -> None:
    async def none() -> bool:
        return await open_calls(world) == 0

    await until(none, 30.0, "a call of the provider is still open")
