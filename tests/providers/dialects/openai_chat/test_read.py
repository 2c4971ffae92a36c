"""What providers of chat completions say: OpenAI's form and those of its imitators."""

from typing import Any

import msgspec
import pytest

from providers.canonical.answer import Answer, AnswerPart, Counted, Finish
from providers.canonical.request import (
    Citation,
    Media,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from providers.dialogue import UPSTREAMS
from schemas.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    StreamTruncated,
    UpstreamError,
)
from schemas.requests import Dialect
from schemas.usage import Usage
from tests.providers.pairs import chat, events_of, plain, read, read_stream

ORIGIN: Dialect = "openai_chat"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


def whole(message: dict[str, Any], finish: str = "stop", **members: Any) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return read(
        msgspec.json.encode({"id": "a", "model": "m", "choices": [choice], **members}), ORIGIN
    )


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **members: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    found = {"id": "a", "model": "m", "choices": [choice], **members}
    return b"data: " + msgspec.json.encode(found) + b"\n\n"


def stream(*deltas: dict[str, Any], finish: str = "stop") -> Answer:
    """The answer in a stream of these deltas."""
    events = b"".join(event(delta) for delta in deltas) + event(None, finish)
    return read_stream(events + b"data: [DONE]\n\n", ORIGIN, chat())


def parts(answer: Answer) -> tuple[AnswerPart, ...]:
    (choice,) = answer.choices
    return choice.parts


MESSAGES: list[tuple[dict[str, Any], list[AnswerPart]]] = [
    ({"content": "hi"}, [Text("hi")]),
    ({"content": None, "refusal": "no"}, [Refusal("no")]),
    (
        {"content": "a", "reasoning_content": "t"},
        [Reasoning("t", token="reasoning_content", origin=ORIGIN), Text("a")],
    ),
    (
        {"content": "a", "reasoning": "t"},
        [Reasoning("t", token="reasoning", origin=ORIGIN), Text("a")],
    ),
    (
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]},
                {"type": "text", "text": "a"},
            ]
        },
        [Reasoning("t", token="thinking", origin=ORIGIN), Text("a")],
    ),
    (
        {
            "content": "a",
            "reasoning": "t",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "t", "signature": "s", "index": 0}
            ],
        },
        [
            Reasoning(
                "t",
                token='{"type":"reasoning.text","signature":"s","index":0}',
                origin=ORIGIN,
            ),
            Text("a"),
        ],
    ),
    (
        {
            "content": "a",
            "reasoning_details": [
                {"type": "reasoning.summary", "summary": "t", "index": 0},
                {"type": "reasoning.encrypted", "data": "d", "id": "rs", "index": 0},
            ],
        },
        [
            Reasoning("t", True, '{"type":"reasoning.summary","index":0}', ORIGIN),
            Reasoning(
                "",
                False,
                '{"type":"reasoning.encrypted","data":"d","id":"rs","index":0}',
                ORIGIN,
                "rs",
                True,
            ),
            Text("a"),
        ],
    ),
    (
        {
            "content": "",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a":1}'},
                    "extra_content": {"google": {"thought_signature": "s"}},
                },
                {"id": "c2", "index": 1, "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
        },
        [ToolCall("c1", "f", '{"a":1}', token="s"), ToolCall("c2", "g", "x", custom=True)],
    ),
    (
        {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
        [ToolCall("call_a_0_0", "f", '{"a":1}')],
    ),
    (
        {"function_call": {"name": "f", "arguments": "{}"}},
        [ToolCall("call_a_0_0", "f", "{}")],
    ),
    (
        {
            "content": "x",
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
        },
        [Text("x"), Media("image", "AA", media_type="image/png")],
    ),
]


@pytest.mark.parametrize(("message", "found"), MESSAGES)
def test_messages(message: dict[str, Any], found: list[AnswerPart]) -> None:
    """Every form in use is understood, whole and as the delta of a stream that holds all of it."""
    assert list(parts(whole(message))) == found
    assert list(parts(stream(message))) == found


def call(
    index: int | None, name: str | None, arguments: str, call_id: str | None
) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    found: dict[str, Any] = {"function": {k: v for k, v in function.items() if v is not None}}
    if index is not None:
        found["index"] = index
    if call_id is not None:
        found["id"] = call_id
    return {"tool_calls": [found]}


@pytest.mark.parametrize(
    "deltas",
    [
        # OpenAI: numbered, named once, cut arguments, also mixed
        [
            call(0, "f", "", "c1"),
            call(1, "g", "", "c2"),
            call(0, None, '{"a"', None),
            call(1, None, "{}", None),
            call(0, None, ":1}", None),
        ],
        # whole calls in one delta each, without numbers
        [call(None, "f", '{"a":1}', "c1"), call(None, "g", "{}", "c2")],
        # all of number 0
        [call(0, "f", '{"a":1}', "c1"), call(0, "g", "{}", "c2")],
        # without numbers, cut
        [call(None, "f", '{"a":', "c1"), call(None, None, "1}", None), call(None, "g", "{}", "c2")],
        # the id again with each piece
        [call(0, "f", '{"a":', "c1"), call(0, None, "1}", "c1"), call(1, "g", "{}", "c2")],
        # the name, too
        [call(0, "f", '{"a":', "c1"), call(0, "f", "1}", "c1"), call(1, "g", "{}", "c2")],
        # an empty id with each further piece
        [call(0, "f", '{"a":', "c1"), call(0, "", "1}", ""), call(1, "g", "{}", "c2")],
        # arguments before the name
        [call(0, None, '{"a":', "c1"), call(0, "f", "1}", None), call(1, "g", "{}", "c2")],
    ],
)
def test_pieces_of_calls(deltas: list[dict[str, Any]]) -> None:
    """However a provider numbers and cuts its calls, they are the same two."""
    answer = stream(*deltas, finish="tool_calls")
    assert parts(answer) == (ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "{}"))


def test_calls_without_ids() -> None:
    """They get ids that no other call of the conversation has."""
    deltas = [call(0, "f", "{}", None), call(0, "f", "{}", None), call(1, "g", "{}", None)]
    found = parts(stream(*deltas))
    assert [each.id for each in found if isinstance(each, ToolCall)] == [
        "call_a_0_0",
        "call_a_0_1",
        "call_a_0_2",
    ]


def test_a_call_without_a_name() -> None:
    """Nobody can be called: that is the provider's mistake."""
    with pytest.raises(UpstreamError, match="without the tool's name"):
        stream(call(0, None, "{}", "c1"))


def test_pieces_of_thoughts() -> None:
    """Pieces of one entry are one; a signature may come behind; the token ends with the text's begin."""
    text = {"type": "reasoning.text", "index": 0}
    answer = stream(
        {"reasoning": "a", "reasoning_details": [{**text, "text": "a", "format": "x"}]},
        {"reasoning": "b", "reasoning_details": [{**text, "text": "b", "format": None}]},
        {"reasoning_details": [{**text, "signature": "s"}]},
        {"reasoning_details": [{**text, "text": "c"}]},
        {"content": "d"},
    )
    first, second, said = parts(answer)
    assert isinstance(first, Reasoning)
    assert first.text == "ab"
    assert msgspec.json.decode(first.token or "") == {**text, "format": "x", "signature": "s"}
    assert isinstance(second, Reasoning)
    assert second.text == "c"
    assert said == Text("d")


def test_thoughts_told_once_more() -> None:
    """A gateway before us sends the text as it comes, and again with what signs it: it is one."""
    entry = {"type": "reasoning.text", "text": "ab", "signature": "anthropic::s", "index": 0}
    answer = stream(
        {"reasoning_content": "a"},
        {"reasoning_content": "b"},
        {"reasoning_details": [entry]},
        {"content": "c"},
    )
    thought, _ = parts(answer)
    assert isinstance(thought, Reasoning)
    assert (thought.text, thought.origin) == ("ab", ORIGIN)
    assert "anthropic::s" in (thought.token or "")


def test_citations() -> None:
    """Annotations belong to the text; where there are none, pages beside the answer do."""
    url = {"url": "u", "title": "t", "content": "c", "start_index": 0, "end_index": 1}
    annotation = {"type": "url_citation", "url_citation": url}
    (text,) = parts(whole({"content": "a", "annotations": [annotation, {"type": "odd"}]}))
    assert isinstance(text, Text)
    first, second = text.citations
    assert (first.url, first.title, first.cited_text, first.start, first.end) == (
        "u",
        "t",
        "c",
        0,
        1,
    )
    assert plain(second.raw) == {"type": "odd"}
    (text,) = parts(whole({"content": "a"}, citations=["u1", "u2"]))
    assert isinstance(text, Text)
    assert text.citations == (Citation("u1"), Citation("u2"))
    results = [{"url": "u", "title": "t", "snippet": "s"}, {"title": "none"}]
    body = event({"content": "a"}, search_results=results) + event({"content": "b"}, "stop")
    (text,) = parts(read_stream(body, ORIGIN, chat()))
    assert text == Text("ab", citations=(Citation("u", "t", "s"),))


def test_sounds() -> None:
    """Pieces of a sound are one, with its transcript beside."""
    audio = {"id": "x", "data": "AA", "transcript": "he", "expires_at": 5}
    (sound,) = parts(stream({"audio": audio}, {"audio": {"data": "BB", "transcript": "llo"}}))
    assert isinstance(sound, Media)
    assert (sound.kind, sound.data) == ("audio", "AABB")
    assert {name: plain(raw) for name, raw in sound.extra.items()} == {
        "id": "x",
        "transcript": "hello",
        "expires_at": 5,
    }


def test_an_unknown_part_is_kept() -> None:
    """A part of content that only its provider knows stays as it is."""
    (found,) = parts(whole({"content": [{"type": "reference", "reference_ids": [1]}]}))
    assert isinstance(found, Native)
    assert found.kind == "reference"


@pytest.mark.parametrize(
    ("reason", "calls", "found"),
    [
        ("stop", False, Finish("stop")),
        ("length", False, Finish("length")),
        ("content_filter", False, Finish("content_filter")),
        ("tool_calls", True, Finish("tool_calls")),
        ("stop", True, Finish("tool_calls", "stop")),
        ("function_call", True, Finish("tool_calls", "function_call")),
        ("model_length", False, Finish("length", "model_length")),
        ("sensitive", False, Finish("content_filter", "sensitive")),
        ("SOMETHING", False, Finish("something", "SOMETHING")),
    ],
)
def test_reasons(reason: str, calls: bool, found: Finish) -> None:
    """A reason is OpenAI's word where there is one; the provider's own stays beside."""
    message: dict[str, Any] = {"content": "x"}
    if calls:
        message = call(0, "f", "{}", "c")
    assert whole(message, reason).choices[0].finish == found
    assert stream(message, finish=reason).choices[0].finish == found


def test_head_counts_and_choices() -> None:
    """Id, model and time; counts with the tier; several choices by their numbers; log probabilities."""
    logprobs = {"content": [{"token": "x", "logprob": -0.5}], "refusal": None}
    choices = [
        {"index": 1, "message": {"content": "b"}, "finish_reason": "stop"},
        {
            "index": 0,
            "message": {"content": "a"},
            "finish_reason": "length",
            "logprobs": logprobs,
            "native_finish_reason": "MAX",
        },
    ]
    body = {
        "id": "a",
        "model": "m",
        "created": 7.9,
        "choices": choices,
        "usage": USAGE,
        "service_tier": "flex",
    }
    answer = read(msgspec.json.encode(body), ORIGIN)
    assert (answer.id, answer.model, answer.created) == ("a", "m", 7)
    assert (answer.usage, answer.service_tier) == (Usage(3, 2), "flex")
    assert [choice.parts for choice in answer.choices] == [(Text("a"),), (Text("b"),)]
    assert answer.choices[0].finish == Finish("length", "MAX")
    assert plain(answer.choices[0].logprobs) == {"content": logprobs["content"], "refusal": []}


@pytest.mark.parametrize(
    "ends",
    [
        [event(None, "stop"), event(choices=[], usage=USAGE)],
        [event(None, "stop", usage=USAGE)],
        [event(None, "stop", x_groq={"usage": USAGE})],
        [event(usage={"prompt_tokens": 1}), event(None, "stop", usage=USAGE)],
    ],
)
def test_counts_in_streams(ends: list[bytes]) -> None:
    """Wherever the counts come, only those at the end are told, with the tier that came before."""
    body = event({"content": "a"}, service_tier="flex") + b"".join(ends)
    found = [each for each in events_of(body, ORIGIN, chat()) if isinstance(each, Counted)]
    assert found == [Counted(Usage(3, 2), "flex")]


def test_azures_first_event() -> None:
    """What its filter found in the prompt comes before the answer has an id, and is none of it."""
    first = event(id="", model="", choices=[], prompt_filter_results=[{}])
    answer = read_stream(first + event({"content": "a"}, "stop"), ORIGIN, chat())
    assert (answer.id, answer.model, parts(answer)) == ("a", "m", (Text("a"),))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", StreamTruncated),
        (b" \n", StreamTruncated),
        (b'{"choices":[', StreamTruncated),
        (b"<html>", UpstreamError),
        (b'{"choices":[]}', UpstreamError),
        (b'{"choices":1}', UpstreamError),
        (b"[" * 9999, UpstreamError),
        (b'{"id":"\xff","choices":[{}]}', UpstreamError),
        (b'{"error":{"message":"no","code":429}}', RateLimited),
        (b'{"choices":[{"error":{"message":"no","code":400}}]}', InvalidRequest),
    ],
)
def test_answers_that_are_none(body: bytes, kind: type[GatewayError]) -> None:
    """A cut, no JSON, no choice, and an error with status 200 are each what they are."""
    with pytest.raises(GatewayError) as caught:
        read(body, ORIGIN)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{", UpstreamError),
        (b'{"choices":1}', UpstreamError),
        (b'{"x":"\xff"}', UpstreamError),
        (b'{"error":{"message":"no","code":429},"choices":[]}', RateLimited),
        (
            b'{"choices":[{"index":0,"delta":{},"error":{"message":"no","code":400}}]}',
            InvalidRequest,
        ),
    ],
)
def test_errors_in_streams(data: bytes, kind: type[GatewayError]) -> None:
    """An error in a stream ends it; what the event counted is not lost."""
    reader = UPSTREAMS[ORIGIN].reader(chat())
    with pytest.raises(GatewayError) as caught:
        list(reader.read(data))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("n", "events", "whole_at_the_end"),
    [
        (1, [event({"content": "a"})], False),
        (1, [event({"content": "a"}), b"data: [DONE]\n\n"], False),
        (1, [event({"content": "a"}, "stop")], True),
        (2, [event({"content": "a"}, "stop")], False),
        (2, [event({"content": "a"}, "stop"), b"data: [DONE]\n\n"], True),
        (1, [], False),
        (1, [b"data: [DONE]\n\n"], False),
    ],
)
def test_when_a_stream_is_whole(n: int, events: list[bytes], whole_at_the_end: bool) -> None:
    """When every choice has its reason; without `[DONE]`, when there are as many as were asked for."""
    reader = UPSTREAMS[ORIGIN].reader(chat(n=n))
    for each in events:
        list(reader.read(each.removeprefix(b"data: ").strip()))
    assert reader.whole is whole_at_the_end
    assert reader.done is (b"data: [DONE]\n\n" in events)


def test_logprobs_of_another_form_are_no_crash() -> None:
    """What is no object of lists cannot be told on."""
    odd = {"index": 0, "delta": {"content": "a"}, "logprobs": [1], "finish_reason": "stop"}
    with pytest.raises(UpstreamError):
        read_stream(event(choices=[odd]), ORIGIN, chat())
