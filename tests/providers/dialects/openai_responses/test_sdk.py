"""The official SDK as the caller: what we write, it takes."""

import json
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from openai import OpenAI
from openai.types.responses import Response
from openai.types.responses.response_stream_event import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from providers.canonical.answer import (
    Begin,
    Break,
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
from providers.canonical.fold import fold
from providers.canonical.request import Citation, Media, Native
from providers.dialects.openai_responses.stream import StreamDecoder
from schemas.errors import RateLimited, StreamTruncated
from schemas.usage import Usage
from tests.providers.dialects.openai_responses.support import (
    CLIENT,
    context,
    events_of,
    parsed,
    raw,
    request,
    sse,
    written,
)

USAGE = Counted(Usage(11, 7, 5, 3, 2, {"input_tokens_details.audio_tokens": 1}), "priority")
BEGIN = Begin("x", "gpt-5-2026", 1)
STOP = End(Finish("stop"))
PARALLEL: list[Event] = [
    BEGIN,
    ReasoningDelta("I "),
    ReasoningDelta("think"),
    ReasoningEnd("sig", "anthropic"),
    TextDelta("Let "),
    TextDelta("me see"),
    ToolCallBegin(0, "call_a", "weather", token="thought"),
    ToolCallDelta(0, '{"city":'),
    ToolCallBegin(1, "call_b", "weather"),
    ToolCallDelta(1, '{"city":"Paris"}'),
    ToolCallDelta(0, '"Rome"}'),
    ToolCallBegin(2, "call_c", "apply_patch", custom=True),
    ToolCallDelta(2, "*** Begin"),
    End(Finish("tool_calls")),
    USAGE,
]
RICH: list[Event] = [
    BEGIN,
    ReasoningDelta("short", summary=True),
    Break(),
    NativePart(
        Native(
            "openai_responses",
            "web_search_call",
            raw(
                {
                    "type": "web_search_call",
                    "id": "ws_1",
                    "status": "completed",
                    "action": {"type": "search", "query": "q"},
                }
            ),
        )
    ),
    NativePart(Native("anthropic", "server_tool_use", raw({}))),
    TextDelta("héllo "),
    Logprobs(raw({"content": [{"token": "héllo ", "logprob": -0.5, "bytes": None}]})),
    TextDelta("there"),
    Cited(Citation("https://a.example", "A", start=0, end=5)),
    Cited(Citation(title="notes.txt", cited_text="hello")),
    Break(),
    TextDelta("second"),
    RefusalDelta("but no more"),
    MediaPart(Media("image", data="AAEC", media_type="image/webp")),
    MediaPart(Media("audio", data="AAEC")),
    STOP,
    USAGE,
]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def client(body: bytes, content_type: str = "text/event-stream") -> OpenAI:
    """The SDK, talking to an answer."""
    transport = httpx.MockTransport(
        lambda asked: httpx.Response(200, content=body, headers={"content-type": content_type})
    )
    return OpenAI(
        api_key="k", base_url="http://127.0.0.1:1/v1", http_client=httpx.Client(transport=transport)
    )


@pytest.mark.parametrize("events", [PARALLEL, RICH, [BEGIN, STOP], [BEGIN, TextDelta("x")]])
def test_every_event_is_valid(events: list[Event]) -> None:
    """Every event is one that the SDK knows, to the letter; they are numbered from 0."""
    found = events_of(written(events))

    for number, event in enumerate(found):
        EVENT.validate_python(event, strict=True)
        assert event["sequence_number"] == number
    assert [event["type"] for event in found[:2]] == ["response.created", "response.in_progress"]
    assert found[-1]["type"] == "response.completed"


@pytest.mark.parametrize("events", [PARALLEL, RICH])
def test_items_are_consistent(events: list[Event]) -> None:
    """Every item is added once and done once at its place, its pieces add up to what it is in the end,
    and the last Response holds the items as they were done."""
    found = events_of(written(events))
    added = {e["output_index"]: e["item"] for e in found if e["type"].endswith("item.added")}
    done = {e["output_index"]: e["item"] for e in found if e["type"].endswith("item.done")}
    response = found[-1]["response"]

    assert [done[index] for index in sorted(done)] == response["output"]
    assert added.keys() == done.keys()
    assert all(added[index]["id"] == item["id"] for index, item in done.items())
    assert len({item["id"] for item in done.values()}) == len(done)
    for event in found:
        if "item_id" in event:
            assert done[event["output_index"]]["id"] == event["item_id"]
    for kind, name in (("output_text", "text"), ("reasoning_text", "text"), ("refusal", "refusal")):
        places = [
            (e["output_index"], e["content_index"], e[name])
            for e in found
            if e["type"] == f"response.{kind}.done"
        ]
        for index, number, text in places:
            deltas = [
                e["delta"]
                for e in found
                if e["type"] == f"response.{kind}.delta"
                and (e["output_index"], e["content_index"]) == (index, number)
            ]
            assert "".join(deltas) == text
            assert done[index]["content"][number][name] == text


def test_stream_helper_accumulates_parallel_calls() -> None:
    """`responses.stream` puts mixed pieces of parallel calls together and ends with the Response."""
    with client(written(PARALLEL)).responses.stream(model="m", input="hi") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()

    assert final.output_text == "Let me see"
    calls = {item.call_id: item.arguments for item in final.output if item.type == "function_call"}
    assert calls == {"call_a": '{"city":"Rome"}', "call_b": '{"city":"Paris"}'}
    patches = [item.input for item in final.output if item.type == "custom_tool_call"]
    assert patches == ["*** Begin"]
    assert kinds.count("response.function_call_arguments.delta") == 3
    assert final.usage is not None
    assert final.usage.total_tokens == 18
    assert final.usage.input_tokens_details.cached_tokens == 5
    assert final.usage.input_tokens_details.cache_write_tokens == 3
    assert final.usage.output_tokens_details.reasoning_tokens == 2
    assert final.service_tier == "priority"
    assert final.model == "gpt-5-2026"
    assert final.id == "resp_r-1"


def test_create_with_stream() -> None:
    """`responses.create(stream=True)` reads text, annotations and log probabilities."""
    writer = CLIENT.writer(context())
    body = writer.write(RICH) + writer.end()  # log probabilities come with their text
    events = list(client(body).responses.create(model="m", input="hi", stream=True))

    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "héllo theresecond"
    (message,) = [item for item in last.response.output if item.type == "message"]
    text, second, refusal = message.content
    assert text.type == "output_text"
    assert [found.type for found in text.annotations] == ["url_citation", "file_citation"]
    assert text.logprobs is not None
    assert text.logprobs[0].bytes == list("héllo ".encode())
    assert second.type == "output_text"
    assert refusal.type == "refusal"
    deltas = [e for e in events if e.type == "response.output_text.delta"]
    assert [found.token for found in deltas[0].logprobs] == ["héllo "]
    (picture,) = [item for item in last.response.output if item.type == "image_generation_call"]
    assert picture.result == "AAEC"


def test_plain_answer() -> None:
    """`responses.create` reads a whole answer, which is what the stream ends with."""
    body = CLIENT.answer(fold(PARALLEL), context())
    found = client(body, "application/json").responses.create(model="m", input="hi")

    assert found.output_text == "Let me see"
    assert json.loads(body) == events_of(written(PARALLEL))[-1]["response"]


class City(BaseModel):
    name: str


def test_parsed_output() -> None:
    """`responses.parse` fills a model from a structured answer."""
    events: list[Event] = [BEGIN, TextDelta('{"name":'), TextDelta('"Rome"}'), STOP, USAGE]
    body = CLIENT.answer(fold(events), context())
    found = client(body, "application/json").responses.parse(
        model="m", input="hi", text_format=City
    )
    assert found.output_parsed == City(name="Rome")


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("stop", "completed", None),
        ("pause_turn", "completed", None),
    ],
)
def test_status(reason: str, status: str, why: str | None) -> None:
    """An answer that was cut is incomplete, as event, status and reason say; so is its last item."""
    found = events_of(written([BEGIN, TextDelta("x"), End(Finish(reason)), USAGE]))[-1]

    assert found["type"] == f"response.{status}"
    assert found["response"]["status"] == found["response"]["output"][0]["status"] == status
    details = found["response"]["incomplete_details"]
    assert details == (None if why is None else {"reason": why})


def test_response_repeats_the_request() -> None:
    """The Response holds what was asked, and is valid to the letter."""
    asked: dict[str, Any] = {
        "instructions": "Be brief.",
        "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True},
            {"type": "custom", "name": "patch"},
            {"type": "web_search", "search_context_size": "low"},
            {"type": "local_shell"},
        ],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "top_p": 0.25,
        "max_output_tokens": 99,
        "max_tool_calls": 3,
        "metadata": {"a": "b"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {
            "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
            "verbosity": "low",
        },
        "truncation": "auto",
        "user": "u",
        "store": False,
        "top_logprobs": 2,
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "service_tier": "flex",
    }
    body = CLIENT.answer(fold([BEGIN, TextDelta("x"), STOP]), context(parsed(asked)))
    found = json.loads(body)

    assert {name: found[name] for name in asked} == asked
    Response.model_validate(found, strict=True)


def failing(error: Exception, events: Iterable[Event]) -> bytes:
    writer = CLIENT.writer(context())
    data = writer.write(list(events))
    return data + writer.abort(error)  # type: ignore[arg-type]


@pytest.mark.parametrize("events", [[], [BEGIN], PARALLEL[:-1]])
def test_abort(events: list[Event]) -> None:
    """A stream that breaks ends with `response.failed`: what there was of it, and the error."""
    body = failing(RateLimited("Slow down."), events)
    found = events_of(body)

    for number, event in enumerate(found):
        EVENT.validate_python(event, strict=True)
        assert event["sequence_number"] == number
    assert found[-1]["type"] == "response.failed"
    assert found[-1]["response"]["status"] == "failed"
    assert found[-1]["response"]["error"] == {
        "code": "rate_limit_exceeded",
        "message": "Slow down.",
    }
    assert len(found[-1]["response"]["output"]) == sum(
        event["type"] == "response.output_item.added" for event in found
    )
    with client(body).responses.stream(model="m", input="hi") as stream:
        assert [event.type for event in stream][-1] == "response.failed"


def test_abort_of_a_stream_straight_through() -> None:
    """A provider's stream that breaks ends with its own Response, failed, under the next number."""
    created = events_of(written([BEGIN, STOP]))[0]
    decoder = StreamDecoder()
    body = sse(created, {**created, "type": "response.in_progress", "sequence_number": 1})
    list(decoder.feed(body))
    last = decoder.abort(StreamTruncated())

    (found,) = events_of(last)
    EVENT.validate_python(found, strict=True)
    assert found["sequence_number"] == 2
    assert found["response"]["id"] == created["response"]["id"]
    assert found["response"]["error"]["code"] == "server_error"
    with client(body + last).responses.stream(model="m", input="hi") as stream:
        assert [event.type for event in stream][-1] == "response.failed"


def test_error_before_anything_is_known() -> None:
    """A stream that breaks before it began ends with an `error` event."""
    body = StreamDecoder().abort(StreamTruncated())
    (event,) = client(body).responses.create(model="m", input="hi", stream=True)
    assert event.type == "error"
    assert event.code == "stream_truncated"


def test_conversation_by_the_sdk() -> None:
    """What the SDK holds of an answer and sends back has the tokens where they belong."""
    output = client(written(PARALLEL)).responses.create(model="m", input="hi", stream=True)
    final = list(output)[-1]
    assert final.type == "response.completed"
    items = [item.model_dump(mode="json", exclude_none=True) for item in final.response.output]
    items.append({"type": "function_call_output", "call_id": "call_a", "output": "sunny"})
    chat = CLIENT.parse(request({"model": "m", "input": items}))

    assistant, result = chat.turns
    thoughts, text, first, second, custom = assistant.parts
    assert (thoughts.text, thoughts.token, thoughts.origin) == ("I think", "sig", "anthropic")  # type: ignore[union-attr]
    assert text.text == "Let me see"  # type: ignore[union-attr]
    assert (first.id, first.token) == ("call_a", "thought")  # type: ignore[union-attr]
    assert (second.id, second.token) == ("call_b", None)  # type: ignore[union-attr]
    assert custom.custom  # type: ignore[union-attr]
    assert result.role == "tool"
