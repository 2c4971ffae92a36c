"""What a provider is asked, and what it cannot be told."""

from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Raw
from msgspec.structs import replace

from providers.canonical.request import (
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
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from providers.dialects.gemini.client import Client
from schemas.errors import InvalidRequest
from tests.providers.canonical_strategies import (
    BASE64,
    FORMATS,
    FUNCTIONS,
    IMAGES,
    NAMES,
    PLAIN,
    TEXTS,
    conversations,
    tool_choices,
)
from tests.providers.dialects.gemini.support import asked, body_for, parse, render, request

UNSIGNED = b64encode(b"skip_thought_signature_validator").decode()
OLD = "gemini-2.5-flash"


def contents(*turns: Turn, model: str = OLD) -> list[dict[str, Any]]:
    body, _ = render(asked(turns=turns), model)
    found: list[dict[str, Any]] = body["contents"]
    return found


def said(*parts: Part, model: str = OLD) -> list[dict[str, Any]]:
    """The parts that an assistant's turn becomes."""
    (content,) = contents(Turn("assistant", parts), model=model)
    assert content["role"] == "model"
    found: list[dict[str, Any]] = content["parts"]
    return found


@settings(deadline=None)
@given(st.data())
def test_the_middle_survives_gemini(data: st.DataObject) -> None:
    """Rendered and parsed, a request is what it was, in all that Gemini carries."""
    tools = tuple(data.draw(st.lists(FUNCTIONS, max_size=2, unique_by=lambda tool: tool.name)))
    chat = asked(
        turns=data.draw(conversations(PLAIN | IMAGES | SOUNDS)),
        tools=tools,
        tool_choice=data.draw(tool_choices(tools)),
        format=data.draw(st.none() | FORMATS),
        thinking=data.draw(st.none() | THOUGHTS),
        max_tokens=data.draw(st.none() | st.integers(1, 9999)),
        temperature=data.draw(st.none() | st.floats(0, 2)),
        top_p=data.draw(st.none() | st.floats(0, 1)),
        top_k=data.draw(st.none() | st.integers(1, 100)),
        stop=tuple(data.draw(st.lists(TEXTS, max_size=3))),
        seed=data.draw(st.none() | st.integers(0, 1 << 31)),
        frequency_penalty=data.draw(st.none() | st.floats(-2, 2)),
        presence_penalty=data.draw(st.none() | st.floats(-2, 2)),
        logprobs=data.draw(st.none() | st.booleans()),
        top_logprobs=data.draw(st.none() | st.integers(0, 20)),
        n=data.draw(st.none() | st.integers(1, 4)),
        modalities=data.draw(st.sampled_from([(), ("text", "image")])),
    )
    body, dropped = body_for(chat)
    found = Client().parse(request(None, raw=body))

    expected = replace(
        chat,
        dialect="gemini",
        model=found.model,
        turns=tuple(carried(chat.turns)),
        tools=tuple(replace(tool, strict=None) for tool in tools),
        tool_choice=chat.tool_choice if tools else None,
        format=None if chat.format is None else replace(chat.format, name=None, strict=None),
        names=found.names,
    )
    assert found == expected
    assert set(dropped) <= {"tools.strict"}


SOUNDS = st.builds(Media, kind=st.just("audio"), data=BASE64, media_type=st.just("audio/wav"))
THOUGHTS = st.builds(
    Thinking,
    effort=st.sampled_from(["minimal", "low", "medium", "high"]),
    visible=st.none() | st.booleans(),
)


def carried(turns: tuple[Turn, ...]) -> list[Turn]:
    """The turns with what Gemini says beside: media types, names of results' functions, the stand-in
    for a signature."""
    names = {
        part.id: part.name for turn in turns for part in turn.parts if isinstance(part, ToolCall)
    }
    found = []
    for turn in turns:
        parts: list[Part] = []
        signed = False
        for part in turn.parts:
            if isinstance(part, Media) and part.url is not None:
                part = replace(
                    part, media_type="image/png" if part.url[-4:] == ".png" else "image/jpeg"
                )
            elif isinstance(part, ToolResult):
                part = replace(part, name=names[part.call_id])
            elif isinstance(part, ToolCall) and not signed:
                part, signed = replace(part, token=UNSIGNED), True
            parts.append(part)
        found.append(replace(turn, parts=tuple(parts)))
    return found


def test_roles() -> None:
    """System and developer are gathered in systemInstruction; the others stay in their order, alike
    ones beside one another."""
    body, _ = render(
        asked(
            turns=(
                Turn("system", (Text("a"),)),
                Turn("user", (Text("b"),)),
                Turn("user", (Text("c"),)),
                Turn("developer", (Text("d"),)),
                Turn("assistant", (Text("e"), Refusal("f"))),
            )
        )
    )

    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "d"}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "b"}]},
        {"role": "user", "parts": [{"text": "c"}]},
        {"role": "model", "parts": [{"text": "e"}, {"text": "f"}]},
    ]


def test_a_system_that_speaks_alone() -> None:
    """Gemini must be asked something: what the system says is asked then."""
    body, _ = render(asked(turns=(Turn("system", (Text("a"),)),)))

    assert body == {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}


def test_signatures_go_back_to_where_they_came_from() -> None:
    """On the call, the text or the thought that they were made with."""
    assert said(
        Reasoning("hm", True, "c2lnMQ==", "gemini"),
        Text("so"),
        Reasoning(token="c2lnMg==", origin="gemini", redacted=True),
        ToolCall("a", "f", '{"x":1}', token="c2lnMw=="),
        ToolCall("b", "g", ""),
        model="gemini-3-pro-preview",
    ) == [
        {"text": "hm", "thought": True, "thoughtSignature": "c2lnMQ=="},
        {"text": "so", "thoughtSignature": "c2lnMg=="},
        {
            "functionCall": {"id": "a", "name": "f", "args": {"x": 1}},
            "thoughtSignature": "c2lnMw==",
        },
        {"functionCall": {"id": "b", "name": "g", "args": {}}},
    ]


def test_unsigned_calls_of_other_models() -> None:
    """Since Gemini 3 the first call of a step must be signed: one that another model made gets the
    documented stand-in, and older models get none."""
    calls = ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")
    new, old = said(*calls, model="gemini-3.1-pro"), said(*calls, model=OLD)

    assert [part.get("thoughtSignature") for part in new] == [UNSIGNED, None]
    assert b64decode(new[0]["thoughtSignature"]) == b"skip_thought_signature_validator"
    assert [part.get("thoughtSignature") for part in old] == [None, None]


@pytest.mark.parametrize("origin", ["anthropic", "openai_responses", "openai_chat"])
def test_thoughts_of_others_are_dropped(origin: str) -> None:
    """What another provider's model thought is not Gemini's to read; the caller is told."""
    thought = Reasoning("hm", token="t", origin=origin)
    body, dropped = render(asked(turns=(Turn("assistant", (thought, Text("so"))),)))

    assert body["contents"][0]["parts"] == [{"text": "so"}]
    assert dropped == ("messages.reasoning",)


def test_elements_that_only_others_know() -> None:
    """Gemini's own go back as they came, those of others are dropped by name."""
    own = Native("gemini", "executableCode", Raw(b'{"executableCode":{"code":"1"}}'))
    other = Native("anthropic", "server_tool_use", Raw(b"{}"))
    body, dropped = render(asked(turns=(Turn("assistant", (own, other)),)))

    assert body["contents"][0]["parts"] == [{"executableCode": {"code": "1"}}]
    assert dropped == ("messages.server_tool_use",)


@pytest.mark.parametrize(
    ("parts", "is_error", "expected"),
    [
        ((Text("sunny"),), False, {"output": "sunny"}),
        ((Text("a"), Text("b")), False, {"output": "a\nb"}),
        ((Text('{"t":21}'),), False, {"t": 21}),
        ((Text('{"output":1}'),), False, {"output": {"output": 1}}),
        ((Text("[1,2]"),), False, {"output": [1, 2]}),
        ((Text("{broken}"),), False, {"output": "{broken}"}),
        ((Text("no"),), True, {"error": "no"}),
        ((), False, {}),
        ((), True, {"error": ""}),
    ],
)
def test_results(parts: tuple[Text, ...], is_error: bool, expected: object) -> None:
    """A result is an object: an object as it is, all else as `output` or `error`."""
    (content,) = contents(Turn("tool", (ToolResult("a", parts, "f", is_error),)))

    assert content["parts"][0]["functionResponse"] == {"id": "a", "name": "f", "response": expected}


def test_results_of_calls_at_once_are_one_content() -> None:
    """Gemini wants the results of parallel calls together; each has its function's name, which other
    dialects leave to the call."""
    found = contents(
        Turn("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))),
        Turn("tool", (ToolResult("a", (Text("1"),)),)),
        Turn("tool", (ToolResult("b", (Text("2"),)),)),
        Turn("user", (Text("and?"),)),
    )

    assert [content["role"] for content in found] == ["model", "user", "user"]
    names = [part["functionResponse"]["name"] for part in found[1]["parts"]]
    assert names == ["f", "g"]


def test_pictures_in_results() -> None:
    """Since Gemini 3 in the result itself, before beside it."""
    picture = Media("image", data="iVBORw0KGgo=")
    turn = Turn("tool", (ToolResult("a", (Text("see"), picture), "f"),))
    blob = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    (new,) = contents(turn, model="gemini-3-flash-preview")
    old, beside = contents(turn)

    assert new["parts"][0]["functionResponse"]["parts"] == [blob]
    assert "parts" not in old["parts"][0]["functionResponse"]
    assert beside == {"role": "user", "parts": [{"text": "Result of f (a):"}, blob]}


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        (
            Media("audio", data="AAEC", media_type="audio/mpeg"),
            {"inlineData": {"mimeType": "audio/mpeg", "data": "AAEC"}},
        ),
        (
            Media("document", data="JVBERi0="),
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        ),
        (
            Media("image", url="https://x.example/a.webp?b=c"),
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://x.example/a.webp?b=c"}},
        ),
        (
            Media("document", text="hello"),
            {"inlineData": {"mimeType": "text/plain", "data": "aGVsbG8="}},
        ),
        (
            Media(
                "video",
                url="gs://b/a",
                media_type="video/mp4",
                extra={"videoMetadata": Raw(b'{"fps":1}')},
            ),
            {
                "fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/a"},
                "videoMetadata": {"fps": 1},
            },
        ),
    ],
)
def test_media(media: Media, expected: object) -> None:
    """Data goes inline, a URL as a file that Google fetches, each with its type."""
    assert contents(Turn("user", (media,)))[0]["parts"] == [expected]


@pytest.mark.parametrize("arguments", ["{broken", "[1]", "text", '"a"'])
def test_malformed_arguments_in_a_history(arguments: str) -> None:
    """Arguments that are no object stand in a member: the API takes objects only."""
    (part,) = said(ToolCall("a", "f", arguments))

    assert part["functionCall"]["args"] == {"input": arguments}


def test_free_text_tools_are_functions() -> None:
    """A tool of free text is a function with one text, its calls in a history too."""
    tool = Custom("patch", "Applies it", Raw(b'{"type":"grammar","syntax":"lark"}'))
    call = ToolCall("a", "patch", '{"not": "arguments"}', custom=True)
    body, dropped = render(asked(turns=(Turn("assistant", (call,)),), tools=(tool,)))

    (declared,) = body["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"]["required"] == ["input"]
    assert "lark" in declared["description"]
    args = body["contents"][0]["parts"][0]["functionCall"]["args"]
    assert args == {"input": '{"not": "arguments"}'}
    assert dropped == ("tools.format",)


def test_tools() -> None:
    """Functions keep their schema as it is; Google's own tools beside them need a switch since
    Gemini 3."""
    schema = Raw(
        b'{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"const":1.0}}}'
    )
    tools: tuple[Tool, ...] = (
        Function("f", "d", schema, strict=True, cache=Raw(b"{}")),
        WebSearch(max_uses=2),
        NativeTool("gemini", "urlContext", Raw(b"{}")),
    )
    body, dropped = render(asked(tools=tools))
    old, _ = render(asked(tools=tools), OLD)

    assert body["tools"] == [
        {"googleSearch": {}},
        {"urlContext": {}},
        {
            "functionDeclarations": [
                {
                    "name": "f",
                    "description": "d",
                    "parametersJsonSchema": {
                        "type": "object",
                        "properties": {"a": {"$ref": "#/$defs/A"}},
                        "$defs": {"A": {"const": 1.0}},
                    },
                }
            ]
        },
    ]
    assert body["toolConfig"] == {"includeServerSideToolInvocations": True}
    assert "toolConfig" not in old
    assert dropped == ("tools.strict", "cache_control", "tools.max_uses")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("auto", allowed=("f",)), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (
            ToolChoice("required", allowed=("f", "g")),
            {"mode": "ANY", "allowedFunctionNames": ["f", "g"]},
        ),
        (ToolChoice("tool", "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("none"), {"mode": "NONE"}),
    ],
)
def test_tool_choice(choice: ToolChoice, expected: object) -> None:
    """Each choice is a mode of calling functions."""
    body, _ = render(asked(tools=(Function("f"),), tool_choice=choice))

    assert body["toolConfig"]["functionCallingConfig"] == expected


@pytest.mark.parametrize(
    ("model", "thinking", "expected", "dropped"),
    [
        ("gemini-3-flash-preview", Thinking(effort="low"), {"thinkingLevel": "low"}, ()),
        ("gemini-3-flash-preview", Thinking(effort="xhigh"), {"thinkingLevel": "high"}, ()),
        (
            "gemini-3-flash-preview",
            Thinking(effort="none"),
            {"thinkingLevel": "minimal"},
            ("thinking",),
        ),
        (
            "gemini-3-flash-preview",
            Thinking(enabled=True, budget=9000),
            {"thinkingLevel": "medium", "includeThoughts": True},
            (),
        ),
        ("gemini-3-flash-preview", Thinking(budget=-1), {}, ()),
        ("gemini-3-pro-preview", Thinking(effort="medium"), {"thinkingLevel": "high"}, ()),
        ("gemini-3.1-pro-preview", Thinking(effort="medium"), {"thinkingLevel": "medium"}, ()),
        ("gemini-3.1-pro-preview", Thinking(effort="minimal"), {"thinkingLevel": "low"}, ()),
        ("gemini-flash-latest", Thinking(effort="high"), {"thinkingLevel": "high"}, ()),
        (OLD, Thinking(effort="low"), {"thinkingBudget": 4096}, ()),
        (OLD, Thinking(effort="max"), {"thinkingBudget": 24576}, ()),
        (OLD, Thinking(enabled=False), {"thinkingBudget": 0}, ()),
        (OLD, Thinking(enabled=True), {"thinkingBudget": -1, "includeThoughts": True}, ()),
        (
            OLD,
            Thinking(enabled=True, visible=False),
            {"thinkingBudget": -1, "includeThoughts": False},
            (),
        ),
        (
            OLD,
            Thinking(adaptive=True, visible=True),
            {"thinkingBudget": -1, "includeThoughts": True},
            (),
        ),
        ("gemini-2.5-flash-lite", Thinking(budget=100), {"thinkingBudget": 512}, ()),
        ("gemini-2.5-pro", Thinking(effort="none"), {"thinkingBudget": 128}, ("thinking",)),
        ("gemini-2.0-flash", Thinking(effort="high"), None, ("thinking",)),
        ("gemini-2.0-flash", Thinking(enabled=False), None, ()),
    ],
)
def test_thinking(
    model: str, thinking: Thinking, expected: dict[str, object] | None, dropped: tuple[str, ...]
) -> None:
    """An effort is a level since Gemini 3 and a budget before; what a model cannot do is said."""
    body, told = render(asked(thinking=thinking), model)

    assert body.get("generationConfig", {}).get("thinkingConfig") == (expected or None)
    assert told == dropped


def test_format() -> None:
    """A JSON schema goes as it is."""
    schema = Raw(b'{"type":"object","additionalProperties":false}')
    chat = asked(format=Format("schema", "answer", schema, strict=True, description="d"))
    body, dropped = render(chat)

    assert body["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "additionalProperties": False},
    }
    assert dropped == ("response_format.description",)


@pytest.mark.parametrize(
    ("tier", "expected", "dropped"),
    [
        ("flex", "flex", ()),
        ("default", "standard", ()),
        ("auto", None, ()),
        ("scale", None, ("service_tier",)),
    ],
)
def test_service_tier(tier: str, expected: str | None, dropped: tuple[str, ...]) -> None:
    """The words of other dialects for the tiers that Google has."""
    body, told = render(asked(service_tier=tier))

    assert (body.get("serviceTier"), told) == (expected, dropped)


def test_what_is_harmless_to_leave_out() -> None:
    """Fields without which the answer means the same are dropped, and named in the caller's words."""
    body, dropped = render(
        asked(
            turns=(
                Turn("user", (Text("hi", cache=Raw(b"{}"), citations=(Citation(),)),), name="Ada"),
            ),
            user="u",
            metadata=Raw(b"{}"),
            store=True,
            verbosity="low",
            prompt_cache_key="k",
            safety_identifier="s",
            prediction=Raw(b"{}"),
            extra={"web": Raw(b"1")},
            names={"verbosity": "text.verbosity"},
        )
    )

    assert body == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    assert set(dropped) == {
        *("messages.name", "cache_control", "messages.citations", "prediction", "user", "metadata"),
        *("safety_identifier", "prompt_cache_key", "store", "text.verbosity", "web"),
    }


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"logit_bias": Raw(b"{}")}, "logit_bias"),
        ({"audio": Raw(b"{}")}, "audio"),
        ({"parallel_tool_calls": False, "tools": (Function("f"),)}, "parallel_tool_calls"),
        ({"tools": (NativeTool("anthropic", "bash_20250124", Raw(b"{}")),)}, "tools"),
        ({"tools": (WebSearch(allowed_domains=("x.example",)),)}, "tools.allowed_domains"),
        ({"turns": (Turn("user", (Media("document", file_id="file-1"),)),)}, "messages.file_id"),
    ],
)
def test_what_changes_the_meaning_is_refused(members: dict[str, Any], param: str) -> None:
    """InvalidRequest names the field, unless the caller lets it be dropped."""
    with pytest.raises(InvalidRequest) as caught:
        render(asked(**members))
    assert caught.value.param == param

    _, dropped = render(asked(**members), drop=True)
    assert dropped == (param,)


@settings(deadline=None)
@given(NAMES, TEXTS)
def test_a_gemini_callers_own_members_come_through(name: str, value: str) -> None:
    """What has no field goes back to where it stood, if the provider speaks Gemini after all."""
    config = {"speechConfig": {name: value}}
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "safetySettings": [{name: value}],
        "generationConfig": config,
        "toolConfig": {"retrievalConfig": {name: value}},
    }

    assert render(parse(body)) == (body, ())
