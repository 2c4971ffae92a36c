"""Codex's kind of traffic (`wire_api="responses"`): nothing stored, everything streamed, items sent back
without ids and without `reasoning_text`."""

from typing import Any

import msgspec
import pytest

from providers.base import Endpoint, Route, Target
from providers.dialogue import converse
from schemas.replies import Completed
from tests.providers.dialects.openai_responses.support import (
    TARGET,
    events_of,
    request,
    sse,
)
from tests.providers.support import fold

ELSEWHERE = Target(
    Endpoint(
        instance="west",
        routes={"anthropic": Route("http://127.0.0.1:1/v1/messages")},
        base_url="http://127.0.0.1:1",
        models_url="http://127.0.0.1:1/v1/models",
        headers={"x-api-key": "secret"},
    ),
    "claude",
)
SHELL = {
    "type": "function",
    "name": "shell",
    "description": "Runs a command.",
    "strict": False,
    "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
}
ASKED = [
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules."}]},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it."}]},
]


def body(*items: dict[str, Any], tools: tuple[dict[str, Any], ...] = (SHELL, PATCH)) -> bytes:
    return msgspec.json.encode(
        {
            "model": "gpt-5",
            "instructions": "You are a coding agent.",
            "input": [*ASKED, *items],
            "tools": tools,
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "reasoning": {"effort": "medium", "summary": "auto"},
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "conversation",
        }
    )


def sent_back(stream: bytes) -> list[dict[str, Any]]:
    """The finished items of a stream, as Codex keeps them."""
    found = []
    for event in events_of(stream):
        if event["type"] != "response.output_item.done":
            continue
        kept = {name: event["item"][name] for name in event["item"] if name not in ("id", "status")}
        if kept["type"] == "reasoning":
            kept.pop("content", None)
        found.append(kept)
    return found


def test_straight_through() -> None:
    """Its requests reach a provider of the same dialect byte for byte, local tools included."""
    for tools in ((SHELL, PATCH), ({"type": "local_shell"}, {"type": "apply_patch"})):
        asked = body(tools=tools)
        assert converse(request(asked), TARGET).sent.body == asked


def anthropic(*blocks: tuple[dict[str, Any], list[dict[str, Any]]]) -> bytes:
    """A stream of another dialect's provider."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "usage": {"input_tokens": 5, "output_tokens": 1},
    }
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [
            {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
        ]
        events.append({"type": "content_block_stop", "index": index})
    events.append(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 9},
        }
    )
    return sse(*events, {"type": "message_stop"})


@pytest.mark.parametrize("name", ["shell", "apply_patch"])
def test_a_tool_loop_elsewhere(name: str) -> None:
    """At a provider of another dialect a tool's result goes back with the thoughts and the signature
    that led to the call, although they travelled through a caller that knows neither."""
    arguments = '{"command":"ls"}' if name == "shell" else '{"input":"*** Begin"}'
    first = converse(request(body()), ELSEWHERE)
    stream = anthropic(
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                {"type": "thinking_delta", "thinking": "I must "},
                {"type": "thinking_delta", "thinking": "look."},
                {"type": "signature_delta", "signature": "EqoB=="},
            ],
        ),
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Looking."}]),
        (
            {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}},
            [{"type": "input_json_delta", "partial_json": arguments}],
        ),
    )
    chunks, end = fold(first.decoder("text/event-stream"), [stream])
    assert isinstance(end, Completed)
    items = sent_back(b"".join(chunk.data for chunk in chunks) + end.data)
    kind = "function_call" if name == "shell" else "custom_tool_call"
    assert [item["type"] for item in items] == ["reasoning", "message", kind]
    call = items[-1]
    assert call.get("arguments", call.get("input")) in (arguments, "*** Begin")

    output = {"type": f"{kind}_output", "call_id": call["call_id"], "output": "a.py"}
    second = msgspec.json.decode(converse(request(body(*items, output)), ELSEWHERE).sent.body)
    assistant, result = second["messages"][-2:]
    assert assistant["content"] == [
        {"type": "thinking", "thinking": "I must look.", "signature": "EqoB=="},
        {"type": "text", "text": "Looking."},
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": name,
            "input": msgspec.json.decode(arguments),
        },
    ]
    assert result["content"][0]["tool_use_id"] == "toolu_1"


def test_another_provider_in_the_middle() -> None:
    """A conversation that another provider began goes on at one of this dialect, without thoughts that
    it cannot read."""
    thoughts = {"type": "reasoning", "summary": [], "encrypted_content": "anthropic:text=aA:EqoB"}
    call = {"type": "function_call", "call_id": "c", "name": "shell", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "a.py"}
    made = converse(request(body(thoughts, call, output)), TARGET)

    assert msgspec.json.decode(made.sent.body)["input"] == [*ASKED, call, output]
    assert made.dropped == ("reasoning",)
