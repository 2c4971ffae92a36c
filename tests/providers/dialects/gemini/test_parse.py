"""What a Gemini caller asks, and what it is told if that cannot be understood."""

from base64 import b64encode
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from providers.canonical.request import (
    Format,
    Function,
    Media,
    Native,
    NativeTool,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from providers.dialects.gemini.client import Client
from schemas.errors import InvalidRequest
from tests.providers.dialects.gemini.support import parse, request

HI = [{"role": "user", "parts": [{"text": "hi"}]}]


def turns(*contents: object) -> tuple[Turn, ...]:
    return parse({"contents": list(contents)}).turns


def parts(*found: object) -> tuple[Any, ...]:
    (turn,) = turns({"role": "model", "parts": list(found)})
    return turn.parts


def config(**members: object) -> Any:
    return parse({"contents": HI, "generationConfig": members})


def test_both_spellings_mean_the_same() -> None:
    """camelCase and snake_case are one, as Google takes them, and an object stands for a list of one."""
    camel = {
        "contents": [
            {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}
        ],
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "generationConfig": {"maxOutputTokens": 5, "thinkingConfig": {"thinkingBudget": 7}},
        "toolConfig": {
            "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a", "b"]}
        },
        "tools": [{"functionDeclarations": [{"name": "a"}]}],
    }
    snake = {
        "contents": {
            "role": "user",
            "parts": {"inline_data": {"mime_type": "image/png", "data": "AA"}},
        },
        "system_instruction": {"parts": [{"text": "be brief"}]},
        "generation_config": {
            "max_output_tokens": "5",
            "thinking_config": {"thinking_budget": 7.0},
        },
        "tool_config": {
            "function_calling_config": {"mode": "any", "allowed_function_names": ["a", "b"]}
        },
        "tools": {"function_declarations": {"name": "a"}},
    }
    chat = parse(camel)

    assert parse(snake) == chat
    assert chat.turns[0] == Turn("system", (Text("be brief"),))
    assert chat.turns[1].parts == (Media("image", data="AA==", media_type="image/png"),)
    assert chat.max_tokens == 5
    assert chat.tool_choice == ToolChoice("required", allowed=("a", "b"))


def test_model_and_stream_come_from_the_path() -> None:
    """The body has neither."""
    chat = parse({"contents": HI}, stream=True, model="gemini-x")

    assert (chat.model, chat.stream) == ("gemini-x", True)


def test_calls_without_ids_get_stable_ones() -> None:
    """Calls are numbered over the conversation, and a result finds its call by name and order."""
    call = {"functionCall": {"name": "f", "args": {"n": 1}}}
    other = {"functionCall": {"name": "g"}}
    result = {"functionResponse": {"name": "f", "response": {"output": "one"}}}
    last = {"functionResponse": {"name": "g", "response": {"error": "no"}}}
    found = turns(
        HI[0],
        {"role": "model", "parts": [call, other, call]},
        {"role": "user", "parts": [result, last, result, {"text": "go on"}]},
    )

    assert [part.id for part in found[1].parts if isinstance(part, ToolCall)] == [
        *("call_0", "call_1", "call_2")
    ]
    assert found[2:] == (
        Turn("tool", (ToolResult("call_0", (Text("one"),), "f"),)),
        Turn("tool", (ToolResult("call_1", (Text("no"),), "g", is_error=True),)),
        Turn("tool", (ToolResult("call_2", (Text("one"),), "f"),)),
        Turn("user", (Text("go on"),)),
    )


def test_given_ids_stay() -> None:
    """An id that the caller gives is the call's, and other results go by the order of those without."""
    found = turns(
        {"role": "model", "parts": [{"functionCall": {"id": "x", "name": "f"}}]},
        {"role": "function", "parts": [{"functionResponse": {"id": "x", "name": "f"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f"}}]},
    )

    assert found[1].parts == (ToolResult("x", (), "f"),)
    assert found[2].parts == (ToolResult("call_unknown_0", (), "f"),)


def test_arguments_and_results_stay_as_they_were_sent() -> None:
    """Not a digit of a call's arguments or of a structured result changes."""
    raw = (
        b'{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"n":1.50}}}]},'
    )
    raw += b'{"parts":[{"functionResponse":{"name":"f","response":{"n":  2.50}}}]}]}'
    found = Client().parse(request(None, raw=raw)).turns

    call, result = found[0].parts[0], found[1].parts[0]
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"n":1.50}'
    assert isinstance(result, ToolResult)
    assert result.parts == (Text('{"n":  2.50}'),)


def test_media_in_results() -> None:
    """A result's pictures and files stand beside its text."""
    response = {
        "name": "f",
        "response": {},
        "parts": [
            {"inline_data": {"mime_type": "application/pdf", "data": "_-8="}},
            {"fileData": {"fileUri": "https://x.example/a.jpg"}},
        ],
    }
    (turn,) = turns({"role": "user", "parts": [{"functionResponse": response}]})
    (result,) = turn.parts

    assert isinstance(result, ToolResult)
    assert result.parts == (
        Media("document", data="/+8=", media_type="application/pdf"),
        Media("image", url="https://x.example/a.jpg"),
    )


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"text": "a"}, Text("a")),
        ({"text": "a", "thoughtSignature": "c2ln"}, Text("a", token="c2ln")),
        ({"text": "a", "thought": True}, Reasoning("a", summary=True)),
        (
            {"text": "a", "thought": True, "thoughtSignature": "c2ln"},
            Reasoning("a", summary=True, token="c2ln", origin="gemini"),
        ),
        (
            {"thought": True, "thoughtSignature": "c2ln"},
            Reasoning("", token="c2ln", origin="gemini", redacted=True),
        ),
        (
            {"fileData": {"fileUri": "https://youtu.be/x"}, "videoMetadata": {"fps": 0.2}},
            Media("video", url="https://youtu.be/x", extra={"videoMetadata": Raw(b'{"fps":0.2}')}),
        ),
        (
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            Native(
                "gemini",
                "executableCode",
                Raw(b'{"executableCode":{"language":"PYTHON","code":"1"}}'),
            ),
        ),
        (
            {"functionCall": {"name": "f", "args": None}, "thoughtSignature": "c2ln"},
            ToolCall("call_0", "f", "{}", token="c2ln"),
        ),
    ],
)
def test_parts(part: object, expected: object) -> None:
    """Each kind of part has its place in the middle."""
    assert parts(part) == (expected,)


@pytest.mark.parametrize(
    "alphabet", [lambda text: text, lambda text: text.replace("/", "_").rstrip("=")]
)
def test_foreign_tokens_come_back(alphabet: Any) -> None:
    """Another provider's token, sealed in a signature, is that provider's again, in either alphabet of
    base64."""
    signature = alphabet(b64encode(b"openai_responses:rs_1:gAAAA???").decode())

    assert parts({"text": "so", "thought": True, "thoughtSignature": signature}) == (
        Reasoning("so", summary=True, token="gAAAA???", origin="openai_responses", id="rs_1"),
    )
    assert parts({"thought": True, "thoughtSignature": signature}) == (
        Reasoning("", token="gAAAA???", origin="openai_responses", id="rs_1", redacted=True),
    )


def test_the_chunks_of_a_stream_are_one_answer_again() -> None:
    """An SDK that collected a stream sends each chunk as a content of its own: thoughts get their
    signature, and texts are whole."""
    found = turns(
        HI[0],
        {"role": "model", "parts": [{"text": "I th", "thought": True}]},
        {"role": "model", "parts": [{"text": "ink", "thought": True}]},
        {"role": "model", "parts": [{"text": "", "thought": True, "thoughtSignature": "c2ln"}]},
        {"role": "model", "parts": [{"text": "Hel"}]},
        {"role": "model", "parts": [{"text": "lo"}, {"functionCall": {"name": "f"}}]},
        {"role": "model", "parts": [{"text": ""}]},
    )

    assert found[1:] == (
        Turn(
            "assistant",
            (
                Reasoning("I think", True, "c2ln", "gemini"),
                Text("Hello"),
                ToolCall("call_0", "f", "{}"),
            ),
        ),
    )


def test_tools() -> None:
    """Functions with either kind of schema, the search, and what only Google has."""
    openapi = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "nullable": True, "enum": ["a"]},
            "list": {"type": "ARRAY", "minItems": "1", "items": {"any_of": [{"type": "NUMBER"}]}},
        },
        "propertyOrdering": ["type", "list"],
    }
    chat = parse(
        {
            "contents": HI,
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": "f", "description": "d", "parameters": openapi}
                    ]
                },
                {
                    "functionDeclarations": [
                        {"name": "g", "parametersJsonSchema": {"type": ["null"]}}
                    ]
                },
                {"googleSearch": {}},
                {"googleSearch": {"excludeDomains": ["x.example"]}},
                {"google_search": {"timeRangeFilter": {}}, "codeExecution": {}},
            ],
        }
    )

    function, schema, *others = chat.tools
    assert isinstance(function, Function)
    assert isinstance(schema, Function)
    assert function.parameters is not None
    assert msgspec.json.decode(function.parameters) == {
        "type": "object",
        "properties": {
            "type": {"type": ["string", "null"], "enum": ["a", None]},
            "list": {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "number"}]}},
        },
    }
    assert (function.name, function.description) == ("f", "d")
    assert schema == Function("g", None, Raw(b'{"type":["null"]}'))
    assert others == [
        WebSearch(),
        WebSearch(blocked_domains=("x.example",)),
        NativeTool("gemini", "googleSearch", Raw(b'{"timeRangeFilter":{}}')),
        NativeTool("gemini", "codeExecution", Raw(b"{}")),
    ]


@pytest.mark.parametrize(
    ("calling", "expected"),
    [
        ({}, ToolChoice("auto")),
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["a"]}, ToolChoice("auto", allowed=("a",))),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["a"]}, ToolChoice("tool", "a")),
        ({"mode": "NONE"}, ToolChoice("none")),
    ],
)
def test_tool_choice(calling: object, expected: ToolChoice) -> None:
    """The modes of calling functions are the middle's choices."""
    chat = parse({"contents": HI, "toolConfig": {"functionCallingConfig": calling}})

    assert chat.tool_choice == expected


def test_the_configuration() -> None:
    """Every member of generationConfig that others know has its field; the rest is kept by its path."""
    chat = config(
        candidateCount=2,
        stopSequences=["x"],
        temperature=0.5,
        topP=0.9,
        topK=40.0,
        seed=7,
        frequencyPenalty=0.1,
        presencePenalty=0.2,
        responseLogprobs=True,
        logprobs=3,
        responseModalities=["TEXT", "IMAGE"],
        speechConfig={"languageCode": "de-DE"},
        mediaResolution="MEDIA_RESOLUTION_LOW",
    )

    assert (chat.n, chat.stop, chat.temperature, chat.top_p) == (2, ("x",), 0.5, 0.9)
    assert (chat.top_k, chat.seed, chat.frequency_penalty, chat.presence_penalty) == (
        40,
        7,
        0.1,
        0.2,
    )
    assert (chat.logprobs, chat.top_logprobs, chat.modalities) == (True, 3, ("text", "image"))
    assert chat.extra == {
        "generationConfig.speechConfig": Raw(b'{"languageCode":"de-DE"}'),
        "generationConfig.mediaResolution": Raw(b'"MEDIA_RESOLUTION_LOW"'),
    }


def test_text_alone_is_no_demand() -> None:
    """`responseModalities: [TEXT]` is what every model does: other providers need not know it."""
    assert config(responseModalities=["TEXT"]).modalities == ()


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, None),
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "application/json"}, Format("json")),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}},
            Format("schema", schema=Raw(b'{"type":"string"}')),
        ),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "string"}},
            Format("schema", schema=Raw(b'{"type":"string"}')),
        ),
    ],
)
def test_format(members: dict[str, object], expected: Format | None) -> None:
    """JSON, or JSON by a schema of either kind."""
    assert config(**members).format == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"thinkingBudget": 0}, Thinking(enabled=False, budget=0)),
        ({"thinkingBudget": -1}, Thinking(budget=-1)),
        ({"thinkingBudget": 500, "includeThoughts": True}, Thinking(True, None, 500, visible=True)),
        ({"thinkingLevel": "HIGH"}, Thinking(effort="high")),
    ],
)
def test_thinking(given: object, expected: Thinking) -> None:
    """A budget or a level, and whether thoughts are to be seen."""
    assert config(thinkingConfig=given).thinking == expected


def test_what_only_google_knows_is_kept() -> None:
    """Members without a field are kept under the caller's names, so that they can be named as dropped;
    those that say nothing are not."""
    chat = parse(
        {
            "contents": HI,
            "safetySettings": [{"category": "HARM_CATEGORY_HATE_SPEECH"}],
            "cachedContent": "cachedContents/x",
            "labels": {"team": "a"},
            "toolConfig": {"includeServerSideToolInvocations": True},
            "serviceTier": "FLEX",
            "generationConfig": {},
        },
        drop=True,
    )

    assert list(chat.extra) == [
        *(
            "safetySettings",
            "cachedContent",
            "labels",
            "toolConfig.includeServerSideToolInvocations",
        )
    ]
    assert chat.service_tier == "flex"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contents"),
        ({"contents": "hi"}, "contents"),
        ({"contents": [{"role": "robot", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{}]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        (
            {"contents": [{"parts": [{"functionCall": {}}]}]},
            "contents[0].parts[0].functionCall.name",
        ),
        (
            {"contents": [{"parts": [{"functionCall": {"name": "f", "args": [1]}}]}]},
            "contents[0].parts[0].functionCall.args",
        ),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]},
            "contents[0].parts[0].functionResponse.response",
        ),
        ({"contents": HI, "cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"contents": HI, "generationConfig": {"topK": 1.5}}, "generationConfig.topK"),
        ({"contents": HI, "generationConfig": {"seed": "x"}}, "generationConfig.seed"),
        (
            {"contents": HI, "generationConfig": {"responseMimeType": "text/x.enum"}},
            "generationConfig.responseMimeType",
        ),
        (
            {"contents": HI, "toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            {"contents": HI, "tools": [{"functionDeclarations": [{}]}]},
            "tools[0].functionDeclarations[0].name",
        ),
    ],
)
def test_what_cannot_be_understood_is_named(body: object, param: str) -> None:
    """InvalidRequest names the member by its path."""
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    assert caught.value.param == param


KEYS = [
    *(
        "contents",
        "parts",
        "role",
        "text",
        "inlineData",
        "inline_data",
        "mimeType",
        "data",
        "fileData",
    ),
    *(
        "functionCall",
        "functionResponse",
        "name",
        "args",
        "id",
        "response",
        "output",
        "error",
        "tools",
    ),
    *(
        "functionDeclarations",
        "parameters",
        "properties",
        "type",
        "nullable",
        "enum",
        "anyOf",
        "items",
    ),
    *(
        "generationConfig",
        "topK",
        "responseSchema",
        "thinkingConfig",
        "thoughtSignature",
        "thought",
    ),
    *(
        "systemInstruction",
        "toolConfig",
        "functionCallingConfig",
        "mode",
        "stopSequences",
        "googleSearch",
    ),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=25,
)


@settings(deadline=None)
@given(JSON.map(msgspec.json.encode) | st.binary(max_size=60))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    """Whatever the body, nothing but InvalidRequest comes of it."""
    with suppress(InvalidRequest):
        assert Client().parse(request(None, raw=body)).turns


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4),
    st.sampled_from(["parts", "config", "tools"]),
)
def test_any_members_are_understood_or_refused(members: dict[str, object], place: str) -> None:
    """The same in the places where most is read."""
    body: dict[str, object] = {"contents": HI}
    if place == "parts":
        body = {"contents": [{"parts": [members]}]}
    elif place == "config":
        body["generationConfig"] = members
    else:
        body["tools"] = [{"functionDeclarations": [{"name": "f", "parameters": members}]}]
    with suppress(InvalidRequest):
        assert parse(body).turns


@pytest.mark.parametrize(
    "body", [b'{"contents":' + b"[" * 100_000, b'{"contents":[{"parts":[{"text":"\xff"}]}]}']
)
def test_depth_and_bad_text_are_refused(body: bytes) -> None:
    """Nesting without an end and bytes that are no UTF-8 are the caller's mistake."""
    with pytest.raises(InvalidRequest):
        Client().parse(request(None, raw=body))
