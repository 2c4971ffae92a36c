"""A request as a provider of the Messages API gets it."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from providers.canonical.request import (
    ChatRequest,
    Citation,
    Custom,
    Format,
    Function,
    Media,
    Native,
    NativeTool,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from schemas.errors import InvalidRequest
from tests.providers.dialects.anthropic.support import UPSTREAM, rendered

OLD, SIXTH, NEW, LAST = "claude-sonnet-4-0", "claude-opus-4-6", "claude-opus-4-8", "claude-opus-5-5"
HI = Turn("user", (Text("hi"),))
CACHE = Raw(b'{"type":"ephemeral"}')
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}')
FUNCTION = Function("f", parameters=Raw(b'{"type":"object"}'))


def chat(*turns: Turn, **members: Any) -> ChatRequest:
    return ChatRequest(dialect="openai_chat", model="m", turns=turns or (HI,), **members)


def messages(*turns: Turn, model: str = OLD) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rendered(chat(*turns), model)[0]["messages"]
    return found


def content(*parts: Any, role: Any = "user") -> Any:
    """The content of a message of these parts."""
    return messages(Turn(role, parts))[-1]["content"]


def test_the_least_request() -> None:
    """A model, a limit and messages; the limit is the endpoint's if the caller gave none."""
    body, dropped = rendered(chat())
    assert body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert dropped == ()
    assert rendered(chat(max_tokens=7, stream=True))[0]["max_tokens"] == 7
    assert rendered(chat(stream=True))[0]["stream"] is True


def test_system_turns_in_front() -> None:
    """They become `system`: a text, or blocks if there are several or one is cached."""
    one = Turn("system", (Text("a"),))
    two = Turn("developer", (Text("b", CACHE),))
    assert rendered(chat(one, HI))[0]["system"] == "a"
    assert rendered(chat(one, two, HI))[0]["system"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
    ]


def test_system_turns_behind() -> None:
    """Where the model knows them and the API takes them, else in tags in the user's place."""
    later = Turn("system", (Text("now in French"),))
    assert messages(HI, later, model=NEW)[1] == {"role": "system", "content": "now in French"}
    tagged = {"role": "user", "content": "<system>\nnow in French\n</system>"}
    assert messages(HI, later, model=OLD)[1] == tagged
    assert messages(HI, later, HI, model=NEW)[1] == tagged  # a user may not follow
    answer = Turn("assistant", (Text("a"),))
    assert messages(HI, answer, later, model=NEW)[2] == tagged  # nor an assistant stand before
    twice = messages(HI, later, later, model=NEW)
    assert [len(message["content"]) for message in twice] == [2, 2]


def test_results_of_tools_share_a_message() -> None:
    """Calls of one turn are answered in one message, and what the user says then stands behind it."""
    turns = messages(
        HI,
        Turn("assistant", (Text("a"),)),
        Turn("assistant", (ToolCall("x.1", "f", '{"a":1}', cache=CACHE), ToolCall("2", "f", "{"))),
        Turn("tool", (ToolResult("x.1", (Text("one"),), is_error=True, cache=CACHE),)),
        Turn("tool", (ToolResult("2", (Text("a"), Media("image", url="https://x"))),)),
        HI,
    )
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "user"]
    text, first, second = turns[1]["content"]
    assert text == {"type": "text", "text": "a"}
    assert first == {
        "type": "tool_use",
        "id": "b64_eC4x",
        "name": "f",
        "input": {"a": 1},
        "cache_control": {"type": "ephemeral"},
    }
    assert second["input"] == {"INVALID_JSON": "{"}
    one, two = turns[2]["content"]
    assert one == {
        "type": "tool_result",
        "tool_use_id": "b64_eC4x",
        "content": "one",
        "is_error": True,
        "cache_control": {"type": "ephemeral"},
    }
    assert [block["type"] for block in two["content"]] == ["text", "image"]


@pytest.mark.parametrize(
    ("media", "source"),
    [
        (
            Media("image", data="iVBORw0K", media_type="image/png"),
            {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"},
        ),
        (
            Media("image", data="/9j/4AAQ"),
            {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"},
        ),
        (Media("image", url="https://x"), {"type": "url", "url": "https://x"}),
        (Media("image", file_id="file_01"), {"type": "file", "file_id": "file_01"}),
        (
            Media("document", data="JVBERi0x", media_type="application/pdf"),
            {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"},
        ),
        (
            Media("document", data="YSxi", media_type="text/csv"),
            {"type": "text", "media_type": "text/plain", "data": "a,b"},
        ),
        (
            Media("document", text="t"),
            {"type": "text", "media_type": "text/plain", "data": "t"},
        ),
    ],
)
def test_images_and_documents(media: Media, source: dict[str, Any]) -> None:
    """By data, URL, file or text."""
    (block,) = content(media)
    assert block == {"type": media.kind, "source": source}


def test_what_is_said_of_a_document() -> None:
    """Its name, its cache mark, its context and whether it may be cited; a search result is itself."""
    extra = {"citations": Raw(b'{"enabled":true}'), "filename": Raw(b'"x"')}
    (block,) = content(Media("document", text="t", name="T", cache=CACHE, extra=extra))
    assert block["title"] == "T"
    assert block["citations"] == {"enabled": True}
    assert block["cache_control"] == {"type": "ephemeral"}
    assert "filename" not in block
    result = Raw(b'{"type":"search_result"}')
    assert content(Media("document", text="t", extra={"search_result": result})) == [
        {"type": "search_result"}
    ]


@pytest.mark.parametrize(
    "part",
    [
        Media("audio", data="AA=="),
        Media("video", url="https://x"),
        Media("image", data="AA==", media_type="image/tiff"),
        Media("image", file_id="file-openai"),
        Media("document", data="AA==", media_type="application/zip"),
        Media("document", data="/w==", media_type="text/plain"),
        Native("gemini", "executableCode", Raw(b"{}")),
    ],
)
def test_what_the_user_showed_is_not_left_out(part: Any) -> None:
    """What its models cannot see is refused, unless the caller lets it be dropped."""
    with pytest.raises(InvalidRequest) as caught:
        rendered(chat(Turn("user", (Text("a"), part))))
    assert caught.value.param == "turns"
    body, dropped = rendered(chat(Turn("user", (Text("a"), part))), drop=True)
    assert body["messages"] == [{"role": "user", "content": "a"}]
    assert dropped == ("turns",)


def test_thoughts_go_back_to_their_maker() -> None:
    """With their signature, in front of the calls; those of others, and unsigned ones, are left out."""
    turn = Turn(
        "assistant",
        (
            Reasoning("t", token="s", origin="anthropic"),
            Reasoning(token="d", origin="anthropic", redacted=True),
            Reasoning("other", token="x", origin="gemini"),
            Reasoning("unsigned"),
            ToolCall("a", "f", "{}"),
        ),
    )
    body, dropped = rendered(chat(HI, turn, Turn("tool", (ToolResult("a", ()),))))
    assert body["messages"][1]["content"][:2] == [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
    ]
    assert len(body["messages"][1]["content"]) == 3
    assert dropped == ("reasoning",)


def test_other_parts_of_the_history() -> None:
    """Refusals are text, own natives stay, a foreign server's call is left out; texts without a letter
    say nothing, and an answer's beginning ends without a space."""
    server = Native("anthropic", "server_tool_use", Raw(b'{"type":"server_tool_use"}'))
    foreign = Native("openai_responses", "web_search_call", Raw(b"{}"))
    cited = Text("c", citations=(Citation(raw=Raw(b'{"x":1}'), dialect="anthropic"), Citation()))
    parts = (Refusal("no"), server, foreign, Text(" \n"), cited, Text("so: "))
    turn = Turn("assistant", parts, name="bob")
    body, dropped = rendered(chat(HI, turn))
    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "no"},
        {"type": "server_tool_use"},
        {"type": "text", "text": "c", "citations": [{"x": 1}]},
        {"type": "text", "text": "so:"},
    ]
    assert dropped == ("name", "web_search_call", "citations")


def tools(*given: Tool, model: str = "claude-sonnet-4-5", **members: Any) -> dict[str, Any]:
    return rendered(chat(tools=given, **members), model)[0]


def test_functions() -> None:
    """With schema, strictness, cache mark, and of what else is said that which the API knows."""
    extra = {"defer_loading": Raw(b"true"), "other": Raw(b"1")}
    function = Function("f", "d", SCHEMA, True, CACHE, extra)
    body, dropped = rendered(chat(tools=(function,)))
    assert body["tools"] == [
        {
            "name": "f",
            "description": "d",
            "input_schema": msgspec.json.decode(SCHEMA),
            "strict": True,
            "cache_control": {"type": "ephemeral"},
            "defer_loading": True,
        }
    ]
    assert dropped == ("tools.other",)
    assert rendered(chat(tools=(function,)), OLD)[1] == ("tools.strict", "tools.other")
    (bare,) = tools(Function("g"))["tools"]
    assert bare == {"name": "g", "input_schema": {"type": "object", "properties": {}}}


def test_names_that_the_api_refuses() -> None:
    """They are sent in its letters, in tools, choice and history alike."""
    call = Turn("assistant", (ToolCall("1", "a.b", "{}"),))
    body = rendered(
        chat(HI, call, tools=(Function("a.b"),), tool_choice=ToolChoice("tool", "a.b"))
    )[0]
    assert body["tools"][0]["name"] == "a_b"
    assert body["tool_choice"] == {"type": "tool", "name": "a_b"}
    assert body["messages"][1]["content"][0]["name"] == "a_b"


def test_tools_of_free_text() -> None:
    """A function with one text; a grammar can only be described."""
    grammar = Raw(b'{"type":"grammar","syntax":"lark","definition":"start: X"}')
    call = Turn("assistant", (ToolCall("1", "run", 'print("a")', custom=True),))
    body, dropped = rendered(chat(HI, call, tools=(Custom("run", "Runs.", grammar),)))
    (tool,) = body["tools"]
    assert tool["input_schema"]["required"] == ["input"]
    assert "start: X" in tool["description"]
    assert body["messages"][1]["content"][0]["input"] == {"input": 'print("a")'}
    assert dropped == ("tools.format",)


def test_search_and_other_tools() -> None:
    """The web search has its own form; native tools are sent where they belong only."""
    search = WebSearch(("a",), ("b",), 3, "high", Raw(b'{"type":"approximate"}'))
    body, dropped = rendered(chat(tools=(search,)))
    assert body["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "allowed_domains": ["a"],
            "blocked_domains": ["b"],
            "max_uses": 3,
            "user_location": {"type": "approximate"},
        }
    ]
    assert dropped == ("search_context_size",)
    assert tools(NativeTool("anthropic", "x", Raw(b'{"type":"x"}')))["tools"] == [{"type": "x"}]
    with pytest.raises(InvalidRequest):
        tools(NativeTool("gemini", "x", Raw(b"{}")))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"tool_choice": ToolChoice("auto")}, {"type": "auto"}),
        ({"tool_choice": ToolChoice("required")}, {"type": "any"}),
        ({"tool_choice": ToolChoice("none")}, {"type": "none"}),
        ({"tool_choice": ToolChoice("tool", "f")}, {"type": "tool", "name": "f"}),
        (
            {"parallel_tool_calls": False},
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
        (
            {"tool_choice": ToolChoice("none"), "parallel_tool_calls": False},
            {"type": "none"},
        ),
        ({}, None),
    ],
)
def test_tool_choice(members: dict[str, Any], expected: object) -> None:
    """Each choice has its word; `none` keeps the tools."""
    body = tools(FUNCTION, **members)
    assert body.get("tool_choice") == expected
    assert len(body["tools"]) == 1


def test_a_choice_of_some_tools() -> None:
    """The others are left out."""
    body = tools(FUNCTION, Function("g"), tool_choice=ToolChoice("required", allowed=("g",)))
    assert [tool["name"] for tool in body["tools"]] == ["g"]
    assert body["tool_choice"] == {"type": "any"}


def test_a_conversation_with_calls_defines_tools() -> None:
    """If the caller gives none any more, those of before are there and may not be called."""
    call = Turn("assistant", (ToolCall("1", "f", "{}"),))
    body = rendered(chat(HI, call, Turn("tool", (ToolResult("1", ()),))))[0]
    assert [tool["name"] for tool in body["tools"]] == ["f"]
    assert body["tool_choice"] == {"type": "none"}


def test_a_model_that_cannot_be_forced() -> None:
    """A choice that forces a call is refused there, unless it may be dropped."""
    forced = chat(tools=(FUNCTION,), tool_choice=ToolChoice("required"))
    with pytest.raises(InvalidRequest) as caught:
        rendered(forced, LAST)
    assert caught.value.param == "tool_choice"
    body, dropped = rendered(forced, LAST, drop=True)
    assert "tool_choice" not in body
    assert dropped == ("tool_choice",)


@pytest.mark.parametrize(
    ("thinking", "model", "limit", "expected", "effort", "max_tokens"),
    [
        (Thinking(effort="high"), OLD, None, 16384, None, 4096 + 16384),
        (Thinking(effort="max"), OLD, None, 32000 - 4096, None, 32000),
        (Thinking(effort="high"), OLD, 8000, 6000, None, 8000),
        (Thinking(effort="low"), OLD, 1000, 1024, None, 2024),
        (Thinking(budget=5000), OLD, 4000, 5000, None, 9000),
        (Thinking(budget=100), OLD, 4000, 1024, None, 4000),
        (Thinking(enabled=True), OLD, None, 8192, None, 4096 + 8192),
        (Thinking(budget=5000), SIXTH, 9000, 5000, None, 9000),
        (Thinking(effort="high"), SIXTH, 8000, "adaptive", "high", 8000),
        (Thinking(effort="high"), NEW, None, "adaptive", "high", 4096 + 16384),
        (Thinking(effort="xhigh"), SIXTH, 8000, "adaptive", "high", 8000),
        (Thinking(effort="xhigh"), NEW, 8000, "adaptive", "xhigh", 8000),
        (Thinking(effort="minimal"), NEW, 8000, "adaptive", "low", 8000),
        (Thinking(budget=5000), NEW, 8000, "adaptive", "low", 8000),
        (Thinking(budget=-1), NEW, 8000, "adaptive", None, 8000),
        (Thinking(enabled=True, adaptive=True), NEW, 8000, "adaptive", None, 8000),
        (Thinking(effort="none"), NEW, 8000, "disabled", None, 8000),
        (Thinking(budget=0), OLD, 8000, "disabled", None, 8000),
        (Thinking(enabled=False), "claude-sonnet-5-5", 8000, "between_tools", None, 8000),
        (Thinking(enabled=False), LAST, 8000, None, "low", 8000),
        (Thinking(effort="high"), "claude-3-5-sonnet-latest", 8000, None, None, 8000),
    ],
)
def test_thinking(
    thinking: Thinking,
    model: str,
    limit: int | None,
    expected: object,
    effort: str | None,
    max_tokens: int,
) -> None:
    """Each model is told in the way that it takes, and the limit leaves room for an answer."""
    body = rendered(chat(thinking=thinking, max_tokens=limit), model)[0]
    said = body.get("thinking", {})
    assert (said.get("budget_tokens") or said.get("type")) == expected
    assert body.get("output_config", {}).get("effort") == effort
    assert body["max_tokens"] == max_tokens


def test_thoughts_to_be_seen() -> None:
    """Models that hide them by default are asked to show them, or the other way round."""
    shown = chat(thinking=Thinking(effort="low", summary="auto"))
    assert rendered(shown, NEW)[0]["thinking"]["display"] == "summarized"
    hidden = chat(thinking=Thinking(effort="low", visible=False))
    assert rendered(hidden, NEW)[0]["thinking"]["display"] == "omitted"
    assert rendered(hidden, OLD)[0]["thinking"]["display"] == "omitted"
    assert "display" not in rendered(shown, OLD)[0]["thinking"]


def test_thinking_within_a_budget_that_cannot_be() -> None:
    """A model that must call a tool, or whose thoughts of the last call are lost, does not think."""
    think = Thinking(effort="high")
    forced = chat(tools=(FUNCTION,), tool_choice=ToolChoice("required"), thinking=think)
    body, dropped = rendered(forced, OLD)
    assert "thinking" not in body
    assert dropped == ("thinking",)
    assert rendered(forced, SIXTH)[0]["thinking"] == {"type": "adaptive"}
    call = ToolCall("1", "f", "{}")
    result = Turn("tool", (ToolResult("1", ()),))
    lost = chat(HI, Turn("assistant", (call,)), result, tools=(FUNCTION,), thinking=think)
    assert rendered(lost, OLD)[1] == ("thinking",)
    thought = Reasoning("t", token="s", origin="anthropic")
    kept = replace(lost, turns=(HI, Turn("assistant", (thought, call)), result))
    assert rendered(kept, OLD)[0]["thinking"]["type"] == "enabled"


@pytest.mark.parametrize(
    ("model", "members", "expected", "dropped"),
    [
        (
            OLD,
            {"temperature": 0.5, "top_p": 0.9, "top_k": 5},
            {"temperature", "top_p", "top_k"},
            (),
        ),
        (OLD, {"temperature": 1.5}, {"temperature"}, ("temperature",)),
        ("claude-sonnet-4-5", {"temperature": 0.5, "top_p": 0.9}, {"temperature"}, ("top_p",)),
        (NEW, {"temperature": 1.0, "top_p": 1.0}, set(), ()),
        (NEW, {"temperature": 0.0, "top_k": 5}, set(), ("temperature", "top_k")),
        (
            OLD,
            {"temperature": 0.5, "top_p": 0.9, "thinking": Thinking(effort="low")},
            set(),
            ("temperature", "top_p"),
        ),
        (OLD, {"top_p": 0.97, "thinking": Thinking(effort="low")}, {"top_p"}, ()),
    ],
)
def test_sampling(
    model: str, members: dict[str, Any], expected: set[str], dropped: tuple[str, ...]
) -> None:
    """What the model takes is sent, and the rest is named."""
    body, left_out = rendered(chat(**members), model)
    assert body.keys() & {"temperature", "top_p", "top_k"} == expected
    assert left_out == dropped
    assert body.get("temperature", 0) <= 1


def test_the_other_members() -> None:
    """Stop, user and tier have their words."""
    body, dropped = rendered(
        chat(stop=("a", "b"), user="u", safety_identifier="s", service_tier="default")
    )
    assert body["stop_sequences"] == ["a", "b"]
    assert body["metadata"] == {"user_id": "s"}
    assert body["service_tier"] == "standard_only"
    assert dropped == ("user",)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"seed": 1}, "seed"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"prediction": Raw(b'{"type":"content"}')}, "prediction"),
        ({"verbosity": "low"}, "verbosity"),
        ({"prompt_cache_key": "k"}, "prompt_cache_key"),
        ({"metadata": Raw(b'{"a":"b"}')}, "metadata"),
        ({"store": True}, "store"),
        ({"audio": Raw(b'{"voice":"x"}')}, "audio"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"extra": {"web_search_options": Raw(b"{}")}}, "web_search_options"),
    ],
)
def test_left_out_and_told(members: dict[str, Any], field: str) -> None:
    """What only nudges words or labels the request is left out, by the caller's name."""
    names = {field: f"the {field}"}
    assert rendered(chat(names=names, **members))[1] == (f"the {field}",)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logit_bias": Raw(b'{"1":-100}')}, "logit_bias"),
        ({"modalities": ("text", "audio")}, "modalities"),
        ({"stop": ("\n",)}, "stop"),
    ],
)
def test_refused(members: dict[str, Any], field: str) -> None:
    """What the caller would miss in the answer is a mistake, unless it may be dropped."""
    with pytest.raises(InvalidRequest) as caught:
        rendered(chat(**members))
    assert caught.value.param == field
    assert rendered(chat(**members), drop=True)[1] == (field,)


@pytest.mark.parametrize(
    "members",
    [
        {"n": 1, "logprobs": False, "logit_bias": Raw(b"{}"), "frequency_penalty": 0.0},
        {"top_logprobs": 0, "modalities": ("text",), "store": False, "temperature": 1.0},
    ],
)
def test_what_says_nothing_is_not_told(members: dict[str, Any]) -> None:
    """A value that means the default is no loss."""
    assert rendered(chat(**members))[1] == ()


def test_structured_output() -> None:
    """A schema is the API's business where the model knows them."""
    body = rendered(chat(format=Format("schema", "n", SCHEMA, True)))[0]
    schema = {"type": "json_schema", "schema": msgspec.json.decode(SCHEMA)}
    assert body["output_config"] == {"format": schema}
    assert "tools" not in body


def test_structured_output_by_a_tool() -> None:
    """Else a tool has the schema and must be called, alone or beside the caller's."""
    wanted = Format("schema", "n", SCHEMA, description="A thing.")
    body = rendered(chat(format=wanted), OLD)[0]
    (tool,) = body["tools"]
    assert tool["input_schema"] == msgspec.json.decode(SCHEMA)
    assert "A thing." in tool["description"]
    assert body["tool_choice"] == {"type": "tool", "name": tool["name"]}
    clash = Function(tool["name"])
    body = rendered(chat(format=wanted, tools=(clash,)), OLD)[0]
    assert len({found["name"] for found in body["tools"]}) == 2
    assert body["tool_choice"] == {"type": "any"}
    called = chat(format=wanted, tools=(FUNCTION,), tool_choice=ToolChoice("tool", "f"))
    assert len(rendered(called, OLD)[0]["tools"]) == 1


def test_a_schema_of_no_object_is_wrapped() -> None:
    """A tool's schema is of an object, with the definitions at its top."""
    schema = Raw(b'{"type":"array","items":{"$ref":"#/$defs/X"},"$defs":{"X":{"type":"string"}}}')
    (tool,) = rendered(chat(format=Format("schema", schema=schema)), OLD)[0]["tools"]
    assert tool["input_schema"] == {
        "type": "object",
        "properties": {"value": {"type": "array", "items": {"$ref": "#/$defs/X"}}},
        "required": ["value"],
        "$defs": {"X": {"type": "string"}},
    }


def test_an_open_schema_goes_to_a_tool() -> None:
    """The API's own format knows no objects with any members; the last models know no forced tool."""
    schema = Raw(b'{"type":"object","additionalProperties":{"type":"string"}}')
    wanted = chat(format=Format("schema", schema=schema))
    assert rendered(wanted, NEW)[0]["tools"][0]["input_schema"] == msgspec.json.decode(schema)
    assert "format" in rendered(wanted, LAST)[0]["output_config"]


def test_json_in_words() -> None:
    """JSON without a schema is asked for in the system prompt, and the promise is told as left out."""
    body, dropped = rendered(chat(format=Format("json"), names={"format": "response_format"}))
    assert "JSON" in body["system"]
    assert dropped == ("response_format",)


def test_files_need_a_header() -> None:
    """The API of files is in beta."""
    assert UPSTREAM.headers(chat()) == {}
    image = Media("image", file_id="file_1")
    assert "files-api" in UPSTREAM.headers(chat(Turn("user", (image,))))["anthropic-beta"]
    result = Turn("tool", (ToolResult("1", (image,)),))
    assert UPSTREAM.headers(chat(HI, result))


@pytest.mark.parametrize("schema", [b"1", b"[]", b"null"])
def test_a_schema_that_is_none(schema: bytes) -> None:
    """What is no object is the caller's mistake."""
    with pytest.raises(InvalidRequest):
        rendered(chat(tools=(Function("f", parameters=Raw(schema)),)))
    with pytest.raises(InvalidRequest):
        rendered(chat(format=Format("schema", schema=Raw(schema))), OLD)
