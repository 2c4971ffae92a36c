"""The traffic of coding agents: Claude Code's over Messages, Codex's over Responses."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.sdk.given import ARGUMENTS, PNG, SCHEMAS, TOOLS
from tests.sdk.world import KEY, MODELS, World, alone

pytestmark = [
    pytest.mark.xdist_group("sdk"),
    # Which models are old is the SDK's matter, and changes with the calendar.
    pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning"),
]

BETAS = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,fine-grained-tool-streaming-2025-05-14"
)
SEALED = {
    "chat": "reasoning_details",
    "responses": "encrypted_content",
    "messages": "signature",
    "gemini": "thoughtSignature",
}
# Twenty tools, as such a client sends them; the two that are called stand first.
MANY = [
    *({"name": name, "description": s, "input_schema": of} for name, (s, of) in TOOLS.items()),
    *(
        {
            "name": f"Tool{number}",
            "description": "One of many " * 20,
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "file_path": {"type": "string", "description": "Absolute"},
                    "edits": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "properties": {
                                "old": {"type": "string"},
                                "all": {"type": "boolean", "default": False},
                            },
                            "required": ["old"],
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["file_path"],
                "additionalProperties": False,
            },
        }
        for number in range(18)
    ),
]
MANY[-1]["cache_control"] = {"type": "ephemeral"}
CACHED = {"type": "ephemeral"}
SYSTEM = [
    {"type": "text", "text": "You are Claude Code.", "cache_control": CACHED},
    {"type": "text", "text": "Be brief.", "cache_control": CACHED},
]


def claude_code(model: str, messages: list[Any], **members: Any) -> dict[str, Any]:
    """The body that it sends for a turn."""
    return {
        "model": model,
        "messages": messages,
        "system": SYSTEM,
        "tools": MANY,
        "max_tokens": 32000,
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "metadata": {"user_id": "user_0_account__session_1"},
        "stream": True,
        **members,
    }


def said(text: str) -> dict[str, Any]:
    """What the user says, after the reminders that it puts before."""
    return {
        "role": "user",
        "content": [
            {"type": "text", "text": "<system-reminder>Today is Monday.</system-reminder>"},
            {"type": "text", "text": text, "cache_control": CACHED},
        ],
    }


class Claude:
    """Its requests: an address below which it asks for `/v1/messages?beta=true`."""

    def __init__(self, base_url: str) -> None:
        # ANTHROPIC_AUTH_TOKEN is what it is told to use with a gateway.
        self.client = Anthropic(
            base_url=base_url, auth_token=KEY, api_key=None, max_retries=0, timeout=30
        )

    def turn(self, body: dict[str, Any]) -> Any:
        """The message at the end of a stream."""
        with self.client.messages.stream(
            **{name: value for name, value in body.items() if name != "stream"},
            extra_headers={"anthropic-beta": BETAS, "x-app": "cli"},
            extra_query={"beta": "true"},
        ) as stream:
            return stream.get_final_message()

    def count(self, body: dict[str, Any]) -> int:
        found = self.client.messages.count_tokens(
            model=body["model"],
            messages=body["messages"],
            system=body["system"],
            tools=body["tools"],
            extra_headers={"anthropic-beta": f"{BETAS},token-counting-2024-11-01"},
            extra_query={"beta": "true"},
        )
        return found.input_tokens


@pytest.fixture(scope="module")
def claude(sdk_gateway: World) -> Iterator[Claude]:
    found = Claude(sdk_gateway.url)
    with found.client:
        yield found


def conversation(claude: Claude, model: str, mark: str) -> tuple[Any, Any]:
    """Two tools at once and their results."""
    messages: list[Any] = [said(f"Look {mark} [sim-tools-2]")]
    first = claude.turn(claude_code(model, messages))
    results = [
        {
            "type": "tool_result",
            "tool_use_id": block.id,
            "content": f"{block.name} is done",
            "is_error": False,
        }
        for block in first.content
        if block.type == "tool_use"
    ]
    results[-1]["cache_control"] = CACHED
    messages += [
        {"role": "assistant", "content": [block.to_dict() for block in first.content]},
        {"role": "user", "content": results},
    ]
    return first, claude.turn(claude_code(model, messages))


def proven(first: Any, second: Any) -> None:
    """What Claude Code must see of it."""
    assert first.stop_reason == "tool_use"
    assert first.content[0].type in ("thinking", "redacted_thinking")
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [(block.name, block.input) for block in calls] == list(ARGUMENTS.items())
    assert second.stop_reason == "end_turn"
    texts = [block.text for block in second.content if block.type == "text"]
    assert texts == ["The tools said: get_weather is done, get_time is done"]
    assert second.usage.input_tokens > 0
    assert second.usage.output_tokens > 0


def test_claude_code(world: World, claude: Claude, upstream: str, mark: str) -> None:
    """A turn with tools, thinking and prompt caching at the gateway's root, whoever answers."""
    model = MODELS[upstream].replace("gpt-4.1", "gpt-5.1")
    first, second = conversation(claude, model, mark)

    proven(first, second)
    asked, told_back = world.seen(mark, 2)
    assert asked.dialect == upstream
    assert asked.system.replace("\n", "") == "You are Claude Code.Be brief."
    assert len(asked.tools) == len(MANY)
    assert {name: asked.tools[name] for name in TOOLS} == SCHEMAS
    assert [one[1:] for one in told_back.calls] == list(ARGUMENTS.items())
    assert [text for _, text in told_back.results] == [f"{name} is done" for name in ARGUMENTS]
    assert SEALED[upstream] in json.dumps(told_back.body)
    if upstream == "messages":  # its own dialect: nothing is lost, and nothing changed
        assert asked.body == claude_code("claude-sonnet-4-5", asked.body["messages"])
        assert asked.headers["anthropic-beta"] == BETAS
        assert json.dumps(told_back.body).count('"cache_control"') == 5


def test_claude_code_counts(claude: Claude, upstream: str, mark: str) -> None:
    """It asks how large its context is before each turn."""
    assert claude.count(claude_code(MODELS[upstream], [said(mark)])) > 5


def test_claude_code_by_a_bare_name(world: World, claude: Claude, mark: str) -> None:
    """It asks for `claude-…` without an instance before it, and for a small model beside."""
    body = claude_code("claude-haiku-4-5-20251001", [said(f"A title {mark}")], thinking=None)
    del body["thinking"], body["tools"]
    found = claude.turn(body)

    assert mark in found.content[0].text
    assert world.seen(mark)[0].body["model"] == "claude-haiku-4-5-20251001"


@pytest.mark.parametrize("path", ["/p/anthropic", "/anthropic"])
def test_claude_code_at_another_base_url(world: World, mark: str, path: str) -> None:
    """`/p/anthropic` hands everything on to that provider: bodies, betas and the query as they are."""
    claude = Claude(world.url + path)
    model = "claude-sonnet-4-5" if path.startswith("/p/") else MODELS["messages"]
    with claude.client:
        first, second = conversation(claude, model, mark)
        count = claude.count(claude_code(model, [said(mark)]))

    proven(first, second)
    assert count > 5
    asked = world.seen(mark, 3)
    assert [one.path for one in asked] == ["/v1/messages"] * 2 + ["/v1/messages/count_tokens"]
    assert asked[0].body == claude_code("claude-sonnet-4-5", asked[0].body["messages"])
    assert asked[0].headers["anthropic-beta"] == BETAS
    assert asked[0].headers["x-api-key"] == "sk-anthropic"
    assert KEY not in json.dumps(asked[0].headers)


# What else it is known to send, in a turn or in the history.
ADAPTIVE = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}
CLEARING = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
TITLE = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
CLAUDE_CODE: dict[str, Any] = {
    "adaptive": ADAPTIVE,
    "context": {"context_management": CLEARING},
    "ttl": {"system": [{"type": "text", "text": "a", "cache_control": CACHED | {"ttl": "1h"}}]},
    "temperature": {"temperature": 1, "thinking": {"type": "disabled"}},
    "eager": {"tools": [MANY[0] | {"eager_input_streaming": True}]},
    "strict": {"tools": [MANY[0] | {"strict": True}]},
    "deferred": {"tools": [MANY[1], MANY[0] | {"defer_loading": True}]},
    "search": {"tools": [*MANY, {"type": "web_search_20250305", "name": "web_search"}]},
    "title": {
        "tools": [],
        "thinking": {"type": "disabled"},
        "output_config": {"format": {"type": "json_schema", "schema": TITLE}},
    },
}
USED = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {"zone": "UTC"}}


def used(*content: Any, **members: Any) -> list[Any]:
    """A history that ends with the result of a tool."""
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": list(content), **members}
    return [
        said("What time is it?"),
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, USED]},
        {"role": "user", "content": [result, {"type": "text", "text": "Go on."}]},
    ]


PICTURE = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
CLAUDE_CODES_PAST: dict[str, Any] = {
    "picture": used({"type": "text", "text": "seen"}, {"type": "image", "source": PICTURE}),
    "failure": used({"type": "text", "text": "no"}, is_error=True),
    "reference": used({"type": "tool_reference", "tool_name": "get_time"}),
    "reminder": [said("a"), {"role": "assistant", "content": "b"}, said("c"), said("d")],
}


def ask_raw(world: World, path: str, body: dict[str, Any], **headers: str) -> str:
    """The stream, whose status was good."""
    key = {"authorization": f"Bearer {KEY}"}
    found = world.http.post(f"{world.url}{path}", json=body, headers=key | headers)
    assert found.status_code == 200, found.text
    return found.text


@pytest.mark.parametrize("name", CLAUDE_CODE)
def test_what_claude_code_sends(world: World, upstream: str, mark: str, name: str) -> None:
    """Nothing that it sends with a turn is a reason to refuse it, whoever answers."""
    model = MODELS[upstream].replace("gpt-4.1", "gpt-5.1")
    body = claude_code(model, [said(mark)], **CLAUDE_CODE[name])
    found = ask_raw(world, "/v1/messages?beta=true", body, **{"anthropic-beta": BETAS})

    assert "event: message_stop" in found
    assert world.seen(mark)[0].dialect == upstream


@pytest.mark.parametrize("name", CLAUDE_CODES_PAST)
def test_what_claude_code_sends_again(world: World, upstream: str, mark: str, name: str) -> None:
    """Nothing that it keeps of the past is either, also if another model was there before."""
    model = MODELS[upstream].replace("gpt-4.1", "gpt-5.1")
    messages = [said(mark), {"role": "assistant", "content": "Yes?"}, *CLAUDE_CODES_PAST[name]]
    body = claude_code(model, messages, thinking={"type": "disabled"})
    found = ask_raw(world, "/v1/messages?beta=true", body, **{"anthropic-beta": BETAS})

    assert "event: message_stop" in found
    if name == "picture" and upstream == "messages":
        assert "image/png" in json.dumps(world.seen(mark)[0].body)


# -- Codex: https://github.com/openai/codex, codex-rs/core/src/client.rs

CODEX_TOOLS: list[Any] = [
    *(
        {"type": "function", "name": name, "description": s, "strict": False, "parameters": of}
        for name, (s, of) in TOOLS.items()
    ),
    {
        "type": "function",
        "name": "shell",
        "description": "Runs a command",
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {
                "command": {"type": "array", "items": {"type": "string"}},
                "timeout_ms": {"type": "number"},
            },
            "required": ["command"],
            "additionalProperties": False,
        },
    },
]
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}


def codex(model: str, items: list[Any], **members: Any) -> dict[str, Any]:
    """The body that it sends for a turn."""
    return {
        "model": model,
        "instructions": "You are Codex.",
        "input": items,
        "tools": CODEX_TOOLS,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "conversation-1",
        "text": {"verbosity": "low"},
        **members,
    }


def spoken(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content}


class Codex:
    """Its requests. It reads items from `output_item.done` and the end from `response.completed`."""

    def __init__(self, client: OpenAI) -> None:
        self._client = client

    def turn(self, body: dict[str, Any]) -> tuple[list[dict[str, Any]], Any]:
        """The items, as it will send them again, and the response at the end."""
        events = list(
            self._client.responses.create(
                **body,
                extra_headers={"originator": "codex_cli_rs", "session_id": "conversation-1"},
            )
        )
        assert events[-1].type == "response.completed"
        done = [event.item for event in events if event.type == "response.output_item.done"]
        items = [item.to_dict(mode="json") for item in done]
        assert [item["id"] for item in items] == [one.id for one in events[-1].response.output]
        # It keeps no ids, for nothing is stored.
        return [{n: v for n, v in item.items() if n not in ("id", "status")} for item in items], (
            events[-1].response
        )


@pytest.fixture(scope="module")
def agent(sdk_gateway: World) -> Iterator[Codex]:
    with OpenAI(base_url=f"{sdk_gateway.url}/v1", api_key=KEY, max_retries=0, timeout=30) as client:
        yield Codex(client)


def output(item: dict[str, Any], given: Any) -> dict[str, Any]:
    return {"type": f"{item['type']}_output", "call_id": item["call_id"], "output": given}


def test_codex(world: World, agent: Codex, upstream: str, mark: str) -> None:
    """Two calls at once, then their results with the reasoning that led to them, whoever answers."""
    model = MODELS[upstream].replace("gpt-4.1", "gpt-5.1")
    items: list[Any] = [spoken("<environment_context/>"), spoken(f"Look {mark} [sim-tools-2]")]
    first, ended = agent.turn(codex(model, items))

    assert first[0]["type"] == "reasoning"
    assert any(item.get("encrypted_content") for item in first)
    calls = [item for item in first if item["type"] == "function_call"]
    assert [(one["name"], json.loads(one["arguments"])) for one in calls] == list(ARGUMENTS.items())
    assert ended.usage.input_tokens > 0
    items += [*first, *(output(one, f"{one['name']} is done") for one in calls)]
    _, ended = agent.turn(codex(model, items))

    assert ended.output_text == "The tools said: get_weather is done, get_time is done"
    assert ended.usage.output_tokens > 0
    asked, told_back = world.seen(mark, 2)
    assert asked.dialect == upstream
    assert asked.system == "You are Codex."
    assert {name: asked.tools[name] for name in TOOLS} == SCHEMAS
    assert [one[1:] for one in told_back.calls] == list(ARGUMENTS.items())
    assert [text for _, text in told_back.results] == [f"{name} is done" for name in ARGUMENTS]
    assert SEALED[upstream] in json.dumps(told_back.body)
    if upstream == "responses":  # its own dialect: nothing is lost, and nothing changed
        assert told_back.body == codex("gpt-5.1", items)


def test_codex_patches(world: World, agent: Codex, upstream: str, mark: str) -> None:
    """`apply_patch` is a custom tool, whose input is text by a grammar: also where there are functions
    only it comes back as what it is."""
    model = MODELS[upstream].replace("gpt-4.1", "gpt-5.1")
    items: list[Any] = [spoken(f"Mend {mark} [sim-tool]")]
    tools = [PATCH, *CODEX_TOOLS]
    first, _ = agent.turn(codex(model, items, tools=tools))

    (call,) = [item for item in first if item["type"] == "custom_tool_call"]
    assert call["name"] == "apply_patch"
    assert call["input"].startswith("simulated")
    items += [*first, output(call, "Done!")]
    _, ended = agent.turn(codex(model, items, tools=tools))

    assert ended.output_text == "The tools said: Done!"
    assert len(world.seen(mark, 2)) == 2


def test_codex_runs_a_local_shell(agent: Codex, upstream: str, mark: str) -> None:
    """The tool `local_shell` is OpenAI's own: another provider is not told of it in silence."""
    items: list[Any] = [spoken(f"Run {mark} [sim-tool]")]
    tools = [{"type": "local_shell"}]
    if upstream != "responses":
        with pytest.raises(openai.BadRequestError, match="local_shell"):
            agent.turn(codex(MODELS[upstream], items, tools=tools))
        return
    first, _ = agent.turn(codex(MODELS[upstream], items, tools=tools))

    (call,) = [item for item in first if item["type"] == "local_shell_call"]
    assert call["action"]["command"] == ["echo", "simulated"]
    items += [*first, output(call, "simulated")]
    _, ended = agent.turn(codex(MODELS[upstream], items, tools=tools))
    assert ended.output_text == "The tools said: simulated"


def test_codex_reads_an_error(world: World, upstream: str, mark: str) -> None:
    """It reads no more of a failure than `error.message` and `Retry-After`."""
    with httpx.Client(base_url=world.url, headers={"Authorization": f"Bearer {KEY}"}) as client:
        asked = [spoken(f"{mark} [sim-status-429-retry-7]")]
        body = codex(alone(MODELS[upstream], mark), asked)
        found = client.post("/v1/responses", json=body)

    assert found.status_code == 429
    assert found.headers["retry-after"] == "7"
    assert found.json()["error"]["message"] == "The simulated provider was asked for status 429."


@pytest.mark.parametrize("fault", ["cut", "error"])
def test_codex_sees_a_broken_stream(world: World, upstream: str, mark: str, fault: str) -> None:
    """The stream ends with `response.failed` or an error, never with `response.completed`, and Codex
    asks again."""
    with httpx.Client(base_url=world.url, headers={"Authorization": f"Bearer {KEY}"}) as client:
        asked = [spoken(f"{mark} two three four [sim-{fault}-3]")]
        body = codex(alone(MODELS[upstream], mark), asked)
        found = client.post("/v1/responses", json=body)

    kinds = [line[7:] for line in found.text.splitlines() if line.startswith("event: ")]
    last = json.loads(found.text.rstrip().splitlines()[-1].removeprefix("data: "))
    assert "response.completed" not in kinds
    assert last.get("type") in ("response.failed", "error") or "error" in last


# What else it is known to send, in a turn or in the history.
CODEX: dict[str, Any] = {
    "metadata": {"client_metadata": {"x-codex-installation-id": "a"}},
    "tier": {"service_tier": "priority"},
    "search": {"tools": [*CODEX_TOOLS, {"type": "web_search", "external_web_access": False}]},
    "no reasoning": {"reasoning": None, "include": []},
    "most reasoning": {"reasoning": {"effort": "xhigh", "summary": "detailed"}},
    "format": {
        "text": {
            "format": {"type": "json_schema", "name": "codex_output_schema", "schema": TITLE},
            "verbosity": "low",
        }
    },
}
CALL = {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "call_1"}
PATCHED = {"type": "custom_tool_call", "call_id": "call_1", "name": "apply_patch", "input": "p"}
URL = f"data:image/png;base64,{PICTURE['data']}"
SEEN = [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": URL}]


def replied(text: str, **members: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "role": "assistant", "content": content, **members}


SEARCHED = {"type": "search", "query": "q"}
CODEXS_PAST: dict[str, Any] = {
    "developer": [spoken("a") | {"role": "developer"}],
    "phase": [replied("b", phase="commentary")],
    "parts": [CALL, output(CALL, SEEN)],
    "picture": [{"type": "message", "role": "user", "content": SEEN}],
    "reasoning": [
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": None},
        replied("b"),
    ],
    "search": [
        {"type": "web_search_call", "status": "completed", "action": SEARCHED},
        replied("b"),
    ],
    "patch": [PATCHED, output(PATCHED, "x")],
    "namespace": [CALL | {"namespace": "mcp__x"}, output(CALL, "x")],
}


@pytest.mark.parametrize("name", CODEX)
def test_what_codex_sends(world: World, upstream: str, mark: str, name: str) -> None:
    """Nothing that it sends with a turn is a reason to refuse it, whoever answers."""
    model = MODELS[upstream].replace("gpt-4.1", "gpt-5.1")
    found = ask_raw(world, "/v1/responses", codex(model, [spoken(mark)], **CODEX[name]))

    assert "event: response.completed" in found
    assert world.seen(mark)[0].dialect == upstream


@pytest.mark.parametrize("name", CODEXS_PAST)
def test_what_codex_sends_again(world: World, upstream: str, mark: str, name: str) -> None:
    """Nothing that it keeps of the past is either, also if another model was there before."""
    model = MODELS[upstream].replace("gpt-4.1", "gpt-5.1")
    items = [spoken("a"), *CODEXS_PAST[name], spoken(mark)]
    found = ask_raw(world, "/v1/responses", codex(model, items, tools=[PATCH, *CODEX_TOOLS]))

    assert "event: response.completed" in found
    assert world.seen(mark)[0].dialect == upstream


def test_codex_ran_a_local_shell(world: World, upstream: str, mark: str) -> None:
    """The history of OpenAI's own tool is refused by name by a provider that has none such, or left out
    as a whole: a result never goes without its call."""
    action = {"type": "exec", "command": ["ls"]}
    call = {
        "type": "local_shell_call",
        "call_id": "call_1",
        "status": "completed",
        "action": action,
    }
    result = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
    body = codex(MODELS[upstream], [spoken("a"), call, result, spoken(mark)])

    found = ask_raw(world, "/v1/responses", body, **{"sluice-drop-params": "true"})

    assert "event: response.completed" in found
    assert world.seen(mark)[0].results == ([("call_1", "x")] if upstream == "responses" else [])
