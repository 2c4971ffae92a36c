"""Chat completions: what GoModel's chat_test asks."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.gomodel.world import World, error_of, events, said, words

# One behind each upstream dialect that a chat is translated to, and OpenAI's own.
MODELS = ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6", "gemini/gemini-2.5-flash"]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize("model", MODELS)
def test_basic(world: World, model: str) -> None:
    """An answer has an id, a choice of the assistant's, why it ended, and usage."""
    found = world.chat(model, "Hello there").json()

    assert found["id"]
    assert found["object"] == "chat.completion"
    assert isinstance(found["created"], int)
    (choice,) = found["choices"]
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"] == "Hello there"
    usage = found["usage"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"] == 4


@pytest.mark.parametrize("model", MODELS)
def test_history(world: World, model: str) -> None:
    """A conversation is sent whole, in its order."""
    messages = [
        {"role": "system", "content": "Be brief"},
        user(f"My name is Ann {model}"),
        {"role": "assistant", "content": "Hello Ann"},
        user("Who am I"),
    ]
    answer = world.post("/v1/chat/completions", {"model": model, "messages": messages})

    assert said(answer) == "Who am I"
    (request,) = world.received(f"My name is Ann {model}")
    places = [request["body"].index(text) for text in ("My name", "Hello Ann", "Who am I")]
    assert places == sorted(places)
    assert "Be brief" in request["body"]


def test_no_messages(world: World) -> None:
    """An empty list is nothing to answer: 400, where GoModel asks the provider with it."""
    answer = world.post("/v1/chat/completions", {"model": "openai/gpt-4o-mini", "messages": []})

    assert answer.status_code == 400
    assert error_of(answer)["param"] == "messages"


@pytest.mark.parametrize("model", MODELS)
def test_several_parts(world: World, model: str) -> None:
    """Texts and a picture in base64, in one message."""
    content = [
        {"type": "text", "text": "Look at"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "text", "text": " this"},
    ]

    assert "[image image/png 70]" in said(world.chat(model, content))


def test_tools_reach_the_provider(world: World) -> None:
    """Tools and the choice among them go as they are."""
    choice = {"type": "function", "function": {"name": "get_weather"}}
    answer = world.chat(
        "openai/gpt-4o-mini", "Tools as they are", tools=[WEATHER], tool_choice=choice
    )
    sent = world.sent("Tools as they are")

    assert answer.json()["choices"][0]["finish_reason"] == "tool_calls"
    assert (sent["tools"], sent["tool_choice"]) == ([WEATHER], choice)


@pytest.mark.parametrize("model", MODELS)
def test_tools(world: World, model: str) -> None:
    """A call has an id, a name and arguments; its result goes back by that id and is understood."""
    asked = user("How is Paris [sim-tool]")
    found = world.post(
        "/v1/chat/completions",
        {"model": model, "messages": [asked], "tools": [WEATHER], "tool_choice": "auto"},
    ).json()
    (choice,) = found["choices"]
    (call,) = choice["message"]["tool_calls"]

    assert choice["finish_reason"] == "tool_calls"
    assert (call["type"], call["function"]["name"]) == ("function", "get_weather")
    assert json.loads(call["function"]["arguments"]).keys() == {"city"}
    result = {"role": "tool", "tool_call_id": call["id"], "content": f"Sunny {model}"}
    answer = world.post(
        "/v1/chat/completions",
        {"model": model, "messages": [asked, choice["message"], result], "tools": [WEATHER]},
    )
    assert f"Sunny {model}" in said(answer)
    if model.startswith("openai"):
        assert world.sent(f"Sunny {model}")["messages"][-1]["tool_call_id"] == call["id"]


def test_parameters(world: World) -> None:
    """Temperature, `max_tokens` and what the gateway does not know reach the provider untouched."""
    more = {"temperature": 0.25, "max_tokens": 3, "seed": 7, "logit_bias": {"50256": -100}}
    answer = world.chat("openai/gpt-4o-mini", "One two three four parameters", **more)

    assert said(answer) == "One two three"
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    sent = world.sent("four parameters")
    assert {name: sent[name] for name in more} == more


@pytest.mark.parametrize("model", MODELS)
def test_streams(world: World, model: str) -> None:
    """Chunks of one id, the role first, the reason last, then `[DONE]`."""
    answer = world.chat(model, "One word after another", stream=True)
    *chunks, done = events(answer)

    assert done == "[DONE]"
    assert words(answer) == "One word after another"
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons[-1] == "stop"
    assert set(reasons[:-1]) == {None}


@pytest.mark.parametrize("model", MODELS)
def test_tools_in_a_stream(world: World, model: str) -> None:
    """Two calls at once, each by its index: first its id and its name, then its arguments."""
    answer = world.chat(model, "[sim-tools-2]", stream=True, tools=[WEATHER])
    calls: dict[int, dict[str, str]] = {}
    for chunk in events(answer)[:-1]:
        for part in chunk["choices"][0]["delta"].get("tool_calls") or ():
            call = calls.setdefault(part["index"], {"id": "", "name": "", "arguments": ""})
            call["id"] += part.get("id") or ""
            call["name"] += part["function"].get("name") or ""
            call["arguments"] += part["function"].get("arguments") or ""

    assert sorted(calls) == [0, 1]
    assert len({call["id"] for call in calls.values()}) == 2
    for call in calls.values():
        assert call["name"] == "get_weather"
        assert json.loads(call["arguments"]).keys() == {"city"}


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"", 400, None),
        (b"[]", 400, None),
        (b'{"messages": [{"role": "user", "content": "x"}]}', 400, "model"),
        (b'{"model": "", "messages": [{"role": "user", "content": "x"}]}', 400, "model"),
        (b'{"model": "nobodys", "messages": [{"role": "user", "content": "x"}]}', 404, "model"),
    ],
)
def test_bad_requests(world: World, body: bytes, status: int, param: str | None) -> None:
    """What is no JSON, has no model, or one that nobody has: an error that names the member."""
    headers = {"content-type": "application/json"}
    answer = world.client.post("/v1/chat/completions", content=body, headers=headers)

    assert answer.status_code == status
    error = error_of(answer)
    assert error["type"] == ("not_found_error" if status == 404 else "invalid_request_error")
    assert error["param"] == param


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 404),
    ],
)
def test_wrong_paths_and_methods(world: World, method: str, path: str, status: int) -> None:
    """404 and 405 come in OpenAI's envelope, too, where GoModel has its router's."""
    answer = world.client.request(method, path)

    assert answer.status_code == status
    assert error_of(answer)["code"] == ("not_found" if status == 404 else "method_not_allowed")


@pytest.mark.parametrize("model", ["gpt-4o-mini", "openai/gpt-4o-mini"])
def test_the_provider_hint(world: World, model: str) -> None:
    """`provider` in the body says whose model is meant, with its prefix or without, and stays here."""
    answer = world.chat(model, f"Hint {model}.", provider="openai")

    assert said(answer) == f"Hint {model}."
    sent = world.sent(f"Hint {model}.")
    assert sent["model"] == "gpt-4o-mini"
    assert "provider" not in sent


@pytest.mark.parametrize(
    ("provider", "model", "key"),
    [
        ("anthropic", "claude-sonnet-4-6", "sk-anthropic"),  # another dialect
        ("groq", "gpt-4o-mini", "sk-groq"),  # which OpenAI lists
        ("openai", "smart", "sk-openai"),  # an alias
    ],
)
def test_the_provider_hint_decides(world: World, provider: str, model: str, key: str) -> None:
    """The provider that is named is asked for that very model, whoever else has it."""
    mark = f"Decided by {provider}"
    assert said(world.chat(model, mark, provider=provider)) == mark

    (request,) = world.received(mark)
    headers = request["headers"]
    assert key in (headers.get("x-api-key"), headers.get("authorization", "")[7:])
    assert world.sent(mark)["model"] == model


def test_the_provider_hint_names_nobody(world: World) -> None:
    """A provider that is not there is said to be missing."""
    answer = world.chat("gpt-4o-mini", "Nobody", provider="nobody")

    assert (answer.status_code, error_of(answer)["param"]) == (404, "model")


def test_many_at_once(world: World) -> None:
    """Each of many gets its own answer."""
    with ThreadPoolExecutor(20) as pool:
        texts = [f"Number {number}" for number in range(60)]
        found = pool.map(lambda text: said(world.chat("openai/gpt-4o-mini", text)), texts)

        assert list(found) == texts


def test_a_base_path(embedded_world: World) -> None:
    """Everything is below `BASE_PATH`, and nothing beside it."""
    key = dict(embedded_world.client.headers)["authorization"]
    body = {"model": "openai/gpt-4o-mini", "messages": [user("Below")]}
    with embedded_world.ingress(BASE_PATH="/llm/") as client:
        client.headers["authorization"] = key
        assert client.get("/llm/health").status_code == 200
        assert said(client.post("/llm/v1/chat/completions", json=body)) == "Below"
        assert said(client.post("/llm/p/openai/v1/chat/completions", json=body)) == "Below"
        for path in ("/health", "/v1/models", "/llmv1/models"):
            assert client.get(path).status_code == 404
