"""Anthropic's SDK for Node: every scenario with Anthropic itself and with providers of other dialects."""

from typing import Any

import pytest

from tests.gomodel.world import World
from tests.node.conftest import Ask
from tests.node.test_openai import cancelled

pytestmark = pytest.mark.xdist_group("node")

MODELS = [  # of a provider of each dialect
    "anthropic/claude-sonnet-4-6",
    "openai/gpt-5-nano",
    "openai-new/gpt-5.1",
    "gemini/gemini-2.5-flash",
]
every_model = pytest.mark.parametrize("model", MODELS)


def text(message: dict[str, Any]) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


@every_model
def test_plain(ask: Ask, model: str) -> None:
    """An answer is parsed, with its usage."""
    found = ask("anthropic", "plain", model)

    assert (found["type"], found["role"], found["stop_reason"]) == (
        "message",
        "assistant",
        "end_turn",
    )
    assert text(found) == "Hello from Node"
    assert (found["usage"]["input_tokens"], found["usage"]["output_tokens"]) == (3, 3)


@every_model
def test_stream(ask: Ask, model: str) -> None:
    """The helper puts a stream together, from its start to its stop."""
    found = ask("anthropic", "stream", model)

    assert "".join(found["pieces"]) == text(found["final"]) == "Hello from Node"
    assert found["final"]["stop_reason"] == "end_turn"
    assert found["final"]["usage"]["output_tokens"] == 3
    assert (found["types"][0], found["types"][-1]) == ("message_start", "message_stop")


@every_model
def test_tools(ask: Ask, model: str) -> None:
    """The tool that is forced is called, with input of its schema."""
    found = ask("anthropic", "tools", model)

    (call,) = [block for block in found["content"] if block["type"] == "tool_use"]
    assert (found["stop_reason"], call["name"]) == ("tool_use", "get_time")
    assert call["input"].keys() == {"city"}


@every_model
def test_parallel_tools(ask: Ask, model: str) -> None:
    """Two calls at once in a stream; both results are understood."""
    found = ask("anthropic", "parallel", model)

    assert found["stop_reason"] == "tool_use"
    assert [call["name"] for call in found["calls"]] == ["get_weather", "get_time"]
    assert len({call["id"] for call in found["calls"]}) == 2
    for call in found["calls"]:
        assert call["input"].keys() == {"city"}
        assert f"result of {call['name']}" in text(found["answer"])


@every_model
def test_structured_output(ask: Ask, model: str) -> None:
    """A schema comes back as an object of it."""
    found = ask("anthropic", "structured", model)

    assert {name: type(value) for name, value in found.items()} == {"city": str, "people": int}


@every_model
def test_image(ask: Ask, model: str) -> None:
    """A picture in base64 is seen."""
    assert text(ask("anthropic", "image", model)) == "Look [image image/png 70]"


@every_model
def test_thinking(ask: Ask, model: str) -> None:
    """Thoughts stand before the text and may go back as they came."""
    found = ask("anthropic", "thinking", model)

    shown = [block for block in found["content"] if block["type"] != "redacted_thinking"]
    assert [block["type"] for block in shown] == ["thinking", "text"]
    assert shown[0]["thinking"]
    assert text(found) == "Think of it"
    assert text(found["next"]) == "Go on"


@every_model
def test_errors(ask: Ask, model: str) -> None:
    """Each failure is the exception that the SDK has for it, with Anthropic's envelope in it."""
    found = ask("anthropic", "errors", model)

    def told(name: str) -> tuple[Any, ...]:
        error = found[name]
        assert error["isAPIError"], error
        assert error["body"]["type"] == "error"
        return error["kind"], error["status"], error["body"]["error"]["type"]

    assert told("key") == ("AuthenticationError", 401, "authentication_error")
    assert told("model") == ("NotFoundError", 404, "not_found_error")
    assert told("messages") == ("BadRequestError", 400, "invalid_request_error")
    assert told("limited") == ("RateLimitError", 429, "rate_limit_error")
    assert found["limited"]["retryAfter"] == "7"
    assert told("failed") == ("InternalServerError", 500, "api_error")
    assert told("cut")[0] == "APIError"


@every_model
def test_timeout(ask: Ask, node_world: World, model: str) -> None:
    """The SDK's own time-out ends the provider's call."""
    assert ask("anthropic", "timeout", model)["kind"] == "APIConnectionTimeoutError"
    assert cancelled(node_world, f"node-a-timeout-{model}")["outcome"] == "cancelled"


@every_model
def test_cancel(ask: Ask, node_world: World, model: str) -> None:
    """A stream that is aborted after some words ends the provider's call."""
    found = ask("anthropic", "cancel", model)

    assert (found["kind"], found["words"] >= 3) == ("APIUserAbortError", True)
    assert cancelled(node_world, f"node-a-cancel-{model}")["outcome"] == "cancelled"


@every_model
def test_models_and_counting(ask: Ask, model: str) -> None:
    """The pages of the list are walked through to their end; tokens are counted."""
    found = ask("anthropic", "others", model)

    assert len(found["models"]) > 5
    assert "anthropic/claude-sonnet-4-6" in found["models"]
    assert found["tokens"]["input_tokens"] > 0
