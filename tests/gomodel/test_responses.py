"""Responses: what GoModel's responses_test asks."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.gomodel.test_chat import MODELS, PIXEL
from tests.gomodel.world import World, error_of, events, output_text

MODEL = "openai/gpt-4o-mini"
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "given",
    [
        "Say this",
        [{"role": "user", "content": "Say this"}],
        [
            {"type": "message", "role": "user", "content": "Before"},
            {"type": "message", "role": "assistant", "content": "Between"},
            {"role": "user", "content": [{"type": "input_text", "text": "Say this"}]},
        ],
    ],
    ids=["text", "message", "conversation"],
)
def test_input(world: World, model: str, given: Any) -> None:
    """A text, a message, and a conversation are answered alike, with usage."""
    found = world.respond(model, given).json()

    assert (found["object"], found["status"]) == ("response", "completed")
    assert output_text(found) == "Say this"
    usage = found["usage"]
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]


@pytest.mark.parametrize("model", MODELS)
def test_instructions(world: World, model: str) -> None:
    """They reach the provider as what leads its model."""
    world.respond(model, "Obey", instructions=f"Instructed {model}")

    (request,) = world.received(f"Instructed {model}")
    sent = json.loads(request["body"])
    led = {
        "openai": "instructions",
        "anthropic": "system",
        "gemini": "systemInstruction",
    }[model.partition("/")[0]]
    assert f"Instructed {model}" in json.dumps(sent[led])


def test_parameters(world: World) -> None:
    """Temperature, `max_output_tokens` and the rest reach the provider as they are."""
    more = {"temperature": 0.25, "max_output_tokens": 20, "metadata": {"a": "b"}}
    world.respond(MODEL, "One two three responding", **more)

    sent = world.sent("three responding")
    assert {name: sent[name] for name in more} == more


@pytest.mark.parametrize("model", MODELS)
def test_a_cut_answer(world: World, model: str) -> None:
    """An answer that came to its limit is incomplete, and says why, whoever gave it."""
    found = world.respond(model, "One two three", max_output_tokens=2).json()

    assert (found["status"], output_text(found)) == ("incomplete", "One two")
    assert found["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize("model", MODELS)
def test_streams(world: World, model: str) -> None:
    """Every item and part is opened, filled and closed; the end has all of it."""
    found = events(world.respond(model, "One after another", stream=True))
    kinds = [event["type"] for event in found if event != "[DONE]"]

    for kind in (
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ):
        assert kinds.count(kind) == 1, kind
    done = next(event for event in found if event["type"] == "response.output_text.done")
    assert done["text"] == "One after another"
    last = [event for event in found if event != "[DONE]"][-1]
    assert output_text(last["response"]) == "One after another"


def test_no_stream_options_are_added(world: World) -> None:
    """Responses always have their usage: nothing is asked for beside what the caller asked."""
    events(world.respond(MODEL, "Plainly streamed", stream=True))

    assert "stream_options" not in world.sent("Plainly streamed")


def test_tools_of_the_provider(world: World) -> None:
    """Tools that OpenAI itself runs go to it as they are."""
    tools = [
        {"type": "web_search"},
        {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 2},
    ]

    answer = world.respond(MODEL, "Search for it", tools=tools)

    assert answer.status_code == 200
    assert world.sent("Search for it")["tools"] == tools


@pytest.mark.parametrize("model", MODELS)
def test_tools(world: World, model: str) -> None:
    """A call and its result, by `call_id`."""
    asked = {"role": "user", "content": "How is Paris [sim-tool]"}
    found = world.respond(model, [asked], tools=[WEATHER]).json()
    (call,) = [item for item in found["output"] if item["type"] == "function_call"]

    assert call["name"] == "get_weather"
    assert json.loads(call["arguments"]).keys() == {"city"}
    result = {
        "type": "function_call_output",
        "call_id": call["call_id"],
        "output": f"Rain {model}",
    }
    answer = world.respond(model, [asked, *found["output"], result], tools=[WEATHER]).json()
    assert f"Rain {model}" in output_text(answer)


@pytest.mark.parametrize("model", MODELS)
def test_a_picture(world: World, model: str) -> None:
    """A picture in base64."""
    content = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
    ]
    found = world.respond(model, [{"role": "user", "content": content}]).json()

    assert output_text(found) == "Look [image image/png 70]"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b'{"input": "x"}', 400, "model"),
        (b'{"model": "nobodys", "input": "x"}', 404, "model"),
    ],
)
def test_bad_requests(world: World, body: bytes, status: int, param: str | None) -> None:
    """What is no JSON, has no model, or one that nobody has."""
    headers = {"content-type": "application/json"}
    answer = world.client.post("/v1/responses", content=body, headers=headers)

    assert answer.status_code == status
    assert error_of(answer)["param"] == param


def test_an_empty_input(world: World) -> None:
    """It asks nothing: 400, where GoModel asks the provider with it."""
    answer = world.respond(MODEL, "")

    assert answer.status_code == 400
    assert error_of(answer)["param"] == "input"


def test_a_conversation_by_ids(world: World) -> None:
    """`previous_response_id` goes on from a stored response, also where the provider knows no such thing."""
    first = world.respond("anthropic/claude-sonnet-4-6", "My name is Bea").json()
    second = world.respond(
        "anthropic/claude-sonnet-4-6", "Who was it again", previous_response_id=first["id"]
    )

    assert second.status_code == 200, second.text
    sent = world.sent("Who was it again")
    assert "My name is Bea" in json.dumps(sent["messages"])


@pytest.mark.parametrize("model", MODELS)
def test_counting(world: World, model: str) -> None:
    """How many tokens an input would be is known without asking it."""
    found = world.post("/v1/responses/input_tokens", {"model": model, "input": "One two three"})

    assert found.json()["object"] == "response.input_tokens"
    assert found.json()["input_tokens"] > 0


def test_many_at_once(world: World) -> None:
    """Each of many gets its own answer."""
    with ThreadPoolExecutor(20) as pool:
        texts = [f"Number {number}" for number in range(40)]
        found = pool.map(lambda text: output_text(world.respond(MODEL, text).json()), texts)

        assert list(found) == texts
