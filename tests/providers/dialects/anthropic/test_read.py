"""What a provider says, whole and as a stream."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Raw

from providers.canonical.answer import (
    Answer,
    Begin,
    Break,
    Choice,
    Cited,
    Counted,
    End,
    Event,
    Finish,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.fold import fold, unfold
from providers.canonical.request import (
    ChatRequest,
    Custom,
    Format,
    Function,
    Native,
    Refusal,
    Text,
    ToolCall,
    Turn,
)
from schemas.errors import (
    GatewayError,
    InvalidRequest,
    KeyRefused,
    NotFound,
    RateLimited,
    StreamTruncated,
    UpstreamError,
    UpstreamTimeout,
)
from schemas.usage import Usage
from tests.providers.dialects.anthropic.support import UPSTREAM, events_of, parsed, sse

BEGIN = {"type": "message_start", "message": {"id": "msg_1", "model": "c"}}
STOP = {"type": "message_stop"}


def body(*content: object, **members: Any) -> bytes:
    return msgspec.json.encode(
        {
            "type": "message",
            "id": "msg_1",
            "model": "c",
            "role": "assistant",
            "content": content,
            "stop_reason": "end_turn",
            **members,
        }
    )


def block(*deltas: dict[str, Any], index: int = 0, **content_block: Any) -> list[dict[str, Any]]:
    """The events of one block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": content_block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def ended(reason: str | None = "end_turn", **members: Any) -> dict[str, Any]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": {**delta, **members}}


def test_counts_of_a_stream_are_put_together() -> None:
    """What the last event leaves out stays as the first one gave it; caches are part of the input."""
    first = {
        "input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 3,
        "cache_creation": {"ephemeral_5m_input_tokens": 3},
        "output_tokens": 1,
        "service_tier": "priority",
        "inference_geo": "us",
    }
    last = {
        "input_tokens": 12,
        "cache_read_input_tokens": None,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 4},
        "server_tool_use": {"web_search_requests": 1},
    }
    start = {**BEGIN, "message": {"id": "msg_1", "model": "c", "usage": first}}
    events = events_of(sse(start, {**ended(), "usage": last}, STOP))
    assert events[1] == Counted(
        Usage(18, 1, 5, 3, 0, {"cache_creation.ephemeral_5m_input_tokens": 3}), "priority"
    )
    details = {
        "cache_creation.ephemeral_5m_input_tokens": 3,
        "server_tool_use.web_search_requests": 1,
    }
    assert events[-1] == Counted(Usage(20, 7, 5, 3, 4, details), "priority")


def test_a_stream_of_everything() -> None:
    """Each kind of block has its events, and its end is told."""
    citation = {"type": "web_search_result_location", "url": "https://x"}
    result = {"type": "web_search_tool_result", "content": []}
    events = events_of(
        sse(
            BEGIN,
            {"type": "ping"},
            *block(
                {"type": "thinking_delta", "thinking": "t"},
                {"type": "signature_delta", "signature": "s"},
                type="thinking",
                thinking="",
                signature="",
            ),
            *block(type="redacted_thinking", data="d"),
            *block(
                {"type": "input_json_delta", "partial_json": '{"q":'},
                {"type": "input_json_delta", "partial_json": "1}"},
                type="server_tool_use",
                id="s",
                input={},
            ),
            *block(**result),
            *block(
                {"type": "citations_delta", "citation": citation},
                {"type": "text_delta", "text": "a"},
                type="text",
                text="",
            ),
            *block(type="text", text="b"),
            *block(
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"a":1}'},
                type="tool_use",
                id="x",
                name="f",
                input={},
            ),
            *block(type="tool_use", id="y", name="g", input={}),
            *block(type="tool_use", id="z", name="h", input={"b": 2}),
            *block({"type": "compaction_delta", "content": "sum"}, type="compaction", content=None),
            *block({"type": "new_delta", "x": 1}, type="new_block"),
            {"type": "new_event", "delta": 1},
            ended("tool_use"),
            STOP,
        )
    )
    server = Raw(b'{"type":"server_tool_use","id":"s","input":{"q":1}}')
    cited = next(event for event in events if isinstance(event, Cited))
    assert cited.citation.url == "https://x"
    assert events == [
        Begin("msg_1", "c"),
        ReasoningDelta("t"),
        ReasoningEnd("s", "anthropic"),
        ReasoningEnd("d", "anthropic", redacted=True),
        NativePart(Native("anthropic", "server_tool_use", server)),
        NativePart(Native("anthropic", "web_search_tool_result", Raw(msgspec.json.encode(result)))),
        TextDelta("a"),
        cited,
        Break(),
        TextDelta("b"),
        Break(),
        ToolCallBegin(0, "x", "f"),
        ToolCallDelta(0, '{"a":1}'),
        Break(),
        ToolCallBegin(1, "y", "g"),
        ToolCallDelta(1, "{}"),
        Break(),
        ToolCallBegin(2, "z", "h"),
        ToolCallDelta(2, '{"b":2}'),
        Break(),
        NativePart(
            Native("anthropic", "compaction", Raw(b'{"type":"compaction","content":"sum"}'))
        ),
        NativePart(Native("anthropic", "new_block", Raw(b'{"type":"new_block"}'))),
        End(Finish("tool_calls", "tool_use")),
    ]


def test_citations_belong_to_the_text_of_their_block() -> None:
    """They come before it, between its pieces or without any, and never go to the text before."""
    deltas = [
        {"type": "citations_delta", "citation": {"url": url}} for url in ("https://a", "https://b")
    ]
    pieces = [{"type": "text_delta", "text": piece} for piece in ("x", "y")]
    text = {"type": "text", "text": ""}
    stream = sse(
        BEGIN,
        *block(pieces[0], **text),
        *block(deltas[0], pieces[0], deltas[1], pieces[1], **text),
        *block(deltas[0], **text),
    )
    (choice,) = fold(events_of(stream)).choices
    found = [
        (part.text, [citation.url for citation in part.citations])
        for part in choice.parts
        if isinstance(part, Text)
    ]
    assert found == [("x", []), ("xy", ["https://a", "https://b"]), ("", ["https://a"])]


def test_a_stream_is_whole_with_its_stop_reason() -> None:
    """All content was there; it is over with its last event only."""
    reader = UPSTREAM.reader(parsed())
    assert not reader.whole
    list(reader.read(msgspec.json.encode(ended())))
    assert reader.whole
    assert not reader.done
    list(reader.read(b'{"type":"message_stop"}'))
    assert reader.whole
    assert reader.done


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        ("Something_New", "something_new"),
    ],
)
def test_reasons(native: str, reason: str) -> None:
    """Each has its common word; the provider's own is kept."""
    (choice,) = UPSTREAM.answer(body(stop_reason=native, stop_sequence="x")).choices
    assert choice.finish == Finish(reason, native, "x")


def test_why_the_model_refused() -> None:
    """The explanation is the refusal, whole and streamed."""
    details = {"type": "refusal", "category": "bio", "explanation": "no"}
    (choice,) = UPSTREAM.answer(body(stop_reason="refusal", stop_details=details)).choices
    assert choice.parts == (Refusal("no"),)
    events = events_of(sse(BEGIN, ended("refusal", stop_details=details), STOP))
    assert events[1:] == [RefusalDelta("no"), End(Finish("content_filter", "refusal"))]


def test_an_empty_text_is_no_part() -> None:
    """The API answers with one when it has nothing to say."""
    answer = UPSTREAM.answer(body({"type": "text", "text": ""}))
    assert answer.choices == (Choice(0, (), Finish("stop", "end_turn")),)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("invalid_request_error", InvalidRequest),
        ("authentication_error", KeyRefused),
        ("permission_error", KeyRefused),
        ("not_found_error", NotFound),
        ("rate_limit_error", RateLimited),
        ("api_error", UpstreamError),
        ("overloaded_error", UpstreamError),
        ("timeout_error", UpstreamTimeout),
        ("news_error", UpstreamError),
    ],
)
def test_errors_in_band(kind: str, error: type[GatewayError]) -> None:
    """An error with status 200 is what its type says, in a stream and as the whole answer."""
    told = {"type": "error", "error": {"type": kind, "message": "told"}}
    with pytest.raises(error, match="told") as caught:
        UPSTREAM.answer(msgspec.json.encode(told))
    assert type(caught.value) is error
    with pytest.raises(error, match="told"):
        events_of(sse(BEGIN, told))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", StreamTruncated),
        (b" \n", StreamTruncated),
        (body({"type": "text", "text": "a"})[:-5], StreamTruncated),
        (b"<html>", UpstreamError),
        (b"[]", UpstreamError),
        (b'{"content":[{"type":"text"}],"stop_reason":"x"}', UpstreamError),
        (b'{"content":[],"stop_reason":null}', UpstreamError),
        (b'{"content":null,"stop_reason":"x"}', UpstreamError),
        (b'{"content":[{"type":"text","text":"\xff"}],"stop_reason":"x"}', UpstreamError),
    ],
)
def test_what_is_no_answer(data: bytes, error: type[GatewayError]) -> None:
    """Cut or malformed, and never an empty answer."""
    with pytest.raises(error) as caught:
        UPSTREAM.answer(data)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"type":"content_block_start","index":"x"}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}',
        b'{"type":"content_block_stop","index":5}',
        b'{"type":"content_block_start","content_block":{"type":"tool_use","id":1}}',
        b'{"type":"message_start"}',
        b'{"type":"message_delta","delta":{"stop_reason":1}}',
        b'{"type":"content_block_delta","delta":{"text":"\xff"}}',
    ],
)
def test_what_is_no_event(data: bytes) -> None:
    """A malformed event is the provider's fault."""
    with pytest.raises(UpstreamError):
        list(UPSTREAM.reader(parsed()).read(data))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "index", "delta", "content_block", "message", "usage", "content"),
                    *("stop_reason", "text", "input", "id", "name", "citations", "error"),
                    *("partial_json", "thinking", "signature", "citation", "stop_details"),
                ]
            ),
            inner
            | st.sampled_from(
                [
                    *("message_start", "message_delta", "content_block_start", "tool_use", "text"),
                    *("content_block_delta", "content_block_stop", "text_delta", "error"),
                    *("input_json_delta", "thinking", "citations_delta", "compaction_delta"),
                ]
            ),
            max_size=5,
        )
    ),
    max_leaves=10,
)


@given(st.lists(JSON, max_size=5), st.binary(max_size=30))
def test_no_answer_breaks_the_reader(values: list[Any], data: bytes) -> None:
    """Whatever a provider sends, it is read or refused as the provider's fault."""
    reader = UPSTREAM.reader(parsed())
    for piece in [*map(msgspec.json.encode, values), data]:
        try:
            for event in reader.read(piece):
                assert isinstance(event, Event)
        except GatewayError:
            pass
        with contextlib.suppress(GatewayError):
            assert isinstance(UPSTREAM.answer(piece), Answer)


OBJECT = Raw(b'{"type":"object","properties":{"a":{"type":"integer"}}}')
LIST = Raw(b'{"type":"array"}')


def asking(*tools: Function | Custom, **members: Any) -> ChatRequest:
    return ChatRequest(
        dialect="openai_chat",
        model="m",
        turns=(Turn("user", (Text("hi"),)),),
        tools=tools,
        **members,
    )


@pytest.mark.parametrize(
    ("chat", "name", "arguments", "part", "reason"),
    [
        (
            asking(format=Format("schema", schema=OBJECT)),
            "respond_in_json",
            {"a": 1},
            Text('{"a":1}'),
            "stop",
        ),
        (
            asking(format=Format("schema", schema=LIST)),
            "respond_in_json",
            {"value": [1]},
            Text("[1]"),
            "stop",
        ),
        (
            asking(Function("respond_in_json"), format=Format("schema", schema=OBJECT)),
            "respond_in_json",
            {"a": 1},
            ToolCall("x", "respond_in_json", '{"a":1}'),
            "tool_calls",
        ),
        (
            asking(Custom("run")),
            "run",
            {"input": 'say "hi"'},
            ToolCall("x", "run", 'say "hi"', custom=True),
            "tool_calls",
        ),
        (
            asking(Custom("run")),
            "run",
            {"other": 1},
            ToolCall("x", "run", '{"other":1}', custom=True),
            "tool_calls",
        ),
        (
            asking(Function("a.b")),
            "a_b",
            {"a": 1},
            ToolCall("x", "a.b", '{"a":1}'),
            "tool_calls",
        ),
    ],
)
def test_what_was_asked_in_another_way_is_put_back(
    chat: ChatRequest, name: str, arguments: object, part: Text | ToolCall, reason: str
) -> None:
    """The answer's tool becomes text, free text is free again, names are the caller's: in a whole
    answer and in a stream, however its pieces are cut."""
    call = {"type": "tool_use", "id": "x", "name": name, "input": arguments}
    answer = UPSTREAM.restored(UPSTREAM.answer(body(call, stop_reason="tool_use")), chat)
    (choice,) = answer.choices
    assert choice.parts == (part,)
    assert choice.finish is not None
    assert choice.finish.reason == reason
    pieces = msgspec.json.encode(arguments).decode()
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    stream = sse(BEGIN, *block(*deltas, **{**call, "input": {}}), ended("tool_use"), STOP)
    (streamed,) = fold(events_of(stream, chat)).choices
    assert streamed == choice
    assert fold(unfold(answer)).choices == answer.choices
