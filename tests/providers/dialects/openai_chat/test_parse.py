"""What a caller of chat completions asks."""

from typing import Any

import msgspec
import pytest

from providers.canonical.request import (
    ChatRequest,
    Custom,
    Format,
    Function,
    Media,
    Native,
    NativeTool,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from schemas.errors import InvalidRequest
from tests.providers.pairs import HELLO, parse, plain

HI = {"role": "user", "content": "hi"}
FUNCTION = {"type": "function", "function": {"name": "f"}}


def asked(**members: Any) -> ChatRequest:
    return parse(msgspec.json.encode({"model": "m", "messages": [HI], **members}), "openai_chat")


def turns(*messages: dict[str, Any]) -> tuple[Turn, ...]:
    return asked(messages=list(messages)).turns


def parts(*content: dict[str, Any], role: str = "user") -> tuple[Part, ...]:
    (turn,) = turns({"role": role, "content": list(content)})
    return turn.parts


def test_a_greeting() -> None:
    """Nothing is said but what is said; counts are not in a stream unless they are asked for."""
    found = asked()
    assert (found.model, found.turns, found.stream, found.include_usage) == (
        "m",
        HELLO,
        False,
        False,
    )
    assert (found.tools, found.tool_choice, found.format, found.thinking) == ((), None, None, None)
    assert found.extra == {}


@pytest.mark.parametrize(
    ("members", "field", "value"),
    [
        ({"stream": True}, "stream", True),
        ({"stream": None}, "stream", False),
        ({"stream_options": {"include_usage": True}}, "include_usage", True),
        ({"max_tokens": 5}, "max_tokens", 5),
        ({"max_completion_tokens": 6}, "max_tokens", 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", 6),
        ({"temperature": 0}, "temperature", 0.0),
        ({"top_p": 0.5}, "top_p", 0.5),
        ({"top_k": 40}, "top_k", 40),
        ({"stop": "x"}, "stop", ("x",)),
        ({"stop": ["x", "y"]}, "stop", ("x", "y")),
        ({"stop": None}, "stop", ()),
        ({"seed": 7}, "seed", 7),
        ({"frequency_penalty": 0.5}, "frequency_penalty", 0.5),
        ({"presence_penalty": -0.5}, "presence_penalty", -0.5),
        ({"logprobs": True}, "logprobs", True),
        ({"top_logprobs": 3}, "top_logprobs", 3),
        ({"n": 2}, "n", 2),
        ({"modalities": ["text", "audio"]}, "modalities", ("text", "audio")),
        ({"service_tier": "flex"}, "service_tier", "flex"),
        ({"user": "u"}, "user", "u"),
        ({"safety_identifier": "u"}, "safety_identifier", "u"),
        ({"prompt_cache_key": "k"}, "prompt_cache_key", "k"),
        ({"store": True}, "store", True),
        ({"verbosity": "low"}, "verbosity", "low"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls", False),
        ({"reasoning_effort": "low"}, "thinking", Thinking(effort="low")),
        ({"reasoning_effort": "none"}, "thinking", Thinking(False, "none")),
        ({"reasoning": {"effort": "high"}}, "thinking", Thinking(effort="high")),
        (
            {"reasoning": {"max_tokens": 2000, "exclude": True}},
            "thinking",
            Thinking(budget=2000, visible=False),
        ),
        (
            {"reasoning": {"enabled": True, "summary": "auto"}},
            "thinking",
            Thinking(True, summary="auto"),
        ),
        ({"thinking": {"type": "disabled"}}, "thinking", Thinking(False)),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9}},
            "thinking",
            Thinking(True, budget=9),
        ),
        ({"enable_thinking": False}, "thinking", Thinking(False)),
        ({"thinking_budget": 100}, "thinking", Thinking(budget=100)),
        ({"include_reasoning": False}, "thinking", Thinking(visible=False)),
        ({"response_format": {"type": "text"}}, "format", Format("text")),
        ({"response_format": {"type": "json_object"}}, "format", Format("json")),
    ],
)
def test_members(members: dict[str, Any], field: str, value: object) -> None:
    """Each member, in OpenAI's words and in its imitators', is the field that means it."""
    found = asked(**members)
    assert getattr(found, field) == value
    assert found.extra == {}


@pytest.mark.parametrize("name", ["logit_bias", "audio", "prediction", "metadata"])
def test_members_that_are_only_carried(name: str) -> None:
    """What nobody here looks into keeps its bytes; null says nothing."""
    assert bytes(getattr(asked(**{name: {"a": 1.50}}), name)) == b'{"a":1.5}'
    assert getattr(asked(**{name: None}), name) is None


def test_a_schema() -> None:
    """Name, description, strictness and the schema's own bytes."""
    schema = {"type": "object"}
    given = {"name": "n", "description": "d", "schema": schema, "strict": True}
    found = asked(response_format={"type": "json_schema", "json_schema": given}).format
    assert found is not None
    assert (found.kind, found.name, found.strict, found.description) == ("schema", "n", True, "d")
    assert plain(found.schema) == schema


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"foo": 1}, ["foo"]),
        ({"foo": None}, []),
        ({"stream_options": {"include_usage": True, "x": 1}}, ["stream_options.x"]),
        ({"reasoning": {"effort": "low", "x": 1}}, ["reasoning.x"]),
        ({"thinking": {"type": "enabled", "clear_thinking": False}}, ["thinking.clear_thinking"]),
        ({"response_format": {"type": "grammar", "grammar": "g"}}, ["response_format"]),
        ({"web_search_options": {"x": 1}}, ["web_search_options.x"]),
    ],
)
def test_what_has_no_field_keeps_its_name(members: dict[str, Any], names: list[str]) -> None:
    """So that it can be said what a provider was not told."""
    assert list(asked(**members).extra) == names


@pytest.mark.parametrize(
    ("members", "field", "name"),
    [
        ({}, "max_tokens", None),
        ({"max_completion_tokens": 1}, "max_tokens", "max_completion_tokens"),
        ({"reasoning": {}}, "thinking", "reasoning"),
        ({"reasoning_effort": "low", "reasoning": {}}, "thinking", "reasoning_effort"),
        ({"functions": [{"name": "f"}]}, "tools", "functions"),
        ({}, "turns", "messages"),
        ({}, "format", "response_format"),
    ],
)
def test_names(members: dict[str, Any], field: str, name: str | None) -> None:
    """A field is called as its caller has called it."""
    assert asked(**members).names.get(field) == name


CACHE = {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"type": "text", "text": "t"}, Text("t")),
        (
            {"type": "image_url", "image_url": {"url": "https://x/a.png", "detail": "low"}},
            Media("image", url="https://x/a.png", detail="low"),
        ),
        ({"type": "image_url", "image_url": "http://x"}, Media("image", url="http://x")),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}},
            Media("image", "AAEC", media_type="image/png"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;x=1;base64,AA"}},
            Media("image", "AA", media_type="image/png"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}},
            Media("image", url="data:image/svg+xml,<svg/>"),
        ),
        ({"type": "video_url", "video_url": {"url": "http://v"}}, Media("video", url="http://v")),
        (
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}},
            Media("audio", "AA", media_type="audio/mpeg"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
            Media("audio", "AA", media_type="audio/wav"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "data:audio/ogg;base64,AA"}},
            Media("audio", "AA", media_type="audio/ogg"),
        ),
        (
            {"type": "input_audio", "input_audio": "https://x/a.mp3"},
            Media("audio", url="https://x/a.mp3"),
        ),
        (
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"},
            },
            Media("document", "AA", media_type="application/pdf", name="a.pdf"),
        ),
        ({"type": "file", "file": {"file_data": "AA"}}, Media("document", "AA")),
        (
            {"type": "file", "file": {"file_data": "https://x/a.pdf"}},
            Media("document", url="https://x/a.pdf"),
        ),
        (
            {"type": "file", "file": {"file_id": "file-1", "filename": "n"}},
            Media("document", file_id="file-1", name="n"),
        ),
        (
            {"type": "document_url", "document_url": "https://x/a.pdf", "document_name": "n"},
            Media("document", url="https://x/a.pdf", name="n"),
        ),
    ],
)
def test_parts(part: dict[str, Any], found: Part) -> None:
    """Each kind of content, in each of its forms; a mark for the cache stays on it."""
    assert parts(part) == (found,)
    (marked,) = parts({**part, "cache_control": CACHE})
    assert isinstance(marked, Text | Media)
    assert plain(marked.cache) == CACHE


def test_a_part_that_nobody_knows() -> None:
    """It is carried as it is; so is its type, to be named."""
    (found,) = parts({"type": "hologram", "x": 1})
    assert isinstance(found, Native)
    assert (found.dialect, found.kind) == ("openai_chat", "hologram")
    assert plain(found.raw) == {"type": "hologram", "x": 1}


def test_roles_and_names() -> None:
    """System and developer stand where they were put; names stay."""
    found = turns(
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u", "name": "ann"},
        {"role": "developer", "content": [{"type": "text", "text": "d"}]},
        {"role": "assistant", "content": "a", "refusal": "no", "prefix": True},
    )
    assert [turn.role for turn in found] == ["system", "user", "developer", "assistant"]
    assert found[1].name == "ann"
    assert found[3].parts == (Text("a"), Refusal("no"))
    assert list(found[3].extra) == ["prefix"]


def test_calls_and_results() -> None:
    """Calls of functions and of custom tools, with a signature if there is one; each result knows its
    call's kind."""
    calls = [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": '{"a":1}'},
            "extra_content": {"google": {"thought_signature": "sig"}},
        },
        {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "free"}},
        {"id": "c3", "function": {"name": "h", "arguments": {"b": 2}}},
    ]
    found = turns(
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "r1", "name": "f"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "r2"}]},
    )
    assert found[0].parts == (
        ToolCall("c1", "f", '{"a":1}', token="sig"),
        ToolCall("c2", "g", "free", custom=True),
        ToolCall("c3", "h", '{"b":2}'),
    )
    assert found[1] == Turn("tool", (ToolResult("c1", (Text("r1"),), "f"),))
    assert found[2] == Turn("tool", (ToolResult("c2", (Text("r2"),), custom=True),))


def test_the_form_before_tools() -> None:
    """Functions, their call and its result, which have no ids, become calls that have."""
    found = asked(
        messages=[
            HI,
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "r"},
        ],
        functions=[{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    (call,) = found.turns[1].parts
    assert isinstance(call, ToolCall)
    assert found.turns[2].parts == (ToolResult(call.id, (Text("r"),), "f"),)
    (tool,) = found.tools
    assert isinstance(tool, Function)
    assert (tool.name, tool.description) == ("f", "d")
    assert found.tool_choice == ToolChoice("tool", "f")


@pytest.mark.parametrize(
    ("members", "found"),
    [
        (
            {"reasoning_content": "t"},
            Reasoning("t", token="reasoning_content", origin="openai_chat"),
        ),
        ({"reasoning": "t"}, Reasoning("t", token="reasoning", origin="openai_chat")),
        (
            {"reasoning_content": "t", "reasoning": "u"},
            Reasoning("t", token="reasoning_content", origin="openai_chat"),
        ),
        (
            {
                "reasoning_content": "t",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "t", "signature": "anthropic::sig"}
                ],
            },
            Reasoning("t", token="sig", origin="anthropic"),
        ),
    ],
)
def test_thoughts(members: dict[str, Any], found: Reasoning) -> None:
    """Thoughts come first; where they stand twice, those with a token count."""
    (turn,) = turns({"role": "assistant", "content": "a", **members})
    assert turn.parts == (found, Text("a"))


def test_what_else_an_assistant_says() -> None:
    """A sound by its id; what a text rests on; the message's own mark for the cache."""
    citation = {
        "type": "url_citation",
        "url_citation": {"url": "u", "title": "t", "start_index": 1, "end_index": 2},
    }
    (spoken,) = turns({"role": "assistant", "audio": {"id": "audio_1"}})
    assert spoken.parts == (Media("audio", file_id="audio_1"),)
    (cited,) = turns({"role": "assistant", "content": "abc", "annotations": [citation]})
    (text,) = cited.parts
    assert isinstance(text, Text)
    (found,) = text.citations
    assert (found.url, found.title, found.start, found.end) == ("u", "t", 1, 2)
    (marked,) = turns({"role": "user", "content": "x", "cache_control": CACHE})
    assert isinstance(last := marked.parts[-1], Text)
    assert plain(last.cache) == CACHE


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ("any", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("tool", "f")),
        ({"type": "custom", "custom": {"name": "f"}}, ToolChoice("tool", "f", custom=True)),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [
                        {"type": "function", "function": {"name": "f"}},
                        {"type": "custom", "custom": {"name": "g"}},
                    ],
                },
            },
            ToolChoice("required", allowed=("f", "g")),
        ),
        (None, None),
    ],
)
def test_choices(given: object, found: ToolChoice | None) -> None:
    """Every form of `tool_choice`."""
    assert asked(tools=[FUNCTION], tool_choice=given).tool_choice == found


def test_tools() -> None:
    """Functions, also without a type; custom tools; a search; what only one provider runs."""
    found = asked(
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "parameters": {"type": "object"},
                    "strict": True,
                    "x": 1,
                },
                "cache_control": CACHE,
                "eager_input_streaming": True,
            },
            {"function": {"name": "g"}},
            {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
            {"type": "openrouter:web_search", "parameters": {}},
        ],
        web_search_options={
            "search_context_size": "low",
            "user_location": {"type": "approximate", "approximate": {"city": "Bern"}},
        },
    ).tools
    function, bare, custom, native, search = found
    assert isinstance(function, Function)
    assert (function.name, function.description, function.strict) == ("f", "d", True)
    assert (plain(function.parameters), plain(function.cache)) == ({"type": "object"}, CACHE)
    assert list(function.extra) == ["x", "eager_input_streaming"]
    assert bare == Function("g")
    assert isinstance(custom, Custom)
    assert (custom.name, plain(custom.format)) == ("c", {"type": "text"})
    assert isinstance(native, NativeTool)
    assert native.kind == "openrouter:web_search"
    assert isinstance(search, WebSearch)
    assert search.context_size == "low"
    assert plain(search.user_location) == {"type": "approximate", "city": "Bern"}


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"messages": "hi"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0]"),
        ({"messages": [HI, {"role": "robot", "content": "x"}]}, "messages[1].role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
        ),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].image_url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            "messages[0].content[0].file",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0].name"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]},
            "messages[0].tool_calls[0].function",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
            "messages[0].tool_calls[0].id",
        ),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"temperature": "warm"}, "temperature"),
        ({"stop": [1]}, "stop[0]"),
    ],
)
def test_mistakes_are_named(members: dict[str, Any], param: str) -> None:
    """What cannot be understood is refused, and the place is said."""
    with pytest.raises(InvalidRequest) as caught:
        asked(**members)
    assert caught.value.param == param
    assert f"`{param}`" in caught.value.message


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"model":"m","messages":["\xff"]}', b"[" * 9999]
)
def test_bodies_that_are_none(body: bytes) -> None:
    """Not JSON, not UTF-8, no object: the caller's mistake."""
    with pytest.raises(InvalidRequest):
        parse(body, "openai_chat")
