"""Chat: S16 to S26."""

from typing import Any

import pytest

from tests.gomodel.world import World, error_of, events, said, words

PICTURE = "https://images.example/logo.png"


def test_gm_s16_openai_chat(world: World) -> None:
    """A chat with OpenAI is a `chat.completion` with its choice and its usage."""
    answer = world.chat("openai/gpt-4o-mini", "Say s16")
    found = answer.json()

    assert said(answer) == "Say s16"
    assert found["object"] == "chat.completion"
    assert found["id"]
    assert found["choices"][0]["finish_reason"] == "stop"
    assert found["choices"][0]["message"]["role"] == "assistant"
    assert found["usage"] == found["usage"] | {
        "prompt_tokens": 2,
        "completion_tokens": 2,
        "total_tokens": 4,
    }
    assert answer.headers["x-request-id"]
    assert world.sent("Say s16")["model"] == "gpt-4o-mini"


def test_gm_s17_openai_stream(world: World) -> None:
    """A stream ends with its usage, if that was asked for, and `[DONE]`."""
    answer = world.chat(
        "openai/gpt-4o-mini",
        "Say s17 slowly",
        stream=True,
        stream_options={"include_usage": True},
    )
    *_, finish, usage, done = events(answer)

    assert words(answer) == "Say s17 slowly"
    assert answer.headers["cache-control"] == "no-cache"
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 6
    assert done == "[DONE]"


def test_gm_s17_usage_that_was_not_asked_for_is_not_sent(world: World) -> None:
    """Without `stream_options` no event of usage alone comes; the provider was asked for it."""
    *_, finish, done = events(world.chat("openai/gpt-4o-mini", "Say s17b", stream=True))

    assert finish["choices"][0]["finish_reason"] == "stop"
    assert done == "[DONE]"
    assert world.sent("Say s17b")["stream_options"] == {"include_usage": True}


def test_gm_s18_an_older_model(world: World) -> None:
    """gpt-3.5-turbo is called by its bare id."""
    assert said(world.chat("gpt-3.5-turbo", "Say s18")) == "Say s18"
    assert world.sent("Say s18")["model"] == "gpt-3.5-turbo"


def test_gm_s19_anthropic_with_reasoning(world: World) -> None:
    """`reasoning` for Claude becomes a budget of thoughts, for which there is room in `max_tokens`."""
    answer = world.chat(
        "anthropic/claude-sonnet-4-6", "Say s19", max_tokens=4096, reasoning={"effort": "low"}
    )

    assert said(answer) == "Say s19"
    assert answer.json()["choices"][0]["message"]["reasoning_content"]
    (request,) = world.received("Say s19")
    sent = world.sent("Say s19")
    assert request["path"] == "/v1/messages"
    assert request["headers"]["x-api-key"] == "sk-anthropic"
    assert sent["thinking"]["type"] in ("enabled", "adaptive")
    assert sent["max_tokens"] > sent["thinking"].get("budget_tokens", 0)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        pytest.param(
            "gemini/gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent", id="s20"
        ),
        pytest.param("groq/llama-3.3-70b-versatile", "/v1/chat/completions", id="s21"),
    ],
)
def test_gm_s20_gm_s21_gemini_and_groq_chat(world: World, model: str, path: str) -> None:
    """A chat with Gemini and with Groq is what one with OpenAI is."""
    mark = f"Say {model}"
    answer = world.chat(model, mark)

    assert said(answer) == mark
    assert answer.json()["object"] == "chat.completion"
    assert answer.json()["usage"]["total_tokens"] == 4
    (request,) = world.received(mark)
    assert request["path"] == path
    assert words(world.chat(model, f"{mark} again", stream=True)) == f"{mark} again"


def test_gm_s22_xai_counts_reasoning(world: World) -> None:
    """What xAI thought is counted in the usage."""
    answer = world.chat("xai/grok-3-mini", "Say s22 [sim-think-5]")

    details = answer.json()["usage"]["completion_tokens_details"]
    assert details["reasoning_tokens"] == 5


@pytest.mark.parametrize(
    "model", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6", "groq/llama-3.3-70b-versatile"]
)
def test_gm_s23_a_picture_by_its_url(world: World, model: str) -> None:
    """A picture's URL reaches the model, whatever its provider's dialect is."""
    content = [
        {"type": "text", "text": f"Look s23 {model}"},
        {"type": "image_url", "image_url": {"url": PICTURE}},
    ]

    assert said(world.chat(model, content)) == f"Look s23 {model} [image {PICTURE}]"


@pytest.mark.parametrize(
    ("alias", "model"),
    [
        pytest.param("smart", "gpt-4o-mini", id="s24"),
        pytest.param("careful", "claude-sonnet-4-6", id="s25"),
    ],
)
def test_gm_s24_gm_s25_chat_by_an_alias(world: World, alias: str, model: str) -> None:
    """An alias of `config.yaml` calls its target, plain and streamed."""
    assert said(world.chat(alias, f"Say {alias}")) == f"Say {alias}"
    assert words(world.chat(alias, f"Stream {alias}", stream=True)) == f"Stream {alias}"
    assert world.sent(f"Say {alias}")["model"] == model


def test_gm_s26_reasoning_on_chat(world: World) -> None:
    """`reasoning` of a chat becomes OpenAI's `reasoning_effort`, where GoModel lets OpenAI refuse it."""
    answer = world.chat("openai/gpt-5-nano", "Say s26", reasoning={"effort": "low"})

    assert said(answer) == "Say s26"
    sent: dict[str, Any] = world.sent("Say s26")
    assert sent["reasoning_effort"] == "low"
    assert "reasoning" not in sent


def test_gm_s61_an_unsupported_model_is_stored(world: World) -> None:
    """A model that nobody has is refused with its name, and the request is stored all the same."""
    answer = world.post(
        "/v1/chat/completions",
        {"model": "nobodys-model", "messages": [{"role": "user", "content": "Say s61"}]},
        x_request_id="gm-s61",
    )

    error = error_of(answer)
    assert answer.status_code == 404
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert error["type"] == "not_found_error"
    found = world.stored("gm-s61")
    assert (found["outcome"], found["status"]) == ("rejected", 404)
    assert found["request_model"] == "nobodys-model"
    assert found["error"]["code"] == "model_not_found"
    assert found["attempts"] == []
