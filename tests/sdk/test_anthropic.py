"""Anthropic's Python SDK in front of every upstream dialect."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from tests.sdk.given import ARGUMENTS, FAILED, PNG, SCHEMAS, TOOLS, TRIP, Trip
from tests.sdk.world import KEY, MODELS, World, alone, wait

pytestmark = pytest.mark.xdist_group("sdk")

FUNCTIONS: Any = [
    {"name": name, "description": said, "input_schema": schema}
    for name, (said, schema) in TOOLS.items()
]
STATUS = {
    400: (anthropic.BadRequestError, "invalid_request_error"),
    404: (anthropic.NotFoundError, "not_found_error"),
    429: (anthropic.RateLimitError, "rate_limit_error"),
    500: (anthropic.InternalServerError, "api_error"),
    529: (anthropic.InternalServerError, "overloaded_error"),
}


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


@pytest.fixture(scope="module")  # it reads the machine's certificates each time
def client(sdk_gateway: World) -> Iterator[Anthropic]:
    with Anthropic(base_url=sdk_gateway.url, api_key=KEY, max_retries=0, timeout=30) as found:
        yield found


@pytest.fixture
def model(upstream: str) -> str:
    return MODELS[upstream]


def calls_of(message: Any) -> list[Any]:
    return [block for block in message.content if block.type == "tool_use"]


def test_plain(world: World, client: Anthropic, upstream: str, model: str, mark: str) -> None:
    """Text, stop reason and usage of a whole answer; the provider gets the system prompt, too."""
    found = client.messages.create(
        model=model,
        max_tokens=1000,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[user(f"Hello to all {mark}")],
        extra_body={
            "temperature": 0.5
        },  # every model but the newest takes it, the SDK knows it no more
    )

    assert [(block.type, block.text) for block in found.content] == [
        ("text", f"Hello to all {mark}")
    ]
    assert (found.type, found.role, found.stop_reason) == ("message", "assistant", "end_turn")
    assert (found.usage.input_tokens, found.usage.output_tokens) == (6, 4)
    assert found._request_id
    (seen,) = world.seen(mark)
    assert (seen.dialect, seen.system) == (upstream, "Be brief.")


def test_cut_short(client: Anthropic, model: str, mark: str) -> None:
    """The limit of tokens counts, and the stop reason says so."""
    found = client.messages.create(
        model=model, max_tokens=20, messages=[user(f"{mark} [sim-lorem-40]")]
    )

    assert found.stop_reason == "max_tokens"
    assert len(found.content[0].text.split()) == 20


def test_streamed(world: World, client: Anthropic, upstream: str, model: str, mark: str) -> None:
    """Raw events in their order: blocks begin and end, pieces come as pieces, usage at the end."""
    events = list(
        client.messages.create(
            model=model, max_tokens=1000, messages=[user(f"One two {mark}")], stream=True
        )
    )

    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    texts = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert texts == ["One", " two", f" {mark}"]
    (end,) = [event for event in events if event.type == "message_delta"]
    assert (end.delta.stop_reason, end.usage.output_tokens) == ("end_turn", 3)
    assert world.seen(mark)[0].dialect == upstream


def test_stream_helper(client: Anthropic, model: str, mark: str) -> None:
    """`messages.stream`: its texts, and the message that it puts together."""
    with client.messages.stream(
        model=model, max_tokens=1000, messages=[user(f"One two {mark}")]
    ) as stream:
        texts = list(stream.text_stream)
        found = stream.get_final_message()

    assert texts == ["One", " two", f" {mark}"]
    assert found.content[0].text == f"One two {mark}"
    assert found.stop_reason == "end_turn"
    assert (found.usage.input_tokens, found.usage.output_tokens) == (3, 3)


@pytest.mark.parametrize("count", [1, 2])
def test_tools(
    world: World, client: Anthropic, upstream: str, model: str, mark: str, count: int
) -> None:
    """One call, and two at once: there and back, until the model tells what the tools said."""
    messages: Any = [user(f"How is it {mark}? [sim-tools-{count}]")]
    options: Any = {"model": model, "max_tokens": 1000, "tools": FUNCTIONS}
    first = client.messages.create(messages=messages, **options)

    names = list(TOOLS)[:count]
    calls = calls_of(first)
    assert [(one.name, one.input) for one in calls] == [(name, ARGUMENTS[name]) for name in names]
    assert len({one.id for one in calls}) == count
    assert first.stop_reason == "tool_use"
    results = [
        {
            "type": "tool_result",
            "tool_use_id": one.id,
            "content": [{"type": "text", "text": f"{number} degrees"}],
        }
        for number, one in enumerate(calls)
    ]
    messages += [{"role": "assistant", "content": first.content}, user(results)]
    second = client.messages.create(messages=messages, **options)

    told = ", ".join(f"{number} degrees" for number in range(count))
    assert second.content[0].text == f"The tools said: {told}"
    assert second.stop_reason == "end_turn"
    asked, told_back = world.seen(mark, 2)
    assert asked.dialect == upstream
    assert asked.tools == SCHEMAS
    assert [one[1:] for one in told_back.calls] == [(name, ARGUMENTS[name]) for name in names]
    assert [text for _, text in told_back.results] == told.split(", ")
    assert [name for name, _ in told_back.results] == [name for name, _, _ in told_back.calls]


@pytest.mark.parametrize("count", [1, 2])
def test_streamed_tools(client: Anthropic, model: str, mark: str, count: int) -> None:
    """The stream helper puts the calls together from pieces of JSON."""
    with client.messages.stream(
        model=model,
        max_tokens=1000,
        messages=[user(f"{mark} [sim-tools-{count}]")],
        tools=FUNCTIONS,
    ) as stream:
        done = [event for event in stream if event.type == "content_block_stop"]
        found = stream.get_final_message()

    names = list(TOOLS)[:count]
    assert [(one.name, one.input) for one in calls_of(found)] == [
        (name, ARGUMENTS[name]) for name in names
    ]
    assert [event.content_block.name for event in done] == names
    assert found.stop_reason == "tool_use"


def test_one_tool_at_a_time(client: Anthropic, model: str, mark: str) -> None:
    """Where several calls at once are not wanted, there is one; a dialect that cannot be told so is
    not asked, or says so."""
    try:
        found = client.messages.create(
            model=model,
            max_tokens=1000,
            messages=[user(f"{mark} [sim-tools-2]")],
            tools=FUNCTIONS,
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        )
    except anthropic.BadRequestError as error:
        assert "parallel" in error.message  # noqa: PT017 - refused by name is right, too
    else:
        assert len(calls_of(found)) == 1


def test_forced_tool(client: Anthropic, model: str, mark: str) -> None:
    """A named tool is called, whatever was said."""
    found = client.messages.create(
        model=model,
        max_tokens=1000,
        messages=[user(mark)],
        tools=FUNCTIONS,
        tool_choice={"type": "tool", "name": "get_time"},
    )

    assert [(one.name, one.input) for one in calls_of(found)] == [
        ("get_time", ARGUMENTS["get_time"])
    ]


def test_structured_output(world: World, client: Anthropic, model: str, mark: str) -> None:
    """The provider gets the schema, the caller an object of it."""
    found = client.messages.parse(
        model=model, max_tokens=1000, messages=[user(f"Where to {mark}")], output_format=Trip
    )

    assert found.parsed_output == TRIP
    assert found.stop_reason == "end_turn"
    (seen,) = world.seen(mark)
    schema = seen.schema["properties"]
    assert (schema["city"]["enum"], schema["stops"]["type"].lower()) == (["Oslo", "Rome"], "array")
    assert seen.schema["required"] == ["city", "stops"]


def test_streamed_structured_output(client: Anthropic, model: str, mark: str) -> None:
    """The same by the stream helper."""
    with client.messages.stream(
        model=model, max_tokens=1000, messages=[user(f"Where to {mark}")], output_format=Trip
    ) as stream:
        found = stream.get_final_message()

    assert found.parsed_output == TRIP


def test_image(world: World, client: Anthropic, model: str, mark: str) -> None:
    """The provider gets the picture's very bytes beside the text."""
    data = base64.b64encode(PNG).decode()
    content: Any = [
        {"type": "text", "text": f"What is this {mark}"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
    ]
    found = client.messages.create(model=model, max_tokens=1000, messages=[user(content)])

    assert found.content[0].text == f"What is this {mark} [image image/png {len(PNG)}]"
    assert world.seen(mark)[0].images == [PNG]


@pytest.mark.parametrize("streamed", [False, True])
def test_thinking(
    world: World, client: Anthropic, upstream: str, model: str, mark: str, streamed: bool
) -> None:
    """Thoughts stand before the call with their signature, and go back to the model that had them."""
    options: Any = {
        "model": model.replace("gpt-4.1", "gpt-5.1"),
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"},
        "tools": FUNCTIONS,
    }
    messages: Any = [user(f"{mark} [sim-tool]")]
    if streamed:
        with client.messages.stream(messages=messages, **options) as stream:
            first: Any = stream.get_final_message()
    else:
        first = client.messages.create(messages=messages, **options)

    thoughts = [block for block in first.content if block.type == "thinking"]
    assert first.content[0] in thoughts
    assert "".join(block.thinking for block in thoughts) == "let me think about"
    (call,) = calls_of(first)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "mild"}
    messages += [{"role": "assistant", "content": first.content}, user([result])]
    second = client.messages.create(messages=messages, **options)

    assert [block.text for block in second.content if block.type == "text"] == [
        "The tools said: mild"
    ]
    sealed = {
        "chat": "reasoning_details",
        "responses": "encrypted_content",
        "messages": "signature",
        "gemini": "thoughtSignature",
    }
    assert sealed[upstream] in json.dumps(world.seen(mark, 2)[1].body)


def test_count_tokens(client: Anthropic, upstream: str, model: str, mark: str) -> None:
    """Counted by the provider where it counts, else estimated; never an answer."""
    found = client.messages.count_tokens(
        model=model, system="Be brief.", messages=[user(f"Hello to all {mark}")]
    )

    if upstream in ("messages", "gemini"):
        assert found.input_tokens == 6
    else:
        assert 3 <= found.input_tokens <= 60


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", STATUS)
def test_error(client: Anthropic, model: str, mark: str, status: int, streamed: bool) -> None:
    """The SDK's own error for the status, with what the provider said in the caller's dialect."""
    kind, word = STATUS[status]
    with pytest.raises(kind) as raised:
        client.messages.create(
            model=alone(model, mark),
            max_tokens=1000,
            messages=[user(f"{mark} [sim-status-{status}]")],
            stream=streamed,
        )

    assert raised.value.status_code == status
    body: Any = raised.value.body
    assert body["type"] == "error"
    assert body["error"] == {"type": word, "message": FAILED.format(status)}
    assert raised.value.type == word
    assert raised.value.request_id


@pytest.mark.parametrize("fault", ["error", "cut", "truncate", "malformed"])
def test_broken_stream(client: Anthropic, model: str, mark: str, fault: str) -> None:
    """What breaks after the first words raises in the SDK, and never looks like an end."""
    events: list[Any] = []
    stream = client.messages.create(
        model=alone(model, mark),
        max_tokens=1000,
        messages=[user(f"{mark} two three four [sim-{fault}-2]")],
        stream=True,
    )
    with pytest.raises(anthropic.APIError) as raised:
        events.extend(stream)  # what came before the error is kept

    texts = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert "".join(texts).startswith(f"{mark} two")
    assert not {event.type for event in events} & {"message_delta", "message_stop"}
    body: Any = raised.value.body
    assert (body["type"], bool(body["error"]["message"])) == ("error", True)


def test_broken_stream_of_the_helper(client: Anthropic, model: str, mark: str) -> None:
    """The same by the stream helper."""
    with (
        client.messages.stream(
            model=alone(model, mark),
            max_tokens=1000,
            messages=[user(f"{mark} two three [sim-cut-2]")],
        ) as stream,
        pytest.raises(anthropic.APIError),
    ):
        stream.get_final_message()


def test_unknown_model(client: Anthropic) -> None:
    """The gateway's own errors are the SDK's, too."""
    with pytest.raises(anthropic.NotFoundError) as raised:
        client.messages.create(model="unheard-of", max_tokens=9, messages=[user("Hello")])

    assert raised.value.type == "not_found_error"


def test_wrong_key(client: Anthropic) -> None:
    """So is a key that the gateway does not know."""
    with pytest.raises(anthropic.AuthenticationError) as raised:
        client.with_options(api_key="sk-wrong").models.list()

    assert raised.value.type == "authentication_error"


def test_bearer_token(world: World, model: str, mark: str) -> None:
    """`auth_token`, as a tool with a login of its own sends it, is a key like any other."""
    with Anthropic(base_url=world.url, auth_token=KEY, api_key=None) as client:
        found = client.messages.create(model=model, max_tokens=99, messages=[user(mark)])

    assert found.content[0].text == mark


def test_models(client: Anthropic) -> None:
    """The list of models has Anthropic's form, page by page."""
    found = {one.id for one in client.models.list(limit=2)}

    assert any(name.startswith("anthropic/") for name in found)
    assert client.models.retrieve(sorted(found)[0]).type == "model"


@pytest.mark.parametrize("streamed", [False, True])
def test_timeout(world: World, client: Anthropic, model: str, mark: str, streamed: bool) -> None:
    """The SDK's own time-out: the provider's call is given up with it."""
    with world.abandoned(), pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=0.7).messages.create(
            model=model, max_tokens=99, messages=[user(f"{mark} [sim-hang]")], stream=streamed
        )


def test_closed_stream(world: World, client: Anthropic, model: str, mark: str) -> None:
    """A stream that is closed after a word ends the provider's call."""
    with (
        world.abandoned(),
        client.messages.stream(
            model=model, max_tokens=9999, messages=[user(f"{mark} [sim-20-lorem-5000]")]
        ) as stream,
    ):
        assert next(iter(stream.text_stream)) == "lorem"


async def test_cancelled_task(world: World, model: str, mark: str) -> None:
    """So does a cancelled task of the asynchronous client."""
    async with AsyncAnthropic(base_url=world.url, api_key=KEY, max_retries=0) as client:
        with world.abandoned():
            call = asyncio.ensure_future(
                client.messages.create(
                    model=model, max_tokens=99, messages=[user(f"{mark} [sim-hang]")]
                )
            )
            await asyncio.to_thread(wait, lambda: world.calls()["open"] == 1, "was not called")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call


async def test_asynchronous_stream(world: World, model: str, mark: str) -> None:
    """The asynchronous client reads the same stream."""
    client = AsyncAnthropic(base_url=world.url, api_key=KEY, max_retries=0)
    asked: Any = {"model": model, "max_tokens": 99, "messages": [user(f"One two {mark}")]}
    async with client, client.messages.stream(**asked) as stream:
        texts = [text async for text in stream.text_stream]
        found = await stream.get_final_message()

    assert "".join(texts) == found.content[0].text == f"One two {mark}"
