"""Pairs of requests that must, or must not, have one answer in common."""

import json
from typing import Any

from msgspec.structs import replace

from schemas.requests import Request

IMAGE = {"type": "image_url", "image_url": {"url": "https://a.example/1.png", "detail": "low"}}
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, IMAGE]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "user", "content": "And now?"},
    ],
    "tools": [TOOL],
}
RESPONSES: dict[str, Any] = {
    "model": "m",
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Look."}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "42"},
    ],
}
MESSAGES: dict[str, Any] = {
    "model": "m",
    "max_tokens": 100,
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1, "b": 2}}
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "42"}],
        },
    ],
}
GEMINI: dict[str, Any] = {
    "contents": [
        {"role": "user", "parts": [{"text": "Look."}, {"inlineData": {"data": "AAAA"}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"a": 1}}}]},
    ],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "generationConfig": {"maxOutputTokens": 100},
}
COMPLETION: dict[str, Any] = {"model": "m", "prompt": "Once", "max_tokens": 5}
EMBEDDING: dict[str, Any] = {"model": "m", "input": ["one", "two"]}
BODIES: dict[str, dict[str, Any]] = {
    "openai_chat": CHAT,
    "openai_responses": RESPONSES,
    "anthropic": MESSAGES,
    "gemini": GEMINI,
    "openai_completions": COMPLETION,
}


def asked(body: dict[str, Any] | bytes, dialect: Any = "openai_chat", **more: Any) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request(request_id="r", body=raw, dialect=dialect, **more)


def at(body: Any, path: str, value: Any) -> Any:
    """A copy with another value at `a.0.b`; a value of None takes the member away."""
    first, _, rest = path.partition(".")
    found: Any = list(body) if isinstance(body, list) else dict(body)
    key: Any = int(first) if isinstance(body, list) else first
    if rest:
        found[key] = at(found[key], rest, value)
    elif value is None:
        del found[key]
    else:
        found[key] = value
    return found


# Of each dialect: members at which another value asks another question.
SHAPING: dict[str, list[tuple[str, Any]]] = {
    "openai_chat": [
        ("messages.0.content", "Be long."),
        ("messages.0.role", "developer"),
        ("messages.0", None),
        ("messages.1.content.0.text", "What is that?"),
        ("messages.1.content.1.image_url.url", "https://a.example/2.png"),
        ("messages.1.content.1.image_url.detail", "high"),
        ("messages.1.content.1", None),
        ("messages.1.name", "Ann"),
        ("messages.2.tool_calls.0.function.arguments", '{"a": 2}'),
        ("messages.2.tool_calls.0.function.name", "see"),
        ("messages.2.tool_calls.0.id", "c2"),
        ("messages.3.content", "43"),
        ("messages.3.tool_call_id", "c2"),
        ("messages.4.content", "and now?"),
        ("messages.4.content", "And now? "),
        ("tools", None),
        ("tools.0.function.name", "see"),
        ("tools.0.function.description", "Looks."),
        ("tools.0.function.parameters.properties", {"a": {"type": "string"}}),
        ("tools.0.function.strict", True),
        ("tool_choice", "none"),
        ("tool_choice", {"type": "function", "function": {"name": "look"}}),
        ("parallel_tool_calls", False),
        ("functions", [{"name": "look"}]),
        ("function_call", "none"),
        ("response_format", {"type": "json_object"}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}),
        ("temperature", 0),
        ("top_p", 0.5),
        ("top_k", 5),
        ("n", 2),
        ("seed", 1),
        ("stop", ["x"]),
        ("stop", "x"),
        ("max_tokens", 10),
        ("max_completion_tokens", 10),
        ("frequency_penalty", 0.5),
        ("presence_penalty", 0.5),
        ("logit_bias", {"50256": -100}),
        ("logprobs", True),
        ("top_logprobs", 2),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("prediction", {"type": "content", "content": "x"}),
        ("reasoning_effort", "low"),
        ("verbosity", "low"),
        ("web_search_options", {}),
        ("service_tier", "flex"),
        ("provider", {"order": ["a"]}),
        ("a_field_of_tomorrow", 1),
    ],
    "openai_responses": [
        ("instructions", "Be long."),
        ("input", "Look."),
        ("input.0.content.0.text", "See."),
        ("input.0.content", [{"type": "input_image", "image_url": "data:image/png;base64,AA"}]),
        ("input.1.arguments", '{"a": 1}'),
        ("input.1.name", "see"),
        ("input.2.output", "43"),
        ("input.2.call_id", "c2"),
        ("previous_response_id", "resp_1"),
        ("prompt", {"id": "pmpt_1"}),
        ("max_output_tokens", 10),
        ("max_tool_calls", 1),
        ("reasoning", {"effort": "low"}),
        ("text", {"format": {"type": "json_object"}}),
        ("text", {"verbosity": "low"}),
        ("tools", [{"type": "web_search"}]),
        ("tool_choice", "none"),
        ("parallel_tool_calls", False),
        ("include", ["reasoning.encrypted_content"]),
        ("truncation", "auto"),
        ("top_p", 0.5),
        ("top_logprobs", 2),
        ("temperature", 0),
    ],
    "anthropic": [
        ("system", "Be long."),
        ("system", [{"type": "text", "text": "Be brief."}]),
        ("messages.0.content", "See."),
        ("messages.1.content.0.input.a", 2),
        ("messages.1.content.0.name", "see"),
        ("messages.2.content.0.content", "43"),
        ("messages.2.content.0.is_error", True),
        ("messages.2.content.0.tool_use_id", "t2"),
        ("max_tokens", 101),
        ("stop_sequences", ["x"]),
        ("temperature", 0),
        ("top_k", 5),
        ("top_p", 0.5),
        ("thinking", {"type": "enabled", "budget_tokens": 1024}),
        ("tools", [{"name": "look", "input_schema": {"type": "object"}}]),
        ("tool_choice", {"type": "any"}),
    ],
    "gemini": [
        ("contents.0.parts.0.text", "See."),
        ("contents.0.parts.1.inlineData.data", "AAAB"),
        ("contents.1.parts.0.functionCall.args.a", 2),
        ("contents.1.role", "user"),
        ("systemInstruction.parts.0.text", "Be long."),
        ("generationConfig.maxOutputTokens", 101),
        ("generationConfig.temperature", 0),
        ("generationConfig.responseMimeType", "application/json"),
        ("generationConfig.thinkingConfig", {"thinkingBudget": 0}),
        ("tools", [{"googleSearch": {}}]),
        ("safetySettings", [{"category": "c", "threshold": "BLOCK_NONE"}]),
        ("cachedContent", "cachedContents/1"),
    ],
    "openai_completions": [
        ("prompt", "Twice"),
        ("prompt", ["Once"]),
        ("suffix", "."),
        ("echo", True),
        ("max_tokens", 6),
        ("best_of", 2),
    ],
}
# Of each dialect: members that may differ and the question is the same.
BESIDE: dict[str, list[tuple[str, Any]]] = {
    "openai_chat": [
        ("stream", True),
        ("stream", False),
        ("stream_options", {"include_usage": True}),
        ("user", "ann"),
        ("metadata", {"a": "b"}),
        ("store", True),
        ("safety_identifier", "s"),
        ("prompt_cache_key", "k"),
        ("prompt_cache_retention", "24h"),
        ("provider", "openai"),
    ],
    "openai_responses": [
        ("stream", True),
        ("stream_options", {"include_obfuscation": False}),
        ("user", "ann"),
        ("metadata", {"a": "b"}),
        ("store", False),
        ("safety_identifier", "s"),
        ("prompt_cache_key", "k"),
    ],
    "anthropic": [("stream", True), ("metadata", {"user_id": "ann"})],
    "gemini": [("labels", {"team": "a"}), ("model", "models/m")],
    "openai_completions": [("stream", True), ("user", "ann")],
}
# Texts of one body each, which say the same.
SPELLINGS: list[tuple[bytes, bytes]] = [
    (b'{"model":"m","messages":[]}', b'{"messages": [],\n "model": "m"}'),
    (
        b'{"messages":[{"role":"user","content":"a"}]}',
        b'{"messages":[{"content":"a","role":"user"}]}',
    ),
    (b'{"messages":["\\u00e9"]}', '{"messages":["é"]}'.encode()),
    (b'{"messages":["a/b"]}', b'{"messages":["a\\/b"]}'),
    (b'{"top_p":1,"messages":[]}', b'{"top_p":1.0,"messages":[]}'),
    (b'{"top_p":0.5,"messages":[]}', b'{"top_p":5e-1,"messages":[]}'),
    (b'{"seed":null,"messages":[]}', b'{"messages":[]}'),
    (b'{"tools":[{"a":{"b":1,"c":2}}]}', b'{"tools":[{"a":{"c":2,"b":1}}]}'),
]
# Texts that look alike and do not say the same.
LOOKALIKES: list[tuple[bytes, bytes]] = [
    (b'{"messages":["1"]}', b'{"messages":[1]}'),
    (b'{"messages":[1]}', b'{"messages":[true]}'),
    (b'{"messages":["a","b"]}', b'{"messages":["b","a"]}'),
    (b'{"messages":["a "]}', b'{"messages":["a"]}'),
    (b'{"messages":["{\\"a\\": 1}"]}', b'{"messages":["{\\"a\\":1}"]}'),
    (b'{"messages":["a",["b"]]}', b'{"messages":["a","b"]}'),
    (b'{"seed":9007199254740993}', b'{"seed":9007199254740992}'),
    (b'{"messages":[{"a":null}]}', b'{"messages":[{}]}'),
    (b'{"messages":["e\\u0301"]}', b'{"messages":["\\u00e9"]}'),
]
# What differs beside the body, whether it asks another question, and in which scope.
ANN = Request(request_id="a", body=b'{"messages":[]}', client="ann", user_path="/a")
CALLERS: list[tuple[str, Request, Request, bool]] = [
    ("both", ANN, replace(ANN, request_id="b", created=5.0, client_ip="::1"), True),
    ("both", ANN, replace(ANN, client="bob"), False),
    ("both", ANN, replace(ANN, user_path="/b"), False),
    ("key", ANN, replace(ANN, user_path="/b"), True),
    ("key", ANN, replace(ANN, client="bob"), False),
    ("key", ANN, replace(ANN, client=None), False),
    ("user_path", ANN, replace(ANN, client="bob"), True),
    ("user_path", ANN, replace(ANN, user_path="/a/b"), False),
    ("none", ANN, replace(ANN, client="bob", user_path="/b"), True),
    ("both", ANN, replace(ANN, source="/other", traceparent="t"), True),
    ("both", ANN, replace(ANN, drop_params=True), False),
    ("both", ANN, replace(ANN, http_headers={"openai-beta": "x"}), False),
    ("both", ANN, replace(ANN, http_headers={"x-title": "x"}), True),
    ("both", ANN, replace(ANN, operation="embeddings"), False),
    ("both", ANN, replace(ANN, dialect="openai_responses"), False),
]
