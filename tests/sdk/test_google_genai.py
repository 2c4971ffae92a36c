"""Google's Python SDK, `google-genai`, in front of every upstream dialect."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx2  # what the SDK stands on
import pytest
from google import genai
from google.genai import errors, types

from tests.sdk.given import ARGUMENTS, FAILED, PNG, SCHEMAS, TOOLS, TRIP, Trip
from tests.sdk.world import KEY, MODELS, World, alone, wait

pytestmark = [
    pytest.mark.xdist_group("sdk"),
    # The SDK derives a class from aiohttp's, which aiohttp discourages.
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

FUNCTIONS: Any = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name=name, description=said, parameters_json_schema=schema)
        for name, (said, schema) in TOOLS.items()
    ]
)
STATUS = {
    400: (errors.ClientError, "INVALID_ARGUMENT"),
    404: (errors.ClientError, "NOT_FOUND"),
    429: (errors.ClientError, "RESOURCE_EXHAUSTED"),
    500: (errors.ServerError, "INTERNAL"),
    503: (errors.ServerError, "UNAVAILABLE"),
}


def made(world: World, seconds: float = 30.0, key: str = KEY) -> genai.Client:
    options = types.HttpOptions(base_url=world.url, timeout=int(seconds * 1000))
    return genai.Client(api_key=key, http_options=options)


@pytest.fixture(scope="module")  # it reads the machine's certificates each time
def client(sdk_gateway: World) -> Iterator[genai.Client]:
    with made(sdk_gateway) as found:
        yield found


@pytest.fixture
def model(upstream: str) -> str:
    return MODELS[upstream]


def config(**members: Any) -> types.GenerateContentConfig:
    """Functions are called by the test, not by the SDK."""
    automatic = types.AutomaticFunctionCallingConfig(disable=True)
    return types.GenerateContentConfig(automatic_function_calling=automatic, **members)


def test_plain(world: World, client: genai.Client, upstream: str, model: str, mark: str) -> None:
    """Text, finish reason and usage of a whole answer; the provider gets the instruction, too."""
    found = client.models.generate_content(
        model=model,
        contents=f"Hello to all {mark}",
        config=config(system_instruction="Be brief.", max_output_tokens=1000, temperature=0.5),
    )

    assert found.text == f"Hello to all {mark}"
    (candidate,) = found.candidates or ()
    assert candidate.finish_reason == types.FinishReason.STOP
    assert candidate.content is not None
    assert candidate.content.role == "model"
    usage = found.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count) == (6, 4)
    assert usage.total_token_count == 10
    assert found.model_version
    (seen,) = world.seen(mark)
    assert (seen.dialect, seen.system) == (upstream, "Be brief.")


def test_cut_short(client: genai.Client, model: str, mark: str) -> None:
    """The limit of tokens counts, and the finish reason says so."""
    found = client.models.generate_content(
        model=model, contents=f"{mark} [sim-lorem-40]", config=config(max_output_tokens=20)
    )

    assert found.candidates
    assert found.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert len((found.text or "").split()) == 20


def test_streamed(world: World, client: genai.Client, upstream: str, model: str, mark: str) -> None:
    """The same in pieces, with the finish reason and usage at the end. Pieces that come together are one
    chunk, which is why these take their time."""
    chunks = list(
        client.models.generate_content_stream(model=model, contents=f"{mark} [sim-50-lorem-4]")
    )

    texts = [chunk.text for chunk in chunks if chunk.text]
    assert "".join(texts) == "lorem ipsum dolor sit"
    assert len(texts) > 1
    reasons = [one.finish_reason for chunk in chunks for one in chunk.candidates or ()]
    assert [reason for reason in reasons if reason] == [types.FinishReason.STOP]
    usage = chunks[-1].usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count) == (2, 4)
    assert world.seen(mark)[0].dialect == upstream


@pytest.mark.parametrize("count", [1, 2])
def test_tools(
    world: World, client: genai.Client, upstream: str, model: str, mark: str, count: int
) -> None:
    """One call, and two at once: there and back, until the model tells what the tools said."""
    contents: Any = [
        types.UserContent(parts=[types.Part(text=f"How is it {mark}? [sim-tools-{count}]")])
    ]
    first = client.models.generate_content(
        model=model, contents=contents, config=config(tools=[FUNCTIONS])
    )

    names = list(TOOLS)[:count]
    calls = first.function_calls or []
    assert [(one.name, one.args) for one in calls] == [(name, ARGUMENTS[name]) for name in names]
    assert first.candidates
    assert first.candidates[0].finish_reason == types.FinishReason.STOP
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=one.id, name=one.name, response={"output": f"{number} degrees"}
            )
        )
        for number, one in enumerate(calls)
    ]
    contents += [first.candidates[0].content, types.UserContent(parts=results)]
    second = client.models.generate_content(
        model=model, contents=contents, config=config(tools=[FUNCTIONS])
    )

    told = [f"{number} degrees" for number in range(count)]
    asked, told_back = world.seen(mark, 2)
    assert asked.dialect == upstream
    assert asked.tools == SCHEMAS
    assert [one[1:] for one in told_back.calls] == [(name, ARGUMENTS[name]) for name in names]
    assert [name for name, _ in told_back.results] == [name for name, _, _ in told_back.calls]
    assert [text for _, text in told_back.results] == told
    assert second.text == f"The tools said: {', '.join(told)}"


@pytest.mark.parametrize("count", [1, 2])
def test_streamed_tools(client: genai.Client, model: str, mark: str, count: int) -> None:
    """In a stream calls come whole, as Gemini sends them, and each once."""
    chunks = client.models.generate_content_stream(
        model=model, contents=f"{mark} [sim-tools-{count}]", config=config(tools=[FUNCTIONS])
    )

    calls = [call for chunk in chunks for call in chunk.function_calls or ()]
    assert [(one.name, one.args) for one in calls] == [
        (name, ARGUMENTS[name]) for name in list(TOOLS)[:count]
    ]


def test_automatic_functions(world: World, client: genai.Client, model: str, mark: str) -> None:
    """The SDK calls a Python function by itself, which it declares by its signature."""
    asked: list[str] = []

    def get_zone(city: str) -> str:
        """The time zone of a city."""
        asked.append(city)
        return "UTC+1"

    found = client.models.generate_content(
        model=model,
        contents=f"{mark} [sim-tool]",
        config=types.GenerateContentConfig(tools=[get_zone]),
    )

    assert asked == ["simulated"]
    assert found.text is not None
    assert found.text.startswith("The tools said: ")
    assert "UTC+1" in found.text
    assert list(world.seen(mark, 2)[0].tools) == ["get_zone"]


def test_forced_tool(client: genai.Client, model: str, mark: str) -> None:
    """A named tool is called, whatever was said."""
    calling = types.FunctionCallingConfig(
        mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["get_time"]
    )
    found = client.models.generate_content(
        model=model,
        contents=mark,
        config=config(
            tools=[FUNCTIONS], tool_config=types.ToolConfig(function_calling_config=calling)
        ),
    )

    assert [one.name for one in found.function_calls or ()] == ["get_time"]


@pytest.mark.parametrize("form", ["class", "json"])
def test_structured_output(
    world: World, client: genai.Client, model: str, mark: str, form: str
) -> None:
    """The provider gets the schema, given as a class or as a JSON schema; the caller an object of it."""
    shape = (
        {"response_schema": Trip}
        if form == "class"
        else {"response_json_schema": Trip.model_json_schema()}
    )
    found = client.models.generate_content(
        model=model,
        contents=f"Where to {mark}",
        config=config(response_mime_type="application/json", **shape),
    )

    assert Trip.model_validate_json(found.text or "") == TRIP
    if form == "class":
        assert found.parsed == TRIP
    (seen,) = world.seen(mark)
    schema = seen.schema["properties"]
    assert (schema["city"]["enum"], schema["stops"]["type"].lower()) == (["Oslo", "Rome"], "array")
    assert seen.schema["required"] == ["city", "stops"]


def test_image(world: World, client: genai.Client, model: str, mark: str) -> None:
    """The provider gets the picture's very bytes beside the text."""
    parts: Any = [
        types.Part(text=f"What is this {mark}"),
        types.Part.from_bytes(data=PNG, mime_type="image/png"),
    ]
    found = client.models.generate_content(model=model, contents=parts)

    assert found.text == f"What is this {mark} [image image/png {len(PNG)}]"
    assert world.seen(mark)[0].images == [PNG]


def test_thinking(world: World, client: genai.Client, upstream: str, model: str, mark: str) -> None:
    """Thoughts are parts of their own; their signature goes back to the model that had them."""
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=2000)
    options: Any = {
        "model": model.replace("gpt-4.1", "gpt-5.1"),
        "config": config(thinking_config=thinking, max_output_tokens=4000),
    }
    contents: Any = [types.UserContent(parts=[types.Part(text=f"Hello {mark}")])]
    first = client.models.generate_content(contents=contents, **options)

    assert first.candidates
    content: Any = first.candidates[0].content
    thoughts = [part.text for part in content.parts if part.thought]
    assert "".join(thoughts) == "let me think about"
    assert first.text == f"Hello {mark}"
    assert any(part.thought_signature for part in content.parts)
    contents += [content, types.UserContent(parts=[types.Part(text=f"And you {mark}")])]
    second = client.models.generate_content(contents=contents, **options)

    assert second.text == f"And you {mark}"
    sealed = {
        "chat": "reasoning_details",
        "responses": "encrypted_content",
        "messages": "signature",
        "gemini": "thoughtSignature",
    }
    assert sealed[upstream] in json.dumps(world.seen(mark, 2)[1].body)


def test_chat(world: World, client: genai.Client, model: str, mark: str) -> None:
    """The SDK's chat keeps the turns."""
    chat = client.chats.create(model=model)
    first = chat.send_message(f"One {mark}")
    second = [chunk.text or "" for chunk in chat.send_message_stream("two")]

    assert first.text == f"One {mark}"
    assert "".join(second) == "two"
    # Each chunk is an entry of its own there.
    roles = [content.role for content in chat.get_history()]
    assert [role for role, _ in itertools.groupby(roles)] == ["user", "model"] * 2
    assert mark in json.dumps(world.seen(mark, 2)[1].body)  # the first turn went along


def test_count_tokens(client: genai.Client, upstream: str, model: str, mark: str) -> None:
    """Counted by the provider where it counts, else estimated; never an answer."""
    found = client.models.count_tokens(model=model, contents=f"Hello to all {mark}")

    assert found.total_tokens is not None
    if upstream in ("messages", "gemini"):
        assert found.total_tokens == 4
    else:
        assert 2 <= found.total_tokens <= 60


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", STATUS)
def test_error(client: genai.Client, model: str, mark: str, status: int, streamed: bool) -> None:
    """The SDK's own error for the status, with what the provider said in the caller's dialect."""
    kind, word = STATUS[status]
    models = client.models
    ask: Any = models.generate_content_stream if streamed else models.generate_content
    with pytest.raises(kind) as raised:
        list(ask(model=alone(model, mark), contents=f"{mark} [sim-status-{status}]"))

    assert raised.value.code == status
    assert (raised.value.status, raised.value.message) == (word, FAILED.format(status))


@pytest.mark.parametrize("fault", ["error", "cut", "truncate", "malformed"])
def test_broken_stream(client: genai.Client, model: str, mark: str, fault: str) -> None:
    """What breaks after the first words raises in the SDK, and never looks like an end."""
    chunks: list[Any] = []
    stream = client.models.generate_content_stream(
        model=alone(model, mark), contents=f"{mark} two three four [sim-{fault}-2]"
    )
    with pytest.raises(errors.APIError) as raised:
        chunks.extend(stream)  # what came before the error is kept

    assert "".join(chunk.text or "" for chunk in chunks).startswith(f"{mark} two")
    assert not any(one.finish_reason for chunk in chunks for one in chunk.candidates)
    assert raised.value.message


def test_unknown_model(client: genai.Client) -> None:
    """The gateway's own errors are the SDK's, too."""
    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model="unheard-of", contents="Hello")

    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")


def test_wrong_key(world: World) -> None:
    """So is a key that the gateway does not know."""
    with made(world, key="sk-wrong") as client, pytest.raises(errors.ClientError) as raised:
        client.models.get(model="any")

    assert (raised.value.code, raised.value.status) == (401, "UNAUTHENTICATED")


def test_models(client: genai.Client) -> None:
    """The list of models has Gemini's form, page by page."""
    found = list(client.models.list(config={"page_size": 2}))

    assert any(one.name and one.name.startswith("models/gemini/") for one in found)


@pytest.mark.parametrize("streamed", [False, True])
def test_timeout(world: World, model: str, mark: str, streamed: bool) -> None:
    """The SDK's own time-out: the provider's call is given up with it."""
    with made(world, 0.7) as client:
        models = client.models
        ask: Any = models.generate_content_stream if streamed else models.generate_content
        with world.abandoned(), pytest.raises(httpx2.TimeoutException):
            list(ask(model=model, contents=f"{mark} [sim-hang]"))


def test_closed_stream(world: World, client: genai.Client, model: str, mark: str) -> None:
    """A stream that is closed after a word ends the provider's call."""
    with world.abandoned():
        stream: Any = client.models.generate_content_stream(
            model=model, contents=f"{mark} [sim-20-lorem-5000]"
        )
        assert next(stream).text == "lorem"
        stream.close()


async def test_cancelled_task(world: World, model: str, mark: str) -> None:
    """So does a cancelled task of the asynchronous client."""
    async with made(world).aio as client:
        with world.abandoned():
            call = asyncio.ensure_future(
                client.models.generate_content(model=model, contents=f"{mark} [sim-hang]")
            )
            await asyncio.to_thread(wait, lambda: world.calls()["open"] == 1, "was not called")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call


async def test_asynchronous_stream(world: World, model: str, mark: str) -> None:
    """The asynchronous client reads the same stream."""
    async with made(world).aio as client:
        stream = await client.models.generate_content_stream(
            model=model, contents=f"One two {mark}"
        )
        texts = [chunk.text or "" async for chunk in stream]

    assert "".join(texts) == f"One two {mark}"
