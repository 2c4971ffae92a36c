"""What callers of chat completions are told."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from providers.canonical.answer import (
    Answer,
    AnswerPart,
    Begin,
    Choice,
    Cited,
    Counted,
    End,
    Event,
    Finish,
    Logprobs,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.fold import unfold
from providers.canonical.request import (
    ChatRequest,
    Citation,
    Media,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from providers.dialogue import CLIENTS
from providers.sse import Events, payload
from schemas.errors import StreamTruncated
from schemas.usage import Usage
from tests.providers.pairs import chat, context, streamed, told

ASKED = chat(include_usage=False)
LEGACY = chat(names={"tools": "functions"})
USAGE = Usage(
    10, 5, 4, 3, 2, {"server_tool_use.searches": 1, "prompt_tokens_details.audio_tokens": 6}
)
TOLD_USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3, "audio_tokens": 6},
    "completion_tokens_details": {"reasoning_tokens": 2},
    "server_tool_use.searches": 1,
}


def answer(*parts: AnswerPart, finish: Finish | None = None, **members: Any) -> Answer:
    return Answer("a", "the-model", (Choice(0, parts, finish or Finish("stop")),), **members)


def body(found: Answer, asked: ChatRequest = ASKED) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(told(found, "openai_chat", asked))
    if b'"type":"file"' not in msgspec.json.encode(data):  # OpenRouter's, which the SDK lacks
        ChatCompletion.model_validate(data)
    return data


def message(*parts: AnswerPart, asked: ChatRequest = ASKED) -> dict[str, Any]:
    found: dict[str, Any] = body(answer(*parts), asked)["choices"][0]["message"]
    return found


def chunks(events: Sequence[Event], asked: ChatRequest = ASKED) -> list[dict[str, Any]]:
    """What stands in a stream; `[DONE]` ends it."""
    data = [payload(each) for each in Events().feed(streamed(events, "openai_chat", asked))]
    assert data.pop() == b"[DONE]"
    found = [msgspec.json.decode(each) for each in data]
    for each in found:
        if b'"type":"custom"' not in msgspec.json.encode(each):  # of which the SDK has no chunk
            ChatCompletionChunk.model_validate(each)
    return found


def deltas(*events: Event, asked: ChatRequest = ASKED) -> list[dict[str, Any]]:
    """The deltas behind the one that only names the role."""
    found = [each["choices"][0]["delta"] for each in chunks([Begin("a", "m"), *events], asked)]
    assert found[0] == {"role": "assistant", "content": ""}
    return found[1:]


def test_a_completion() -> None:
    """The id is the request's, the time its own, the model the provider's; counts and tier are told."""
    found = body(answer(Text("hi"), usage=USAGE, service_tier="flex"))
    assert found == {
        "id": "chatcmpl-r-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "the-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": TOLD_USAGE,
        "service_tier": "flex",
    }
    assert body(Answer("", "", ()))["model"] == "m"


CALL = ToolCall("c1", "f", '{"a":1}')
TOLD_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ((Text("a"), Text("b")), {"content": "ab"}),
        ((), {"content": ""}),
        ((Refusal("no"),), {"content": None, "refusal": "no"}),
        ((CALL,), {"content": None, "tool_calls": [TOLD_CALL]}),
        ((Text("a"), CALL), {"content": "a", "tool_calls": [TOLD_CALL]}),
        (
            (ToolCall("c", "g", "x", custom=True, token="s"),),
            {
                "content": None,
                "tool_calls": [
                    {
                        "id": "c",
                        "type": "custom",
                        "custom": {"name": "g", "input": "x"},
                        "extra_content": {"google": {"thought_signature": "s"}},
                    }
                ],
            },
        ),
        ((Reasoning("t"), Text("a")), {"content": "a", "reasoning_content": "t"}),
        (
            (Reasoning("t", token="s", origin="anthropic"), Text("a")),
            {
                "content": "a",
                "reasoning_content": "t",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "t", "signature": "anthropic::s", "index": 0}
                ],
            },
        ),
        (
            (Reasoning("", False, "d", "anthropic", None, True), Text("a")),
            {
                "content": "a",
                "reasoning_details": [
                    {"type": "reasoning.encrypted", "data": "anthropic::d", "index": 0}
                ],
            },
        ),
        (
            (Reasoning("t", True, "d", "openai_responses", "rs"), Text("a")),
            {
                "content": "a",
                "reasoning_content": "t",
                "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "t", "index": 0},
                    {"type": "reasoning.encrypted", "data": "openai_responses:rs:d", "index": 0},
                ],
            },
        ),
        (
            (Media("image", "AA", media_type="image/png"),),
            {
                "content": "",
                "images": [
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,AA"},
                        "index": 0,
                    }
                ],
            },
        ),
        (
            (Media("audio", "AA", extra={"id": Raw(b'"x"'), "transcript": Raw(b'"hi"')}),),
            {
                "content": None,
                "audio": {"id": "x", "expires_at": 0, "transcript": "hi", "data": "AA"},
            },
        ),
        ((Text("a"), Native("anthropic", "server_tool_use", Raw(b"{}"))), {"content": "a"}),
    ],
)
def test_messages(parts: tuple[AnswerPart, ...], found: dict[str, Any]) -> None:
    """Each part has its place in the message."""
    assert message(*parts) == {"role": "assistant", "refusal": None, **found}


def test_citations() -> None:
    """Offsets count in the whole content, of which a part may be a later piece."""
    first = Text("abc", citations=(Citation("u1", "t1", "quoted", 1, 2),))
    second = Text("defg", citations=(Citation("u2", start=1),))
    found = message(first, second)["annotations"]
    assert [each["url_citation"] for each in found] == [
        {"url": "u1", "title": "t1", "start_index": 1, "end_index": 2, "content": "quoted"},
        {"url": "u2", "title": "", "start_index": 4, "end_index": 7},
    ]
    raw = Raw(b'{"type":"file","file":{"name":"n"}}')
    own = Text("a", citations=(Citation(dialect="openai_chat", raw=raw),))
    assert message(own)["annotations"] == [{"type": "file", "file": {"name": "n"}}]


@pytest.mark.parametrize(
    ("finish", "word", "native"),
    [
        (Finish("length", "max_tokens"), "length", "max_tokens"),
        (Finish("recitation"), "stop", "recitation"),
        (Finish("stop"), "stop", None),
    ],
)
def test_reasons(finish: Finish, word: str, native: str | None) -> None:
    """An SDK knows four words: another stands beside them."""
    (choice,) = body(answer(Text("a"), finish=finish))["choices"]
    assert (choice["finish_reason"], choice.get("native_finish_reason")) == (word, native)
    last = chunks([TextDelta("a"), End(finish)])[-1]["choices"][0]
    assert (last["finish_reason"], last.get("native_finish_reason")) == (word, native)


def test_a_stream() -> None:
    """The role, the pieces, the reason; nothing else, since nobody asked for counts."""
    events = [
        Begin("a", "m1"),
        TextDelta("h"),
        TextDelta("ä\n"),
        End(Finish("stop")),
        Counted(USAGE),
    ]
    found = chunks(events)
    assert all("usage" not in each for each in found)
    head = {
        "id": "chatcmpl-r-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "m1",
    }
    told_deltas = [{"role": "assistant", "content": ""}, {"content": "h"}, {"content": "ä\n"}, {}]
    for each, delta in zip(found, told_deltas, strict=True):
        (choice,) = each.pop("choices")
        assert each == head
        assert (choice["index"], choice["delta"], choice["logprobs"]) == (0, delta, None)
    assert choice["finish_reason"] == "stop"


def test_counts_in_a_stream() -> None:
    """Who asks for them gets them in a chunk of their own, and a null in every other one."""
    asked = chat(stream=True, include_usage=True)
    events: list[Event] = [
        TextDelta("h"),
        Counted(Usage(1, 1)),
        End(Finish("stop")),
        Counted(USAGE, "flex"),
    ]
    *others, last = chunks(events, asked)
    assert [each["usage"] for each in others] == [None] * len(others)
    assert (last["choices"], last["usage"]) == ([], TOLD_USAGE)
    assert last["service_tier"] == "flex"
    assert chunks([TextDelta("h")], asked)[-1]["choices"]  # nothing was counted


def test_calls_in_a_stream() -> None:
    """Number, id and name come once, the arguments in pieces, those of custom tools as input."""
    found = deltas(
        ToolCallBegin(0, "c1", "f", token="s"),
        ToolCallBegin(1, "c2", "g", custom=True),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(1, "x"),
        ToolCallDelta(0, ":1}"),
    )
    assert [each["tool_calls"][0] for each in found] == [
        {
            "index": 0,
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": ""},
            "extra_content": {"google": {"thought_signature": "s"}},
        },
        {"index": 1, "id": "c2", "type": "custom", "custom": {"name": "g", "input": ""}},
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 1, "custom": {"input": "x"}},
        {"index": 0, "function": {"arguments": ":1}"}},
    ]


def test_the_form_before_tools() -> None:
    """Who asked with functions is told of one call, in that form."""
    assert message(CALL, ToolCall("c2", "g", "{}"), asked=LEGACY) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "function_call": {"name": "f", "arguments": '{"a":1}'},
    }
    done = answer(CALL, finish=Finish("tool_calls"))
    assert body(done, LEGACY)["choices"][0]["finish_reason"] == "function_call"
    found = deltas(
        ToolCallBegin(0, "c1", "f"),
        ToolCallDelta(0, "{}"),
        ToolCallBegin(1, "c2", "g"),
        ToolCallDelta(1, "{}"),
        asked=LEGACY,
    )
    assert found == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
    ]


def test_thoughts_in_a_stream() -> None:
    """Pieces as they come; then, once, all of it with its token, for the next request."""
    found = deltas(
        ReasoningDelta("a"),
        ReasoningDelta("b"),
        ReasoningEnd("s", "anthropic"),
        ReasoningEnd("d", "anthropic", redacted=True),
        ReasoningDelta("c", summary=True),
        ReasoningEnd("e", "openai_responses", "rs"),
        ReasoningDelta("f"),
        TextDelta("x"),
    )
    assert found == [
        {"reasoning_content": "a"},
        {"reasoning_content": "b"},
        {
            "reasoning_details": [
                {"type": "reasoning.text", "text": "ab", "signature": "anthropic::s", "index": 0}
            ]
        },
        {
            "reasoning_details": [
                {"type": "reasoning.encrypted", "data": "anthropic::d", "index": 1}
            ]
        },
        {"reasoning_content": "c"},
        {
            "reasoning_details": [
                {"type": "reasoning.summary", "summary": "c", "index": 2},
                {"type": "reasoning.encrypted", "data": "openai_responses:rs:e", "index": 2},
            ]
        },
        {"reasoning_content": "f"},
        {"content": "x"},
    ]


def test_what_else_streams() -> None:
    """Several choices, citations by their place in all text, log probabilities, and what has no place."""
    found = chunks(
        [
            TextDelta("abc"),
            Cited(Citation("u", start=0, end=1)),
            NativePart(Native("anthropic", "x", Raw(b"{}"))),
            TextDelta("de", 0),
            Cited(Citation("v")),
            TextDelta("z", 1),
            Logprobs(Raw(b'{"content":[]}'), 1),
        ]
    )
    cited = [
        each["choices"][0]["delta"]["annotations"][0]["url_citation"]
        for each in found
        if "annotations" in each["choices"][0]["delta"]
    ]
    assert [(each["start_index"], each["end_index"]) for each in cited] == [(0, 1), (3, 5)]
    assert found[-1]["choices"][0]["logprobs"] == {"content": []}
    roles = [each["choices"][0] for each in found if "role" in each["choices"][0]["delta"]]
    assert [each["index"] for each in roles] == [0, 1]


def test_media_in_a_stream() -> None:
    """Pictures are numbered; a sound comes whole."""
    parts = (Media("image", url="u"), Media("image", "AA"), Media("audio", "BB"))
    found = [each["choices"][0]["delta"] for each in chunks(list(unfold(answer(*parts))))]
    pictures = [each["images"][0] for each in found if "images" in each]
    assert [each["index"] for each in pictures] == [0, 1]
    assert [each["image_url"]["url"] for each in pictures] == ["u", "data:image/png;base64,AA"]
    assert [each["audio"]["data"] for each in found if "audio" in each] == ["BB"]


def test_an_error_ends_the_stream() -> None:
    """It is an event of its own, and no `[DONE]` follows."""
    writer = CLIENTS["openai_chat"].writer(context(ASKED))
    event = writer.abort(StreamTruncated())
    assert event.startswith(b'data: {"error":{')
    assert event.endswith(b"\n\n")
