"""OpenAI's Python SDK, `responses`, in front of every upstream dialect."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.sdk.given import ARGUMENTS, FAILED, PNG, SCHEMAS, TOOLS, TRIP, Trip
from tests.sdk.test_openai_chat import STATUS
from tests.sdk.world import KEY, MODELS, World, alone, wait

pytestmark = pytest.mark.xdist_group("sdk")

FUNCTIONS: Any = [
    {
        "type": "function",
        "name": name,
        "description": said,
        "parameters": schema,
        "strict": True,
    }
    for name, (said, schema) in TOOLS.items()
]


@pytest.fixture(scope="module")  # it reads the machine's certificates each time
def client(sdk_gateway: World) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{sdk_gateway.url}/v1", api_key=KEY, max_retries=0, timeout=30) as found:
        yield found


@pytest.fixture
def model(upstream: str) -> str:
    return MODELS[upstream]


def calls_of(response: Any) -> list[Any]:
    return [item for item in response.output if item.type == "function_call"]


def test_plain(world: World, client: OpenAI, upstream: str, model: str, mark: str) -> None:
    """Text, status and usage of a whole answer; the provider gets the instructions, too."""
    found = client.responses.create(
        model=model,
        instructions="Be brief.",
        input=f"Hello to all {mark}",
        max_output_tokens=1000,
        metadata={"who": "me"},
    )

    assert found.output_text == f"Hello to all {mark}"
    assert [item.type for item in found.output] == ["message"]
    assert (found.status, found.object, found.error) == ("completed", "response", None)
    assert (found.instructions, found.metadata) == ("Be brief.", {"who": "me"})
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == (6, 4)
    assert found.usage.total_tokens == 10
    (seen,) = world.seen(mark)
    assert (seen.dialect, seen.system) == (upstream, "Be brief.")


def test_cut_short(client: OpenAI, model: str, mark: str) -> None:
    """An answer that reached the limit of its tokens is incomplete and says why."""
    found = client.responses.create(
        model=model, input=f"{mark} [sim-lorem-40]", max_output_tokens=20
    )

    assert found.status == "incomplete"
    assert found.incomplete_details is not None
    assert found.incomplete_details.reason == "max_output_tokens"
    assert len(found.output_text.split()) == 20


def test_streamed(world: World, client: OpenAI, upstream: str, model: str, mark: str) -> None:
    """Events in their order and numbered; the pieces are what the last event holds as a whole."""
    events = list(client.responses.create(model=model, input=f"One two {mark}", stream=True))

    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events if "delta" not in event.type] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert texts == ["One", " two", f" {mark}"]
    found = events[-1].response  # type: ignore[union-attr]
    assert found.output_text == f"One two {mark}"
    assert (found.usage.input_tokens, found.usage.output_tokens) == (3, 3)
    assert world.seen(mark)[0].dialect == upstream


@pytest.mark.parametrize("count", [1, 2])
def test_tools(
    world: World, client: OpenAI, upstream: str, model: str, mark: str, count: int
) -> None:
    """One call, and two at once: there and back, until the model tells what the tools said."""
    items: Any = [{"role": "user", "content": f"How is it {mark}? [sim-tools-{count}]"}]
    first = client.responses.create(model=model, input=items, tools=FUNCTIONS)

    calls = calls_of(first)
    names = list(TOOLS)[:count]
    assert [(one.name, json.loads(one.arguments)) for one in calls] == [
        (name, ARGUMENTS[name]) for name in names
    ]
    assert len({one.call_id for one in calls}) == count
    assert first.status == "completed"
    items += [
        *(item.model_dump(exclude_none=True) for item in first.output),
        *(
            {
                "type": "function_call_output",
                "call_id": one.call_id,
                "output": f"{number} degrees",
            }
            for number, one in enumerate(calls)
        ),
    ]
    second = client.responses.create(model=model, input=items, tools=FUNCTIONS)

    told = ", ".join(f"{number} degrees" for number in range(count))
    assert second.output_text == f"The tools said: {told}"
    asked, told_back = world.seen(mark, 2)
    assert asked.dialect == upstream
    assert asked.tools == SCHEMAS
    assert [one[1:] for one in told_back.calls] == [(name, ARGUMENTS[name]) for name in names]
    assert [text for _, text in told_back.results] == told.split(", ")
    assert [name for name, _ in told_back.results] == [name for name, _, _ in told_back.calls]


def test_tools_of_a_stored_response(
    world: World, client: OpenAI, upstream: str, model: str, mark: str
) -> None:
    """A result is told by `previous_response_id` alone, whoever made the response: a provider that keeps
    its own gets the id, any other the conversation."""
    first = client.responses.create(model=model, input=f"{mark} [sim-tool]", tools=FUNCTIONS)
    (call,) = calls_of(first)

    second = client.responses.create(
        model=model,
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "mild"}],
        tools=FUNCTIONS,
    )

    assert second.output_text == "The tools said: mild"
    assert second.previous_response_id == first.id
    if upstream == "responses":
        (asked,) = world.seen(first.id)
        assert asked.body["previous_response_id"] == first.id
        assert [item["type"] for item in asked.body["input"]] == ["function_call_output"]
        world.seen(mark, 1)
    else:
        assert world.seen(mark, 2)[1].calls[0][1:] == ("get_weather", ARGUMENTS["get_weather"])


def test_a_deleted_response_is_deleted_at_its_provider(
    world: World, client: OpenAI, upstream: str, model: str, mark: str
) -> None:
    """Who keeps it forgets it, too; then it can be neither fetched nor continued."""
    made = client.responses.create(model=model, input=f"Hello {mark}")
    there = f"{world.sim}/v1/responses/{made.id}"
    kept = world.http.get(there).status_code
    assert client.responses.retrieve(made.id).output_text == made.output_text

    client.responses.delete(made.id)

    assert (kept, world.http.get(there).status_code) == (
        200 if upstream == "responses" else 404,
        404,
    )
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=model, previous_response_id=made.id, input="And?")
    assert refused.value.code == "previous_response_not_found"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_response_that_its_provider_has_lost_goes_on(
    world: World, client: OpenAI, mark: str, stream: bool
) -> None:
    """A provider forgets sooner than the gateway, and another account of it never knew: then it is told the
    conversation in full."""
    model = MODELS["responses"]
    first = client.responses.create(model=model, input=f"One two {mark}")
    client.responses.retrieve(first.id)
    world.http.delete(f"{world.sim}/v1/responses/{first.id}").raise_for_status()

    found: Any = client.responses.create(
        model=model, previous_response_id=first.id, input="three", stream=stream
    )
    second = list(found)[-1].response if stream else found

    assert second.output_text == "three"
    assert second.usage.input_tokens == 7
    (asked,) = world.seen(first.id)
    assert asked.body["previous_response_id"] == first.id
    told = world.seen(mark, 2)[1].body
    assert "previous_response_id" not in told
    assert len(told["input"]) == 3
    third = client.responses.create(model=model, previous_response_id=second.id, input="four")
    assert third.usage is not None
    assert third.usage.input_tokens == 9


def test_a_response_that_its_provider_has_lost_can_be_deleted(
    world: World, client: OpenAI, mark: str
) -> None:
    """What is nowhere else is deleted here."""
    made = client.responses.create(model=MODELS["responses"], input=f"Hello {mark}")
    client.responses.retrieve(made.id)
    world.http.delete(f"{world.sim}/v1/responses/{made.id}").raise_for_status()

    client.responses.delete(made.id)

    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


@pytest.mark.parametrize("count", [1, 2])
def test_streamed_tools(client: OpenAI, model: str, mark: str, count: int) -> None:
    """The SDK's accumulating stream puts the calls together, each at its index."""
    with client.responses.stream(
        model=model, input=f"{mark} [sim-tools-{count}]", tools=FUNCTIONS
    ) as stream:
        done = [e for e in stream if e.type == "response.function_call_arguments.done"]
        found = stream.get_final_response()

    names = list(TOOLS)[:count]
    expected = [(name, ARGUMENTS[name]) for name in names]
    calls = calls_of(found)
    assert [(one.name, json.loads(one.arguments)) for one in calls] == expected
    assert [json.loads(event.arguments) for event in done] == [given for _, given in expected]
    assert [event.output_index for event in done] == list(range(count))
    assert [event.item_id for event in done] == [one.id for one in calls]


def test_custom_tool(world: World, client: OpenAI, model: str, mark: str) -> None:
    """A tool that takes text: where a dialect has none such, it is told in another way and comes back
    as what it was."""
    tools: Any = [{"type": "custom", "name": "run", "description": "Runs a line of shell"}]
    items: Any = [{"role": "user", "content": f"{mark} [sim-tool]"}]
    first = client.responses.create(model=model, input=items, tools=tools)

    (call,) = [item for item in first.output if item.type == "custom_tool_call"]
    assert (call.name, call.input) in (("run", "simulated input"), ("run", "simulated"))
    items += [
        *(item.model_dump(exclude_none=True) for item in first.output),
        {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "done"},
    ]
    second = client.responses.create(model=model, input=items, tools=tools)
    assert second.output_text == "The tools said: done"


def test_structured_output(world: World, client: OpenAI, model: str, mark: str) -> None:
    """The provider gets the schema, the caller an object of it."""
    found = client.responses.parse(model=model, input=f"Where to {mark}", text_format=Trip)

    assert found.output_parsed == TRIP
    (seen,) = world.seen(mark)
    schema = seen.schema["properties"]
    assert (schema["city"]["enum"], schema["stops"]["type"].lower()) == (["Oslo", "Rome"], "array")
    assert seen.schema["required"] == ["city", "stops"]


def test_streamed_structured_output(client: OpenAI, model: str, mark: str) -> None:
    """The same by the stream helper."""
    with client.responses.stream(model=model, input=f"Where to {mark}", text_format=Trip) as stream:
        found = stream.get_final_response()

    assert found.output_parsed == TRIP


def test_image(world: World, client: OpenAI, model: str, mark: str) -> None:
    """The provider gets the picture's very bytes beside the text."""
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    content: Any = [
        {"type": "input_text", "text": f"What is this {mark}"},
        {"type": "input_image", "image_url": url, "detail": "low"},
    ]
    found = client.responses.create(model=model, input=[{"role": "user", "content": content}])

    assert found.output_text == f"What is this {mark} [image image/png {len(PNG)}]"
    assert world.seen(mark)[0].images == [PNG]


def test_reasoning(world: World, client: OpenAI, upstream: str, model: str, mark: str) -> None:
    """Thoughts come as an item with a text and a seal, which goes back to the model that wrote it."""
    items: Any = [{"role": "user", "content": f"Hello {mark}"}]
    options: Any = {
        "model": model.replace("gpt-4.1", "gpt-5.1"),
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    first = client.responses.create(input=items, **options)

    thoughts: Any = [item for item in first.output if item.type == "reasoning"]
    assert first.output[0] in thoughts
    assert (
        "".join(part.text for one in thoughts for part in (*one.summary, *(one.content or ())))
        == "let me think about"
    )
    assert any(one.encrypted_content for one in thoughts)
    assert first.usage is not None
    assert first.usage.output_tokens == 6
    details = first.usage.output_tokens_details
    assert details.reasoning_tokens == (0 if upstream == "messages" else 4)
    items += [item.model_dump(exclude_none=True) for item in first.output]
    items.append({"role": "user", "content": f"And you {mark}"})
    second = client.responses.create(input=items, **options)

    assert second.output_text == f"And you {mark}"
    assert second.status == "completed"
    sealed = {
        "chat": "reasoning_details",
        "responses": "encrypted_content",
        "messages": "signature",
        "gemini": "thoughtSignature",
    }
    assert sealed[upstream] in json.dumps(world.seen(mark, 2)[1].body)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", STATUS)
def test_error(client: OpenAI, model: str, mark: str, status: int, streamed: bool) -> None:
    """The SDK's own error for the status, with what the provider said."""
    with pytest.raises(STATUS[status]) as raised:
        client.responses.create(
            model=alone(model, mark), input=f"{mark} [sim-status-{status}]", stream=streamed
        )

    assert raised.value.status_code == status
    body: Any = raised.value.body
    assert body["message"] == FAILED.format(status)
    assert raised.value.request_id


@pytest.mark.parametrize("fault", ["error", "cut", "truncate", "malformed"])
def test_broken_stream(client: OpenAI, model: str, mark: str, fault: str) -> None:
    """What breaks after the first words ends with an event of failure, or raises."""
    events: list[Any] = []
    stream = client.responses.create(
        model=alone(model, mark), input=f"{mark} two three four [sim-{fault}-2]", stream=True
    )
    try:
        events.extend(stream)  # what came before the error is kept
    except openai.APIError as error:
        assert error.message  # noqa: PT017 - either way is an error
    else:
        assert events[-1].type in ("response.failed", "error")
        failure = events[-1]
        assert (failure.response.error if failure.type == "response.failed" else failure).message

    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(texts).startswith(f"{mark} two")
    kinds = {event.type for event in events}
    assert not kinds & {"response.completed", "response.incomplete"}


def test_unknown_model(client: OpenAI) -> None:
    """The gateway's own errors are the SDK's, too."""
    with pytest.raises(openai.NotFoundError) as raised:
        client.responses.create(model="unheard-of", input="Hello")

    assert raised.value.code == "model_not_found"


def test_wrong_key(client: OpenAI) -> None:
    """So is a key that the gateway does not know."""
    with pytest.raises(openai.AuthenticationError) as raised:
        client.with_options(api_key="sk-wrong").responses.create(model="any", input="Hello")

    assert raised.value.code == "invalid_api_key"


@pytest.mark.parametrize("streamed", [False, True])
def test_timeout(world: World, client: OpenAI, model: str, mark: str, streamed: bool) -> None:
    """The SDK's own time-out: the provider's call is given up with it."""
    with world.abandoned(), pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.7).responses.create(
            model=model, input=f"{mark} [sim-hang]", stream=streamed
        )


def test_closed_stream(world: World, client: OpenAI, model: str, mark: str) -> None:
    """A stream that is closed after a word ends the provider's call."""
    with world.abandoned():
        stream = client.responses.create(
            model=model, input=f"{mark} [sim-20-lorem-5000]", stream=True
        )
        while next(iter(stream)).type != "response.output_text.delta":
            pass
        stream.close()


async def test_cancelled_task(world: World, model: str, mark: str) -> None:
    """So does a cancelled task of the asynchronous client."""
    async with AsyncOpenAI(base_url=f"{world.url}/v1", api_key=KEY, max_retries=0) as client:
        with world.abandoned():
            call = asyncio.ensure_future(
                client.responses.create(model=model, input=f"{mark} [sim-hang]")
            )
            await asyncio.to_thread(wait, lambda: world.calls()["open"] == 1, "was not called")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call


async def test_asynchronous_stream(world: World, model: str, mark: str) -> None:
    """The asynchronous client reads the same stream."""
    client = AsyncOpenAI(base_url=f"{world.url}/v1", api_key=KEY, max_retries=0)
    async with client, client.responses.stream(model=model, input=f"One two {mark}") as stream:
        texts = [e.delta async for e in stream if e.type == "response.output_text.delta"]
        found = await stream.get_final_response()

    assert "".join(texts) == found.output_text == f"One two {mark}"
