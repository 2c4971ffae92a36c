"""What a caller of the Messages API asks."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Raw

from providers.canonical.request import (
    ChatRequest,
    Format,
    Function,
    Media,
    Native,
    NativeTool,
    Part,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from schemas.errors import InvalidRequest
from tests.providers.dialects.anthropic.support import CLIENT, parsed, request, said

CACHE = {"type": "ephemeral"}
RAW_CACHE = Raw(b'{"type":"ephemeral"}')
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}


def raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))


def the_part(block: dict[str, Any], role: str = "user") -> Part:
    """The part that a block becomes."""
    (turn,) = said(block, role=role).turns
    (part,) = turn.parts
    return part


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a", "cache_control": CACHE}, Text("a", RAW_CACHE)),
        (
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "AA=="},
            },
            Media("image", data="AA==", media_type="image/png"),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
            Media("image", url="https://x.example/a.png"),
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            Media("image", file_id="file_1"),
        ),
        (
            {
                "type": "document",
                "source": PDF,
                "title": "T",
                "context": "c",
                "citations": {"enabled": True},
                "cache_control": CACHE,
            },
            Media(
                "document",
                data="JVBERi0x",
                media_type="application/pdf",
                name="T",
                cache=RAW_CACHE,
                extra={"context": Raw(b'"c"'), "citations": Raw(b'{"enabled":true}')},
            ),
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "t"},
            },
            Media("document", text="t", media_type="text/plain"),
        ),
    ],
)
def test_what_a_user_shows(block: dict[str, Any], part: Part) -> None:
    """Texts, images and documents keep their source, their name and what else is said of them."""
    assert the_part(block) == part


def test_documents_of_blocks() -> None:
    """A document of texts is one text to everybody else, a search result is a document; with a picture
    in it, it stays as it is."""
    texts = {"type": "content", "content": [{"type": "text", "text": t} for t in ("a", "b")]}
    found = the_part({"type": "document", "source": texts})
    assert found == Media("document", text="a\n\nb", extra={"source": raw(texts)})
    result = {"type": "search_result", "source": "https://x", "title": "T"}
    result["content"] = [{"type": "text", "text": "a"}]  # type: ignore[assignment]
    found = the_part(result)
    assert found == Media("document", text="a", name="T", extra={"search_result": raw(result)})
    pictured = {"type": "content", "content": [{"type": "image", "source": {}}]}
    block = {"type": "document", "source": pictured}
    assert the_part(block) == Native("anthropic", "document", raw(block))


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "thinking", "thinking": "t", "signature": "s"},
            Reasoning("t", token="s", origin="anthropic"),
        ),
        ({"type": "thinking", "thinking": "t", "signature": ""}, Reasoning("t")),
        (
            {"type": "redacted_thinking", "data": "d"},
            Reasoning(token="d", origin="anthropic", redacted=True),
        ),
        (
            {"type": "thinking", "thinking": "t", "signature": "openai_responses:rs_1:enc"},
            Reasoning("t", True, "enc", "openai_responses", "rs_1"),
        ),
        (
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            ToolCall("toolu_1", "f", '{"a":1}'),
        ),
        (
            {"type": "tool_use", "id": "b64_Zm46MQ", "name": "f", "input": {"INVALID_JSON": "{a"}},
            ToolCall("fn:1", "f", "{a"),
        ),
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            Native(
                "anthropic",
                "server_tool_use",
                raw({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
            ),
        ),
    ],
)
def test_what_the_assistant_said(block: dict[str, Any], part: Part) -> None:
    """Thoughts go back to their maker, ids and malformed arguments are those of before, and what only
    this dialect knows stays as it is."""
    assert the_part(block, "assistant") == part


def test_citations_stay_with_their_text() -> None:
    """A citation keeps its page and its own form."""
    given = {"type": "web_search_result_location", "url": "https://x", "title": "T"}
    part = the_part({"type": "text", "text": "a", "citations": [given]}, "assistant")
    assert isinstance(part, Text)
    (citation,) = part.citations
    assert (citation.url, citation.title, citation.raw) == ("https://x", "T", raw(given))


def test_results_of_tools_have_turns_of_their_own() -> None:
    """A message with results becomes a turn for each and one for the rest, results first."""
    image = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    chat = said(
        {"type": "tool_result", "tool_use_id": "a", "content": "1", "is_error": True},
        {"type": "text", "text": "go on"},
        {
            "type": "tool_result",
            "tool_use_id": "b",
            "content": [{"type": "text", "text": "2"}, image],
        },
        {"type": "tool_result", "tool_use_id": "c"},
    )
    assert chat.turns == (
        Turn("tool", (ToolResult("a", (Text("1"),), is_error=True),)),
        Turn("tool", (ToolResult("b", (Text("2"), Media("image", url="https://x"))),)),
        Turn("tool", (ToolResult("c", ()),)),
        Turn("user", (Text("go on"),)),
    )


def test_system_prompts() -> None:
    """Text or blocks in front, messages of role system in their place."""
    assert parsed(system="s").turns[0] == Turn("system", (Text("s"),))
    blocks = [{"type": "text", "text": "s", "cache_control": CACHE}]
    assert parsed(system=blocks).turns[0] == Turn("system", (Text("s", RAW_CACHE),))
    later = [{"role": "user", "content": "hi"}, {"role": "system", "content": "now in French"}]
    assert parsed(messages=later).turns[1] == Turn("system", (Text("now in French"),))


def test_a_token_comes_back_to_the_call_that_it_signs() -> None:
    """A call's token of another provider travels in a redacted thought before it."""
    carrier = {"type": "redacted_thinking", "data": "gemini:of-tool-call:tok"}
    use = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    (turn,) = said(carrier, use, role="assistant").turns
    assert turn.parts == (ToolCall("a", "f", "{}", token="tok"),)


def test_tools() -> None:
    """Functions with what else is said of them, the search of the web, and what only Anthropic has."""
    memory = {"type": "memory_20250818", "name": "memory"}
    chat = parsed(
        tools=[
            {
                "name": "f",
                "description": "d",
                "input_schema": {"type": "object"},
                "strict": True,
                "cache_control": CACHE,
                "defer_loading": True,
            },
            {
                "type": "web_search_20260209",
                "name": "web_search",
                "allowed_domains": ["a.example"],
                "max_uses": 2,
                "user_location": {"type": "approximate"},
                "allowed_callers": ["direct"],
            },
            memory,
        ]
    )
    function = Function(
        "f", "d", Raw(b'{"type":"object"}'), True, RAW_CACHE, {"defer_loading": Raw(b"true")}
    )
    search = WebSearch(("a.example",), max_uses=2, user_location=Raw(b'{"type":"approximate"}'))
    assert chat.tools == (function, search, NativeTool("anthropic", "memory_20250818", raw(memory)))
    assert chat.extra == {"tools.allowed_callers": Raw(b'["direct"]')}


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        (
            {"type": "any", "disable_parallel_tool_use": True},
            ToolChoice("required"),
            False,
        ),
        ({"type": "tool", "name": "f"}, ToolChoice("tool", "f"), None),
        ({"type": "none"}, ToolChoice("none"), None),
    ],
)
def test_tool_choice(choice: object, expected: ToolChoice, parallel: bool | None) -> None:
    """Each choice, and whether calls may be parallel."""
    chat = parsed(tools=[{"name": "f", "input_schema": {}}], tool_choice=choice)
    assert (chat.tool_choice, chat.parallel_tool_calls) == (expected, parallel)


@pytest.mark.parametrize(
    ("members", "thinking"),
    [
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            Thinking(enabled=True, budget=2000),
        ),
        (
            {
                "thinking": {"type": "adaptive", "display": "omitted"},
                "output_config": {"effort": "high"},
            },
            Thinking(enabled=True, adaptive=True, effort="high", visible=False),
        ),
        ({"thinking": {"type": "disabled"}}, Thinking(enabled=False)),
        ({"output_config": {"effort": "low"}}, Thinking(effort="low")),
    ],
)
def test_thinking(members: dict[str, Any], thinking: Thinking) -> None:
    """A budget, an effort, both switches."""
    assert parsed(members).thinking == thinking


def test_the_other_members() -> None:
    """Each has its field; what has none is kept under its name, so that it can be told."""
    chat = parsed(
        stream=True,
        stop_sequences=["\n\nHuman:"],
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        metadata={"user_id": "u"},
        service_tier="standard_only",
        container="c",
        context_management={"edits": []},
        output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}, "x": 1},
    )
    assert chat.stream
    assert (chat.temperature, chat.top_p, chat.top_k) == (0.5, 0.9, 5)
    assert chat.stop == ("\n\nHuman:",)
    assert (chat.user, chat.service_tier, chat.max_tokens) == ("u", "standard_only", 100)
    assert chat.format == Format("schema", schema=Raw(b'{"type":"object"}'), strict=True)
    assert chat.extra.keys() == {"container", "context_management", "output_config.x"}
    beta = parsed(output_format={"type": "json_schema", "schema": {}})
    assert beta.format == Format("schema", schema=Raw(b"{}"), strict=True)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": 1}}]}]},
            "messages[0].content[0].source.type",
        ),
        ({"system": [1]}, "system[0]"),
        ({"tools": [{"name": "f"}]}, "tools[0]"),
        ({"tool_choice": {"type": "most"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"temperature": "hot"}, "temperature"),
        ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
    ],
)
def test_a_mistake_is_named_by_its_place(members: dict[str, Any], param: str) -> None:
    """The error says which member of which block is wrong."""
    with pytest.raises(InvalidRequest) as caught:
        parsed(members)
    assert caught.value.param == param
    assert f"`{param}`" in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "text", "content", "source", "role", "input", "id", "name", "tools"),
                    *("messages", "system", "citations", "cache_control", "data", "thinking"),
                    *("tool_use_id", "model", "output_config", "format", "metadata", "signature"),
                ]
            ),
            inner
            | st.sampled_from(
                [
                    *("text", "image", "document", "tool_use", "tool_result", "thinking"),
                    *(
                        "redacted_thinking",
                        "search_result",
                        "assistant",
                        "user",
                        "base64",
                        "content",
                    ),
                ]
            ),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["user", "assistant", "system"]))
def test_no_content_breaks_the_parser(content: Any, role: str) -> None:
    """Whatever JSON stands in a message, it is read or refused."""
    for body in (
        {"messages": [{"role": role, "content": [content]}]},
        {"tools": [content]},
        content,
    ):
        usual = {"model": "m", "max_tokens": 1, "messages": []}
        data = {**usual, **body} if isinstance(body, dict) else body
        try:
            chat = CLIENT.parse(request(msgspec.json.encode(data)))
        except InvalidRequest:
            continue
        assert isinstance(chat, ChatRequest)


@given(st.binary(max_size=40), st.binary(max_size=10))
def test_no_bytes_break_the_parser(data: bytes, inside: bytes) -> None:
    """Nor do any bytes, as the body or in a text of it."""
    text = b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"%b"}]}]}'
    for body in (data, text % inside):
        try:
            CLIENT.parse(request(body))
        except InvalidRequest:
            continue


def test_nesting_without_end_is_refused() -> None:
    """A body nested too deeply is a mistake of the caller."""
    body = b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(InvalidRequest):
        CLIENT.parse(request(body))
