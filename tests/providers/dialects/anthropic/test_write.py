"""An answer as a caller of the Messages API gets it, and as the official SDK takes it."""

import json
from typing import Any

import httpx2
import msgspec
import pytest
from anthropic import Anthropic, APIStatusError
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, strategies as st
from msgspec import Raw
from pydantic import TypeAdapter

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
    Logprobs,
    MediaPart,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.request import (
    Citation,
    Media,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from schemas.errors import StreamTruncated
from schemas.usage import Usage
from tests.providers.dialects.anthropic.support import (
    CLIENT,
    answered,
    context,
    data_of,
    said,
    written,
)

USAGE = Usage(20, 7, 5, 3, 2, {"cache_creation.ephemeral_5m_input_tokens": 3, "audio": 1})
BEGIN = Begin("chatcmpl-1", "gpt-5")
STOP = End(Finish("stop"))
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
MIXED: list[Event] = [
    BEGIN,
    ReasoningDelta("I "),
    ReasoningDelta("think"),
    ReasoningEnd("enc", "openai_responses", "rs_1"),
    TextDelta("Let "),
    Logprobs(Raw(b"{}")),
    TextDelta("me see"),
    ToolCallBegin(0, "fn:1", "weather", token="tok"),
    ToolCallDelta(0, '{"city":'),
    ToolCallBegin(1, "call_b", "weather"),
    ToolCallDelta(1, '{"city":"Par'),
    ToolCallDelta(0, '"Rome"}'),
    ToolCallDelta(1, 'is"}'),
    ToolCallDelta(0, " "),
    ToolCallBegin(2, "call_c", "now"),
    TextDelta("done"),
    ToolCallBegin(3, "call_d", "run", custom=True),
    ToolCallDelta(3, 'a"'),
    ToolCallDelta(3, "b"),
    End(Finish("tool_calls")),
    Counted(USAGE, "default"),
]
RICH: list[Event] = [
    BEGIN,
    Counted(Usage(5, 1), "priority"),
    ReasoningEnd("d", "anthropic", redacted=True),
    ReasoningEnd("s", "anthropic"),
    ReasoningDelta("unsigned"),
    Break(),
    NativePart(
        Native(
            "anthropic",
            "server_tool_use",
            Raw(b'{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}}'),
        )
    ),
    NativePart(Native("gemini", "executableCode", Raw(b"{}"))),
    TextDelta("cited"),
    Cited(Citation("https://a", "A")),
    Cited(Citation(title="a page without address")),
    Break(),
    TextDelta("second"),
    TextDelta("of another choice", choice=1),
    RefusalDelta("but no more"),
    MediaPart(Media("image", data="AAEC", media_type="image/webp")),
    STOP,
    End(Finish("length"), choice=1),
    Counted(USAGE),
]


def sdk(body: bytes, content_type: str = "text/event-stream", status: int = 200) -> Anthropic:
    """The SDK, talking to an answer."""
    transport = httpx2.MockTransport(
        lambda asked: httpx2.Response(status, content=body, headers={"content-type": content_type})
    )
    client = httpx2.Client(transport=transport)
    return Anthropic(api_key="k", base_url="http://127.0.0.1:1", http_client=client, max_retries=0)


def streamed(events: list[Event]) -> Message:
    """What the SDK's streaming helper makes of a stream."""
    asked: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with sdk(written(events)).messages.stream(**asked) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("events", [MIXED, [BEGIN, STOP], [BEGIN], []])
def test_every_event_is_one_that_the_sdk_knows(events: list[Event]) -> None:
    """To the letter, in the order that the API has: a block begins and ends before the next."""
    found = data_of(written(events))
    for event in found:
        EVENT.validate_python(event)
    assert found[0]["type"] == "message_start"
    assert [event["type"] for event in found[-2:]] == ["message_delta", "message_stop"]
    open_block = None
    blocks = 0
    for event in found[1:-2]:
        if event["type"] == "content_block_start":
            assert (open_block, event["index"]) == (None, blocks)
            open_block = event["index"]
        elif event["type"] == "content_block_stop":
            assert event["index"] == open_block
            open_block, blocks = None, blocks + 1
        else:
            assert event["index"] == open_block
    assert open_block is None


def test_the_names_of_events_stand_before_them() -> None:
    """Clients choose by the name of the event, which is its type."""
    for event in written(MIXED).split(b"\n\n")[:-1]:
        name, data = event.split(b"\n")
        assert json.loads(data.removeprefix(b"data: "))["type"] == name[7:].decode()


def test_mixed_calls_become_blocks_in_a_row() -> None:
    """Pieces of parallel calls are put in order; thoughts, tokens and ids come through the SDK."""
    message = streamed(MIXED)
    found = [block.to_dict() for block in message.content]
    assert found == [
        {
            "type": "thinking",
            "thinking": "I think",
            "signature": "openai_responses:rs_1:enc",
        },
        {"type": "text", "text": "Let me see"},
        {"type": "redacted_thinking", "data": "gemini:of-tool-call:tok"},
        {"type": "tool_use", "id": "b64_Zm46MQ", "name": "weather", "input": {"city": "Rome"}},
        {"type": "tool_use", "id": "call_b", "name": "weather", "input": {"city": "Paris"}},
        {"type": "tool_use", "id": "call_c", "name": "now", "input": {}},
        {"type": "text", "text": "done"},
        {"type": "tool_use", "id": "call_d", "name": "run", "input": {"input": 'a"b'}},
    ]
    assert (message.id, message.model, message.stop_reason) == ("msg_r-1", "gpt-5", "tool_use")
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (12, 7)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (5, 3)
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 2


def test_what_the_sdk_sends_back_is_what_the_model_said() -> None:
    """The blocks of an answer, given back as history, are the parts of before."""
    blocks = [block.to_dict() for block in streamed(MIXED).content]
    (turn,) = said(*blocks, role="assistant").turns
    assert turn.parts == (
        Reasoning("I think", True, "enc", "openai_responses", "rs_1"),
        Text("Let me see"),
        ToolCall("fn:1", "weather", '{"city":"Rome"}', token="tok"),
        ToolCall("call_b", "weather", '{"city":"Paris"}'),
        ToolCall("call_c", "now", "{}"),
        Text("done"),
        ToolCall("call_d", "run", '{"input":"a\\"b"}'),
    )


def test_everything_else_in_a_stream() -> None:
    """Thoughts without text or signature, citations, a server's tools, refusals and pictures; other
    choices and foreign natives have no place."""
    found = [block.to_dict() for block in streamed(RICH).content]
    assert [block["type"] for block in found] == [
        *("redacted_thinking", "thinking", "thinking", "server_tool_use", "text", "text", "image")
    ]
    assert found[1] == {"type": "thinking", "thinking": "", "signature": "s"}
    assert found[2] == {"type": "thinking", "thinking": "unsigned", "signature": ""}
    (citation,) = found[4]["citations"]  # type: ignore[misc]
    assert citation["url"] == "https://a"
    assert found[5]["text"] == "secondbut no more"
    message = streamed(RICH)
    assert message.stop_reason == "refusal"
    assert message.stop_details is not None
    assert message.stop_details.explanation == "but no more"


def test_counts_that_come_first_stand_first() -> None:
    """A provider that counts at the beginning is not made to wait; one at the end is taken over."""
    start = data_of(written(RICH))[0]["message"]
    assert start["usage"]["input_tokens"] == 0  # one event at a time: the counts came after
    writer = CLIENT.writer(context())
    (start,) = data_of(writer.write(RICH[:2]))
    assert start["message"]["usage"]["input_tokens"] == 5
    assert start["message"]["usage"]["service_tier"] == "priority"


def test_nothing_waits_without_need() -> None:
    """A call whose arguments are whole ends when the next begins, and the next is told at once."""
    writer = CLIENT.writer(context())
    writer.write([BEGIN, ToolCallBegin(0, "a", "f"), ToolCallDelta(0, "{}")])
    assert b'"index":1' in writer.write([ToolCallBegin(1, "b", "g")])
    assert writer.write([ToolCallBegin(2, "c", "h")]) == b""
    assert b'"index":2' in writer.write([ToolCallDelta(1, "{}")])


@pytest.mark.parametrize(
    ("finish", "parts", "reason"),
    [
        (Finish("stop"), (), "end_turn"),
        (Finish("stop", "stop_sequence", "x"), (), "stop_sequence"),
        (Finish("stop", None, "x"), (), "stop_sequence"),
        (Finish("length", "length"), (), "max_tokens"),
        (Finish("length", "model_context_window_exceeded"), (), "model_context_window_exceeded"),
        (Finish("tool_calls"), (), "tool_use"),
        (Finish("function_call"), (), "tool_use"),
        (Finish("stop"), (ToolCall("a", "f", "{}"),), "tool_use"),
        (Finish("content_filter"), (), "refusal"),
        (Finish("stop"), (Refusal("no"),), "refusal"),
        (Finish("pause_turn"), (), "pause_turn"),
        (Finish("error"), (), "end_turn"),
        (None, (), "end_turn"),
    ],
)
def test_reasons(finish: Finish | None, parts: tuple[Any, ...], reason: str) -> None:
    """Every end has a word that the SDKs know."""
    message = answered(Answer("x", "m", (Choice(0, parts, finish),)))
    assert message["stop_reason"] == reason
    assert ("stop_details" in message) == (reason == "refusal")
    Message.model_validate(message)


def test_a_whole_answer() -> None:
    """Every part is a block; the counts are the API's own."""
    parts = (
        Reasoning("t", token="s", origin="anthropic"),
        Text("a", citations=(Citation("https://a"),), token="sig"),
        ToolCall("a", "f", "{broken"),
        ToolCall("b", "g", "", token="tok"),
        Native("anthropic", "container_upload", Raw(b'{"type":"container_upload"}')),
        Native("gemini", "x", Raw(b"{}")),
        Media("image", url="https://x"),
    )
    message = answered(Answer("x", "", (Choice(0, parts, Finish("tool_calls")),), USAGE, "flex"))
    assert [block["type"] for block in message["content"]] == [
        *("thinking", "redacted_thinking", "text", "tool_use", "redacted_thinking", "tool_use"),
        *("container_upload", "image"),
    ]
    assert message["model"] == context().model
    assert message["content"][3]["input"] == {"INVALID_JSON": "{broken"}
    assert message["content"][5]["input"] == {}
    assert message["usage"] == {
        "input_tokens": 12,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 5,
        "output_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 3},
        "output_tokens_details": {"thinking_tokens": 2},
        "service_tier": "standard",
    }


def test_no_choice_is_an_empty_message() -> None:
    """A provider that gave none has said nothing."""
    message = answered(Answer("x", "m", ()))
    assert message["content"] == []
    Message.model_validate(message)


def test_the_sdk_takes_a_whole_answer() -> None:
    """As its own type, not as a guess."""
    body = CLIENT.answer(Answer("x", "m", (Choice(0, (Text("a"),), Finish("stop")),)), context())
    asked: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    message = sdk(body, "application/json").messages.create(**asked)
    assert message.content[0].to_dict() == {"type": "text", "text": "a", "citations": None}


def test_an_error_ends_a_stream() -> None:
    """The SDK raises what the last event says."""
    writer = CLIENT.writer(context())
    body = writer.write([BEGIN, TextDelta("a")]) + writer.abort(StreamTruncated())
    asked: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    seen: list[str] = []
    with (
        sdk(body).messages.stream(**asked) as stream,
        pytest.raises(APIStatusError, match="ended before it was complete"),
    ):
        seen.extend(stream.text_stream)
    assert seen == ["a"]


EVENTS = st.one_of(
    st.builds(TextDelta, st.text(max_size=3)),
    st.builds(ReasoningDelta, st.text(max_size=3)),
    st.builds(ReasoningEnd, st.none() | st.text(max_size=3), st.none() | st.just("gemini")),
    st.builds(RefusalDelta, st.text(max_size=3)),
    st.builds(ToolCallBegin, st.integers(0, 2), st.text(max_size=3), st.text(max_size=3)),
    st.builds(ToolCallDelta, st.integers(0, 2), st.sampled_from(["{", '"a":1', "}", " "])),
    st.just(Break()),
    st.just(Cited(Citation("https://a"))),
    st.just(NativePart(Native("anthropic", "x", Raw(b'{"type":"x"}')))),
    st.just(Counted(USAGE)),
    st.just(STOP),
)


@given(st.lists(EVENTS, max_size=12))
def test_any_events_make_a_stream(events: list[Event]) -> None:
    """Whatever the order, blocks follow one another, and every piece of the first arguments is told."""
    found = data_of(written([BEGIN, *events]))
    open_block = None
    for event in found:
        if event["type"] == "content_block_start":
            assert open_block is None
            open_block = event["index"]
        elif event["type"] == "content_block_stop":
            assert event["index"] == open_block
            open_block = None
        elif event["type"] == "content_block_delta":
            assert event["index"] == open_block
    text = "".join(event["delta"].get("text", "") for event in found if "delta" in event)
    assert text == "".join(
        event.text for event in events if isinstance(event, TextDelta | RefusalDelta)
    )
    assert msgspec.json.encode(found)
