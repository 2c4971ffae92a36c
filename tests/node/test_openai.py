"""OpenAI's SDK for Node: every scenario with OpenAI itself and with providers of other dialects behind it."""

import time
from typing import Any

import httpx
import pytest

from tests.gomodel.world import World
from tests.node.conftest import Ask

pytestmark = pytest.mark.xdist_group("node")

MODELS = [  # of a provider of each dialect
    "openai/gpt-4o-mini",
    "openai-new/gpt-5.1",
    "anthropic/claude-sonnet-4-6",
    "gemini/gemini-2.5-flash",
]
every_model = pytest.mark.parametrize("model", MODELS)


@every_model
def test_plain(ask: Ask, model: str) -> None:
    """An answer is parsed, with its usage and its ids."""
    found = ask("openai", "plain", model)

    assert found["choices"][0]["message"]["content"] == "Hello from Node"
    assert found["choices"][0]["finish_reason"] == "stop"
    assert found["usage"]["total_tokens"] == 6
    assert found["request_id"]
    assert found["provider"] == model.partition("/")[0]


@every_model
def test_stream(ask: Ask, model: str) -> None:
    """Chunks, the usage in the last of them."""
    *chunks, last = ask("openai", "stream", model)

    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == "Hello from Node"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 6)


@every_model
def test_the_helper_puts_a_stream_together(ask: Ask, model: str) -> None:
    """`chat.completions.stream` reaches its end, with the whole answer."""
    found = ask("openai", "helper", model)

    assert "".join(found["pieces"]) == "Hello from the helper"
    assert len(found["pieces"]) > 1
    assert found["final"]["choices"][0]["message"]["content"] == "Hello from the helper"


@every_model
def test_tools(ask: Ask, model: str) -> None:
    """`runTools` calls the function and tells its result, to the end of the conversation."""
    found = ask("openai", "tools", model)

    (city,) = found["cities"]
    assert f"Sunny in {city}" in found["final"]
    roles = [message["role"] for message in found["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant"]


@every_model
def test_parallel_tools(ask: Ask, model: str) -> None:
    """Two calls at once in a stream, each with an id of its own; both results are understood."""
    found = ask("openai", "parallel", model)

    assert found["reason"] == "tool_calls"
    names = [call["function"]["name"] for call in found["tool_calls"]]
    assert names == ["get_weather", "get_time"]
    assert len({call["id"] for call in found["tool_calls"]}) == 2
    for name in names:
        assert f"result of {name}" in found["answer"]["content"]


@every_model
def test_structured_output(ask: Ask, model: str) -> None:
    """A Zod schema comes back as an object of it."""
    found = ask("openai", "structured", model)

    assert found.keys() == {"city", "people", "capital"}
    assert isinstance(found["city"], str)
    assert isinstance(found["capital"], bool)


@every_model
def test_image(ask: Ask, model: str) -> None:
    """A picture in base64 is seen."""
    assert ask("openai", "image", model)["content"] == "Look [image image/png 70]"


@every_model
def test_errors(ask: Ask, model: str) -> None:
    """Each failure is the exception that the SDK has for it, in a stream as well."""
    found = ask("openai", "errors", model)

    def told(name: str) -> tuple[Any, ...]:
        error = found[name]
        assert error["isAPIError"], error
        return error["kind"], error["status"], error["code"]

    assert told("key") == ("AuthenticationError", 401, "invalid_api_key")
    assert told("model") == ("NotFoundError", 404, "model_not_found")
    assert told("messages") == ("BadRequestError", 400, "invalid_request")
    assert found["messages"]["param"] == "messages"
    assert told("limited")[:2] == ("RateLimitError", 429)
    assert found["limited"]["retryAfter"] == "7"
    assert told("failed")[:2] == ("InternalServerError", 500)
    assert told("cut")[0] == "APIError"
    assert found["cut"]["message"].startswith("lorem ipsum dolor|")
    for error in found.values():
        assert error["message"]


def cancelled(world: World, name: str) -> dict[str, Any]:
    """The stored document of a request that its caller left; nothing of it is under way any more."""
    document = world.stored(name)
    deadline = time.monotonic() + 30
    while httpx.get(f"http://127.0.0.1:{world.stack.sim_port}/calls").json()["open"]:
        assert time.monotonic() < deadline, "a call of the provider is still open"
        time.sleep(0.05)
    return document


@every_model
def test_timeout(ask: Ask, node_world: World, model: str) -> None:
    """The SDK's own time-out ends the provider's call."""
    assert ask("openai", "timeout", model)["kind"] == "APIConnectionTimeoutError"
    assert cancelled(node_world, f"node-timeout-{model}")["outcome"] == "cancelled"


@every_model
def test_cancel(ask: Ask, node_world: World, model: str) -> None:
    """A stream that is aborted after some words ends the provider's call; the words are stored."""
    assert ask("openai", "cancel", model)["words"] >= 3
    document = cancelled(node_world, f"node-cancel-{model}")
    assert document["outcome"] == "cancelled"
    assert "lorem ipsum dolor" in str(document["response"]["body"])


@every_model
def test_abort_before_an_answer(ask: Ask, node_world: World, model: str) -> None:
    """So does one that is aborted before anything came."""
    assert ask("openai", "abort", model)["kind"] == "APIUserAbortError"
    assert cancelled(node_world, f"node-abort-{model}")["outcome"] == "cancelled"


@every_model
def test_responses(ask: Ask, model: str) -> None:
    """Responses, plain and streamed, found again and gone on from."""
    found = ask("openai", "responses", model)

    assert found["plain"] == found["streamed"] == found["kept"] == "Hello from Node"
    if not model.startswith("openai"):
        assert found["next"] == "And again"
    assert found["types"][0] == "response.created"
    assert found["types"][-1] == "response.completed"


@every_model
def test_tools_and_structured_output_of_responses(ask: Ask, model: str) -> None:
    """Two calls at once, their results, and a Zod schema."""
    found = ask("openai", "responses_tools", model)

    assert [call["name"] for call in found["calls"]] == ["get_weather", "get_time"]
    assert len({call["call_id"] for call in found["calls"]}) == 2
    for call in found["calls"]:
        assert f"result of {call['name']}" in found["answer"]
    assert found["parsed"].keys() == {"city", "people", "capital"}


def test_embeddings_files_and_models(ask: Ask) -> None:
    """Vectors, which the SDK asks for in base64; an upload; the list of models."""
    found = ask("openai", "others", MODELS[0])

    one, two, three = found["vectors"]
    assert one == three != two
    assert all(isinstance(number, float) for number in one)
    assert found["file"]["filename"] == "a.jsonl"
    assert found["content"] == '{"a": 1}\n'
    assert {"openai/gpt-4o-mini", "smart"} <= set(found["models"])
