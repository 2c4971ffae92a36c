"""What a provider of chat completions is asked on behalf of other dialects' callers."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from providers.canonical.notes import Notes
from providers.canonical.request import (
    ChatRequest,
    Citation,
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
from providers.dialogue import UPSTREAMS
from schemas.errors import InvalidRequest
from tests.providers.pairs import chat, render, target

CACHE = Raw(b'{"type":"ephemeral"}')


def body(asked: ChatRequest, *, drop: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(render(asked, "openai_chat", drop=drop)[0])
    return found


def dropped(asked: ChatRequest) -> list[str]:
    return render(asked, "openai_chat", drop=True)[1]


def messages(*turns: Turn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(chat("anthropic", turns=turns))["messages"]
    return found


def message(*parts: Part, role: Any = "user", **members: Any) -> dict[str, Any]:
    (found,) = messages(Turn(role, parts, **members))
    return found


def test_a_greeting() -> None:
    """Nothing is sent that was not said."""
    assert body(chat("anthropic")) == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hi"}],
    }


@pytest.mark.parametrize(
    ("field", "value", "sent"),
    [
        ("max_tokens", 5, {"max_tokens": 5}),
        ("temperature", 0.0, {"temperature": 0.0}),
        ("stop", ("a",), {"stop": ["a"]}),
        ("n", 2, {"n": 2}),
        ("modalities", ("text",), {}),
        ("modalities", ("text", "audio"), {"modalities": ["text", "audio"]}),
        ("user", "u", {"user": "u"}),
        ("verbosity", "low", {"verbosity": "low"}),
        ("service_tier", "standard_only", {"service_tier": "default"}),
        ("service_tier", "priority", {"service_tier": "priority"}),
        ("logit_bias", Raw(b'{"5":1}'), {"logit_bias": {"5": 1}}),
        ("thinking", Thinking(effort="high"), {"reasoning_effort": "high"}),
        ("thinking", Thinking(False), {"reasoning_effort": "none"}),
        ("thinking", Thinking(True), {}),
        ("thinking", Thinking(True, budget=9000), {"reasoning_effort": "medium"}),
        ("thinking", Thinking(True, budget=0), {"reasoning_effort": "none"}),
        ("thinking", Thinking(True, budget=-1), {}),
        ("thinking", Thinking(True, budget=99, adaptive=True), {}),
        ("format", Format("text"), {"response_format": {"type": "text"}}),
        ("format", Format("json"), {"response_format": {"type": "json_object"}}),
        (
            "format",
            Format("schema", schema=Raw(b"{}"), strict=True),
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {}, "strict": True},
                }
            },
        ),
        ("tool_choice", ToolChoice("auto"), {}),
        ("parallel_tool_calls", False, {}),
        ("stream", True, {"stream": True, "stream_options": {"include_usage": True}}),
    ],
)
def test_members(field: str, value: object, sent: dict[str, Any]) -> None:
    """Each field is the member that means it; what needs tools is not sent without any."""
    found = body(chat("anthropic", **{field: value}))
    assert {name: found[name] for name in found.keys() - {"model", "messages"}} == sent
    assert dropped(chat("anthropic", **{field: value})) == []


def test_a_vendor_without_counts_in_streams() -> None:
    """It is not asked for them."""
    place = target("openai_chat")
    route = replace(place.endpoint.routes["openai_chat"], stream_usage=False)
    place = replace(place, endpoint=replace(place.endpoint, routes={"openai_chat": route}))
    members = UPSTREAMS["openai_chat"].render(chat(stream=True), place, Notes("x", {}))
    assert "stream_options" not in members


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"top_k": 5}, ["top_k"]),
        ({"metadata": Raw(b'{"a":"b"}')}, ["metadata"]),
        ({"metadata": Raw(b"{}")}, []),
        ({"thinking": Thinking(summary="auto")}, ["thinking.summary"]),
        ({"service_tier": "batch"}, ["service_tier"]),
        ({"extra": {"container": Raw(b"1")}}, ["container"]),
        ({"extra": {"container": Raw(b"1")}, "names": {"container": "c"}}, ["c"]),
        (
            {"tools": (Function("f", cache=CACHE, extra={"x": Raw(b"1")}),)},
            ["cache_control", "tools.x"],
        ),
        ({"tools": (WebSearch(max_uses=3),)}, ["tools.max_uses"]),
        (
            {"turns": (Turn("user", (Text("x", CACHE),), extra={"y": Raw(b"1")}),)},
            ["messages.y", "cache_control"],
        ),
        (
            {"turns": (Turn("assistant", (Text("x", citations=(Citation("u"),)),)),)},
            ["citations"],
        ),
        (
            {"turns": (Turn("assistant", (Reasoning("t", token="s", origin="gemini"),)),)},
            ["reasoning"],
        ),
        ({"turns": (Turn("assistant", (Reasoning("t"),)),)}, ["reasoning"]),
        (
            {"turns": (Turn("assistant", (Native("anthropic", "server_tool_use", CACHE),)),)},
            ["messages.server_tool_use"],
        ),
        (
            {"turns": (Turn("assistant", (ToolCall("c", "f", "{}", token="s"),)),)},
            ["thought_signature"],
        ),
        (
            {"turns": (Turn("tool", (ToolResult("c", (Text("no"),), is_error=True),)),)},
            ["is_error"],
        ),
        (
            {"turns": (Turn("user", (Media("image", url="u", extra={"z": CACHE}),)),)},
            ["messages.z"],
        ),
    ],
)
def test_what_is_left_out_is_named(members: dict[str, Any], names: list[str]) -> None:
    """Without these the answer means the same; each is named as its caller calls it."""
    assert render(chat("anthropic", **members), "openai_chat")[1] == names


@pytest.mark.parametrize(
    "members",
    [
        {"tools": (NativeTool("anthropic", "bash_20250124", CACHE),)},
        {"tools": (WebSearch(allowed_domains=("x",)),)},
        {"tools": (WebSearch(blocked_domains=("x",)),)},
        {"turns": (Turn("user", (Media("image", file_id="f"),)),)},
        {"turns": (Turn("user", (Media("audio", url="u"),)),)},
        {"turns": (Turn("user", (Media("document", url="u"),)),)},
        {"turns": (Turn("user", (Native("gemini", "executableCode", CACHE),)),)},
        {"turns": (Turn("system", (Media("image", url="u"),)),)},
        {"turns": (Turn("assistant", (Media("image", data="AA"),)),)},
    ],
)
def test_what_changes_the_meaning_is_refused(members: dict[str, Any]) -> None:
    """A 400 names the field; with leave to drop it goes out without, and is named."""
    asked = chat("anthropic", **members)
    with pytest.raises(InvalidRequest) as caught:
        render(asked, "openai_chat")
    assert caught.value.param is not None
    assert dropped(asked) == [caught.value.param]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (Text("t"), "t"),
        (Refusal("no"), "no"),
        (
            Media("image", "AA", media_type="image/gif", detail="low"),
            [
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/gif;base64,AA", "detail": "low"},
                }
            ],
        ),
        (Media("image", url="u"), [{"type": "image_url", "image_url": {"url": "u"}}]),
        (
            Media("audio", "AA", media_type="audio/mpeg"),
            [{"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}}],
        ),
        (
            Media("audio", "AA", media_type="audio/x-wav"),
            [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}],
        ),
        (Media("video", url="u"), [{"type": "video_url", "video_url": {"url": "u"}}]),
        (
            Media("document", "AA", media_type="application/pdf", name="a.pdf"),
            [
                {
                    "type": "file",
                    "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
                }
            ],
        ),
        (Media("document", file_id="f"), [{"type": "file", "file": {"file_id": "f"}}]),
        (Media("document", text="words", name="a.txt"), "a.txt:\n\nwords"),
        (Media("document", "aGk=", media_type="text/plain"), "hi"),
        (
            Media("document", "/w==", media_type="text/plain"),
            [
                {
                    "type": "file",
                    "file": {
                        "filename": "document.pdf",
                        "file_data": "data:text/plain;base64,/w==",
                    },
                }
            ],
        ),
    ],
)
def test_parts(part: Part, sent: object) -> None:
    """Each kind of content; one text alone is a string."""
    assert message(part) == {"role": "user", "content": sent}


def test_roles() -> None:
    """A developer is told as the system, which all providers know; names stay."""
    found = messages(
        Turn("developer", (Text("d"),)),
        Turn("user", (Text("a"), Text("b")), name="ann"),
        Turn("user", ()),
    )
    assert found == [
        {"role": "system", "content": "d"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "name": "ann",
        },
        {"role": "user", "content": ""},
    ]


def test_an_assistants_message() -> None:
    """Its texts are one, its calls and its refusal stand beside; only calls have no content."""
    call = ToolCall("c1", "f", "{}")
    assert message(Text("a"), call, Text("b"), Refusal("no"), role="assistant") == {
        "role": "assistant",
        "content": "ab",
        "refusal": "no",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    }
    custom = ToolCall("c2", "g", "free", custom=True)
    assert message(custom, role="assistant") == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c2", "type": "custom", "custom": {"name": "g", "input": "free"}}],
    }
    assert message(role="assistant") == {"role": "assistant", "content": ""}
    assert message(Media("audio", file_id="a"), role="assistant") == {
        "role": "assistant",
        "content": None,
        "audio": {"id": "a"},
    }


def test_what_is_seen_in_results_follows_them() -> None:
    """A tool's message holds text: pictures come after the results of all calls, and say of which."""
    picture = Media("image", "AA", media_type="image/png")
    found = messages(
        Turn("assistant", (ToolCall("c1", "f", "{}"), ToolCall("c2", "f", "{}"))),
        Turn("tool", (ToolResult("c1", (Text("see"), picture)),)),
        Turn("tool", (ToolResult("c2", (picture,)),)),
        Turn("user", (Text("well?"),)),
    )
    assert [each["role"] for each in found] == ["assistant", "tool", "tool", "user", "user"]
    assert (found[1]["tool_call_id"], found[1]["content"]) == ("c1", "see")
    assert found[2]["content"]
    assert [each["type"] for each in found[3]["content"]] == ["text", "image_url"] * 2
    assert "c1" in found[3]["content"][0]["text"]
    assert "c2" in found[3]["content"][2]["text"]


def test_results() -> None:
    """One text is a string, several are parts, none is empty."""
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    for parts, sent in (((), ""), ((Text("a"),), "a"), ((Text("a"), Text("b")), texts)):
        found = message(ToolResult("c", parts), role="tool")
        assert found == {"role": "tool", "tool_call_id": "c", "content": sent}


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (
            Reasoning("t", token="reasoning_content", origin="openai_chat"),
            {"content": "a", "reasoning_content": "t"},
        ),
        (
            Reasoning("t", token="reasoning", origin="openai_chat"),
            {"content": "a", "reasoning": "t"},
        ),
        (
            Reasoning("t", token="thinking", origin="openai_chat"),
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]},
                    {"type": "text", "text": "a"},
                ]
            },
        ),
        (
            Reasoning(
                "t",
                token='{"type":"reasoning.text","signature":"s","index":0}',
                origin="openai_chat",
            ),
            {
                "content": "a",
                "reasoning_details": [
                    {"type": "reasoning.text", "signature": "s", "index": 0, "text": "t"}
                ],
            },
        ),
        (Reasoning("t", token="{", origin="openai_chat"), {"content": "a"}),
    ],
)
def test_thoughts_stand_where_they_stood(part: Reasoning, sent: dict[str, Any]) -> None:
    """A provider's own thoughts go back in the form in which it sent them; what is none of its making
    stays away."""
    assert message(part, Text("a"), role="assistant") == {"role": "assistant", **sent}


def test_signatures_go_to_who_wants_them() -> None:
    """Google's models want theirs back, also here; others would refuse the member."""
    turns = (Turn("assistant", (ToolCall("c", "f", "{}", token="sig"),)),)
    place = replace(target("openai_chat"), model="models/gemini-3-pro")
    members = UPSTREAMS["openai_chat"].render(chat(turns=turns), place, Notes("x", {}))
    (call,) = msgspec.json.decode(members["messages"])[0]["tool_calls"]
    assert call["extra_content"] == {"google": {"thought_signature": "sig"}}
    assert "extra_content" not in messages(*turns)[0]["tool_calls"][0]


def test_tools() -> None:
    """Functions, custom tools in this dialect's form, a search, and what came from it."""
    grammar = b'{"type":"grammar","syntax":"lark","definition":"d"}'
    native = Raw(b'{"type":"openrouter:web_search"}')
    found = body(
        chat(
            "openai_responses",
            tools=(
                Function("f", "d", Raw(b'{"type":"object"}'), True),
                Custom("c", "e", Raw(grammar)),
                Custom("t", format=Raw(b'{"type":"text"}')),
                NativeTool("openai_chat", "openrouter:web_search", native),
                WebSearch(
                    context_size="low",
                    user_location=Raw(b'{"type":"approximate","city":"Bern"}'),
                ),
            ),
            tool_choice=ToolChoice("auto", allowed=("f", "c")),
            parallel_tool_calls=False,
        )
    )
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
    nested = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "d"}}
    assert found["tools"] == [
        {"type": "function", "function": function},
        {"type": "custom", "custom": {"name": "c", "description": "e", "format": nested}},
        {"type": "custom", "custom": {"name": "t", "format": {"type": "text"}}},
        {"type": "openrouter:web_search"},
    ]
    assert found["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Bern"}},
    }
    assert found["tool_choice"] == {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "auto",
            "tools": [
                {"type": "function", "function": {"name": "f"}},
                {"type": "custom", "custom": {"name": "c"}},
            ],
        },
    }
    assert found["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ToolChoice("required"), "required"),
        (ToolChoice("none"), "none"),
        (ToolChoice("tool"), "required"),
        (ToolChoice("tool", "f"), {"type": "function", "function": {"name": "f"}}),
        (ToolChoice("tool", "f", custom=True), {"type": "custom", "custom": {"name": "f"}}),
    ],
)
def test_choices(choice: ToolChoice, sent: object) -> None:
    """Every choice has its form."""
    assert body(chat(tools=(Function("f"),), tool_choice=choice))["tool_choice"] == sent
