"""OpenAI's Python SDK, `chat.completions`, in front of every upstream dialect."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.sdk.given import ARGUMENTS, FAILED, PNG, SCHEMAS, TOOLS, TRIP, Trip
from tests.sdk.world import KEY, MODELS, World, alone, wait

pytestmark = pytest.mark.xdist_group("sdk")

FUNCTIONS: Any = [
    {"type": "function", "function": {"name": name, "description": said, "parameters": schema}}
    for name, (said, schema) in TOOLS.items()
]
STATUS = {
    400: openai.BadRequestError,
    404: openai.NotFoundError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
}


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


@pytest.fixture(scope="module")  # it reads the machine's certificates each time
def client(sdk_gateway: World) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{sdk_gateway.url}/v1", api_key=KEY, max_retries=0, timeout=30) as found:
        yield found


@pytest.fixture
def model(upstream: str) -> str:
    return MODELS[upstream]


def test_plain(world: World, client: OpenAI, upstream: str, model: str, mark: str) -> None:
    """Text, finish reason and usage of a whole answer; the provider gets both turns."""
    found = client.chat.completions.create(
        model=model,
        messages=[{"role": "system", "content": "Be brief."}, user(f"Hello to all {mark}")],
        max_completion_tokens=1000,
        temperature=0.5,
    )

    (choice,) = found.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == f"Hello to all {mark}"
    assert choice.finish_reason == "stop"
    assert found.object == "chat.completion"
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (6, 4)
    assert found.usage.total_tokens == 10
    (seen,) = world.seen(mark)
    assert seen.dialect == upstream
    assert seen.system == "Be brief."


def test_streamed(world: World, client: OpenAI, upstream: str, model: str, mark: str) -> None:
    """The same in pieces: they come as pieces, and usage comes where it was asked for."""
    stream = client.chat.completions.create(
        model=model,
        messages=[user(f"One two three {mark}")],
        stream=True,
        stream_options={"include_usage": True},
    )

    chunks = list(stream)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    texts = [choice.delta.content for choice in choices if choice.delta.content]
    assert texts == ["One", " two", " three", f" {mark}"]
    assert [one.finish_reason for one in choices if one.finish_reason] == ["stop"]
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert (usage.prompt_tokens, usage.completion_tokens) == (4, 4)
    assert len({chunk.id for chunk in chunks}) == 1
    assert world.seen(mark)[0].dialect == upstream


@pytest.mark.parametrize("count", [1, 2])
def test_tools(
    world: World, client: OpenAI, upstream: str, model: str, mark: str, count: int
) -> None:
    """One call, and two at once: there and back, until the model tells what the tools said."""
    messages: Any = [user(f"How is it {mark}? [sim-tools-{count}]")]
    first = client.chat.completions.create(model=model, messages=messages, tools=FUNCTIONS)

    (choice,) = first.choices
    assert choice.finish_reason == "tool_calls"
    calls: Any = choice.message.tool_calls
    assert [one.function.name for one in calls] == list(TOOLS)[:count]
    for one in calls:
        assert json.loads(one.function.arguments) == ARGUMENTS[one.function.name]
    assert len({one.id for one in calls}) == count
    messages += [
        choice.message,
        *(
            {"role": "tool", "tool_call_id": one.id, "content": f"{number} degrees"}
            for number, one in enumerate(calls)
        ),
    ]
    second = client.chat.completions.create(model=model, messages=messages, tools=FUNCTIONS)

    told = ", ".join(f"{number} degrees" for number in range(count))
    assert second.choices[0].message.content == f"The tools said: {told}"
    assert second.choices[0].finish_reason == "stop"
    asked, told_back = world.seen(mark, 2)
    assert asked.tools == SCHEMAS
    assert [one[1:] for one in told_back.calls] == [
        (name, ARGUMENTS[name]) for name in list(TOOLS)[:count]
    ]
    assert [text for _, text in told_back.results] == told.split(", ")
    assert [name for name, _ in told_back.results] == [name for name, _, _ in told_back.calls]


@pytest.mark.parametrize("count", [1, 2])
def test_streamed_tools(client: OpenAI, model: str, mark: str, count: int) -> None:
    """The SDK's accumulating stream puts the calls together, each at its index."""
    with client.chat.completions.stream(
        model=model, messages=[user(f"{mark} [sim-tools-{count}]")], tools=FUNCTIONS
    ) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        found = stream.get_final_completion()

    (choice,) = found.choices
    assert choice.finish_reason == "tool_calls"
    calls: Any = choice.message.tool_calls
    names = list(TOOLS)[:count]
    assert [(one.function.name, json.loads(one.function.arguments)) for one in calls] == [
        (name, ARGUMENTS[name]) for name in names
    ]
    assert [(event.index, event.name) for event in done] == list(enumerate(names))


def test_forced_tool(client: OpenAI, model: str, mark: str) -> None:
    """A named tool is called, whatever was said."""
    found = client.chat.completions.create(
        model=model,
        messages=[user(mark)],
        tools=FUNCTIONS,
        tool_choice={"type": "function", "function": {"name": "get_time"}},
    )

    calls: Any = found.choices[0].message.tool_calls
    assert [one.function.name for one in calls] == ["get_time"]


def test_structured_output(world: World, client: OpenAI, model: str, mark: str) -> None:
    """The provider gets the schema, the caller an object of it."""
    found = client.chat.completions.parse(
        model=model, messages=[user(f"Where to {mark}")], response_format=Trip
    )

    assert found.choices[0].message.parsed == TRIP
    assert found.choices[0].finish_reason == "stop"
    (seen,) = world.seen(mark)
    schema = seen.schema["properties"]
    assert (schema["city"]["enum"], schema["stops"]["type"].lower()) == (["Oslo", "Rome"], "array")
    assert seen.schema["required"] == ["city", "stops"]


def test_streamed_structured_output(client: OpenAI, model: str, mark: str) -> None:
    """The same by the stream helper."""
    with client.chat.completions.stream(
        model=model, messages=[user(f"Where to {mark}")], response_format=Trip
    ) as stream:
        found = stream.get_final_completion()

    assert found.choices[0].message.parsed == TRIP


def test_image(world: World, client: OpenAI, model: str, mark: str) -> None:
    """The provider gets the picture's very bytes beside the text."""
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    content = [
        {"type": "text", "text": f"What is this {mark}"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
    ]
    found = client.chat.completions.create(model=model, messages=[user(content)])

    assert found.choices[0].message.content == f"What is this {mark} [image image/png {len(PNG)}]"
    assert world.seen(mark)[0].images == [PNG]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", STATUS)
def test_error(client: OpenAI, model: str, mark: str, status: int, streamed: bool) -> None:
    """The SDK's own error for the status, with what the provider said."""
    with pytest.raises(STATUS[status]) as raised:
        client.chat.completions.create(
            model=alone(model, mark),
            messages=[user(f"{mark} [sim-status-{status}]")],
            stream=streamed,
        )

    assert raised.value.status_code == status
    body: Any = raised.value.body
    assert body["message"] == FAILED.format(status)
    assert raised.value.request_id


@pytest.mark.parametrize("fault", ["error", "cut", "truncate", "malformed"])
def test_broken_stream(client: OpenAI, model: str, mark: str, fault: str) -> None:
    """What breaks after the first words raises in the SDK, and never looks like an end."""
    chunks: list[Any] = []
    stream = client.chat.completions.create(
        model=alone(model, mark),
        messages=[user(f"{mark} two three four [sim-{fault}-2]")],
        stream=True,
    )
    with pytest.raises(openai.APIError) as raised:
        chunks.extend(stream)  # what came before the error is kept

    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(one.delta.content or "" for one in choices).startswith(f"{mark} two")
    assert not any(one.finish_reason for one in choices)
    assert raised.value.message


def test_unknown_model(client: OpenAI) -> None:
    """The gateway's own errors are the SDK's, too."""
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="unheard-of", messages=[user("Hello")])

    assert raised.value.code == "model_not_found"


def test_wrong_key(client: OpenAI) -> None:
    """So is a key that the gateway does not know."""
    with pytest.raises(openai.AuthenticationError) as raised:
        client.with_options(api_key="sk-wrong").models.list()

    assert raised.value.code == "invalid_api_key"


@pytest.mark.parametrize("streamed", [False, True])
def test_timeout(world: World, client: OpenAI, model: str, mark: str, streamed: bool) -> None:
    """The SDK's own time-out: the provider's call is given up with it."""
    with world.abandoned(), pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.7).chat.completions.create(
            model=model, messages=[user(f"{mark} [sim-hang]")], stream=streamed
        )


def test_closed_stream(world: World, client: OpenAI, model: str, mark: str) -> None:
    """A stream that is closed after a word ends the provider's call."""
    with world.abandoned():
        stream = client.chat.completions.create(
            model=model, messages=[user(f"{mark} [sim-20-lorem-5000]")], stream=True
        )
        assert next(iter(stream)).object == "chat.completion.chunk"
        stream.close()


async def test_cancelled_task(world: World, model: str, mark: str) -> None:
    """So does a cancelled task of the asynchronous client."""
    async with AsyncOpenAI(base_url=f"{world.url}/v1", api_key=KEY, max_retries=0) as client:
        with world.abandoned():
            call = asyncio.ensure_future(
                client.chat.completions.create(model=model, messages=[user(f"{mark} [sim-hang]")])
            )
            await asyncio.to_thread(wait, lambda: world.calls()["open"] == 1, "was not called")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call


async def test_asynchronous_stream(world: World, model: str, mark: str) -> None:
    """The asynchronous client reads the same stream."""
    async with AsyncOpenAI(base_url=f"{world.url}/v1", api_key=KEY, max_retries=0) as client:
        stream = await client.chat.completions.create(
            model=model,
            messages=[user(f"One two {mark}")],
            stream=True,
        )
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert "".join(texts) == f"One two {mark}"
