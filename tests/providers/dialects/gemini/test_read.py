"""What a provider answers, whole and streamed."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from providers.canonical.answer import (
    Answer,
    Begin,
    Choice,
    Cited,
    Counted,
    End,
    Finish,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.request import Citation, Custom, Media, Native, Reasoning, Text, ToolCall
from providers.dialects.gemini.upstream import Upstream
from schemas.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    StreamTruncated,
    UpstreamError,
)
from schemas.usage import Usage
from tests.providers.dialects.gemini.support import (
    MODEL,
    asked,
    candidate,
    events_of,
    folded,
    read,
    streamed,
)
from tests.providers.dialects.gemini.test_parse import JSON


def choice(response: object) -> Choice:
    (found,) = read(response).choices
    return found


def test_a_whole_answer() -> None:
    """Parts, finish reason, id, model, counts and tier."""
    response = {
        **candidate({"text": "hm", "thought": True}, {"text": "4"}),
        "createTime": "2025-06-27T08:48:22.055757Z",
        "usageMetadata": {
            "promptTokenCount": 10,
            "cachedContentTokenCount": 6,
            "candidatesTokenCount": 1,
            "thoughtsTokenCount": 5,
            "toolUsePromptTokenCount": 2,
            "totalTokenCount": 18,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}],
            "serviceTier": "standard",
        },
    }

    assert read(response) == Answer(
        "a-1",
        MODEL,
        (Choice(0, (Reasoning("hm", True), Text("4")), Finish("stop", "STOP")),),
        Usage(12, 6, 6, 0, 5, {"toolUsePromptTokenCount": 2, "promptTokensDetails.TEXT": 10}),
        "default",
        1751014102,
    )


def test_a_stream() -> None:
    """Chunks become events; a text's signature follows it, and counts come last."""
    body = streamed(
        candidate({"text": "hm", "thought": True}, finish=None),
        candidate({"text": "Hel"}, finish=None),
        candidate({"text": "lo"}, finish=None),
        {
            **candidate({"text": "", "thoughtSignature": "c2ln"}),
            "usageMetadata": {"promptTokenCount": 3},
        },
    )

    assert events_of(body) == [
        Begin("a-1", MODEL),
        ReasoningDelta("hm", summary=True),
        TextDelta("Hel"),
        TextDelta("lo"),
        ReasoningEnd("c2ln", "gemini", redacted=True),
        End(Finish("stop", "STOP")),
        Counted(Usage(input_tokens=3)),
    ]


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "malformed_function_call"),
        ("OTHER", "other"),
        ("BRAND_NEW", "brand_new"),
    ],
)
def test_finish_reasons(native: str, reason: str) -> None:
    """Google's words as OpenAI's, those without one in lower case."""
    assert choice(candidate(finish=native)).finish == Finish(reason, native)


def test_calls() -> None:
    """A call makes the finish reason; one without an id gets one that no other answer has."""
    response = candidate(
        {"functionCall": {"name": "f", "args": {"n": 1.50}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "own", "name": "g"}},
    )
    found = choice(response)

    assert found.parts == (
        ToolCall("call_a-1_0_0", "f", '{"n":1.5}', token="c2ln"),
        ToolCall("own", "g", "{}"),
    )
    assert found.finish == Finish("tool_calls", "STOP")


def test_ids_without_the_answers_id() -> None:
    """An answer without an id gives other ids than one that says something else, and always the same."""
    first, second = (
        candidate({"functionCall": {"name": "f"}}),
        candidate({"functionCall": {"name": "g"}}),
    )
    del first["responseId"], second["responseId"]
    ids = {
        part.id
        for found in (first, second, first)
        for part in choice(found).parts
        if isinstance(part, ToolCall)
    }

    assert len(ids) == 2


def test_free_text_calls() -> None:
    """A call of a tool that takes free text is that text, whole and streamed."""
    chat = asked(tools=(Custom("patch"),))
    good = {"functionCall": {"id": "a", "name": "patch", "args": {"input": "x\ny"}}}
    bad = {"functionCall": {"id": "b", "name": "patch", "args": {"text": 1}}}
    other = {"functionCall": {"id": "c", "name": "f", "args": {"input": "x"}}}
    response = candidate(good, bad, other)
    expected = (
        ToolCall("a", "patch", "x\ny", custom=True),
        ToolCall("b", "patch", '{"text":1}', custom=True),
        ToolCall("c", "f", '{"input":"x"}'),
    )

    assert Upstream().restored(read(response), chat).choices[0].parts == expected
    events = events_of(streamed(response), chat)
    begun = [event for event in events if isinstance(event, ToolCallBegin)]
    deltas = [event.arguments for event in events if isinstance(event, ToolCallDelta)]
    assert [(event.id, event.custom) for event in begun] == [("a", True), ("b", True), ("c", False)]
    assert deltas == [part.arguments for part in expected]


def test_other_parts() -> None:
    """Pictures, files, and what only Gemini knows, which stays as it was."""
    code = {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "c2ln"}
    found = choice(
        candidate(
            {"inlineData": {"mimeType": "image/png", "data": "AA-_"}, "thoughtSignature": "cGlj"},
            {"fileData": {"fileUri": "https://x.example/a.mp4"}},
            code,
            {"thoughtSignature": "Yg=="},
        )
    )

    assert found.parts == (
        Media("image", data="AA+/", media_type="image/png", token="cGlj"),
        Media("video", url="https://x.example/a.mp4"),
        Native("gemini", "executableCode", Raw(msgspec.json.encode(code))),
        Reasoning(token="Yg==", origin="gemini", redacted=True),
    )


def test_a_signature_is_not_of_the_thoughts_before() -> None:
    """A part with an empty text and a signature behind thoughts does not sign them."""
    found = choice(
        candidate({"text": "hm", "thought": True}, {"text": "", "thoughtSignature": "c2ln"})
    )

    assert found.parts == (
        Reasoning("hm", True),
        Reasoning(token="c2ln", origin="gemini", redacted=True),
    )


def test_a_thought_and_its_signature() -> None:
    """A signature on a thought, in the same part or behind it, is of that thought."""
    together = candidate({"text": "hm", "thought": True, "thoughtSignature": "c2ln"})
    behind = candidate(
        {"text": "hm", "thought": True}, {"thought": True, "thoughtSignature": "c2ln"}
    )

    assert (
        choice(together).parts == choice(behind).parts == (Reasoning("hm", True, "c2ln", "gemini"),)
    )


def test_citations() -> None:
    """Google counts bytes, the middle characters; each source of a segment is a citation."""
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://x.example", "title": "X"}},
            {"retrievedContext": {"title": "Y", "text": "source"}},
        ],
        "groundingSupports": [
            {
                "segment": {"startIndex": 3, "endIndex": 10, "text": "Zürich"},
                "groundingChunkIndices": [0, 1, 9],
            }
        ],
    }
    (part,) = choice(candidate({"text": "In Zürich."}, groundingMetadata=grounding)).parts

    assert isinstance(part, Text)
    assert part.citations == (
        Citation("https://x.example", "X", None, 3, 9, dialect="gemini"),
        Citation(None, "Y", "source", 3, 9, dialect="gemini"),
    )
    assert part.text[3:9] == "Zürich"


def test_citations_whose_place_is_wrong() -> None:
    """Offsets that do not fit are looked for by their text, or left out."""
    segments = [
        {"startIndex": 4, "endIndex": 5, "text": "\u00fc"},  # begins inside of a character
        {"startIndex": 90, "endIndex": 99, "text": "nowhere"},
    ]
    grounding = {
        "groundingChunks": [{"web": {"uri": "u"}}],
        "groundingSupports": [
            {"segment": segment, "groundingChunkIndices": [0]} for segment in segments
        ],
    }
    (part,) = choice(candidate({"text": "Zürich"}, groundingMetadata=grounding)).parts

    assert isinstance(part, Text)
    assert [(found.start, found.end) for found in part.citations] == [(1, 2), (None, None)]


def test_citations_of_a_later_part() -> None:
    """Offsets count from the first text, the middle's from the part that is cited."""
    code = {"executableCode": {"code": "1"}}
    support = {
        "segment": {"startIndex": 3, "endIndex": 5, "text": "de"},
        "groundingChunkIndices": [0],
    }
    grounding = {"groundingChunks": [{"web": {"uri": "u"}}], "groundingSupports": [support]}
    parts = choice(
        candidate({"text": "abc"}, code, {"text": "def"}, groundingMetadata=grounding)
    ).parts

    assert isinstance(parts[2], Text)
    assert [(found.start, found.end) for found in parts[2].citations] == [(0, 2)]


def test_sources_without_a_place_and_recited_ones() -> None:
    """Sources without supports are citations of the whole; citationMetadata has places of its own."""
    sources = {"groundingChunks": [{"web": {"uri": "u"}}]}
    recited = {"citationSources": [{"startIndex": 0, "endIndex": 2, "uri": "v"}]}
    events = events_of(
        streamed(candidate({"text": "abc"}, groundingMetadata=sources, citationMetadata=recited))
    )

    assert [event.citation for event in events if isinstance(event, Cited)] == [
        Citation("u", dialect="gemini"),
        Citation("v", None, None, 0, 2, dialect="gemini"),
    ]


def test_logprobs() -> None:
    """As OpenAI chat writes them."""
    result = {
        "chosenCandidates": [{"token": "ü", "tokenId": 1, "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.5}]}],
    }
    found = choice(candidate({"text": "ü"}, logprobsResult=result)).logprobs

    assert found is not None
    assert msgspec.json.decode(found) == {
        "content": [
            {
                "token": "ü",
                "logprob": -0.5,
                "bytes": [195, 188],
                "top_logprobs": [{"token": "b", "logprob": -1.5, "bytes": [98]}],
            }
        ]
    }


def test_a_blocked_prompt() -> None:
    """A refused prompt is an answer without parts that was filtered, whole and streamed."""
    response = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 4},
    }

    for answer in (read(response), folded(streamed(response))):
        assert answer.choices == (Choice(0, (), Finish("content_filter", "SAFETY")),)
        assert answer.usage == Usage(input_tokens=4)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}, RateLimited),
        ({"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}, InvalidRequest),
        ({"code": 500, "message": "oh", "status": "INTERNAL"}, UpstreamError),
        ({"message": "who knows"}, UpstreamError),
    ],
)
def test_errors_in_band(error: dict[str, object], expected: type[GatewayError]) -> None:
    """An error with status 200, whole, streamed or in an array, is classified by its code."""
    body = msgspec.json.encode({"error": error})
    with pytest.raises(expected, match=str(error["message"])):
        Upstream().answer(body)
    with pytest.raises(expected):
        Upstream().answer(b"[" + body + b"]")
    reader = Upstream().reader(asked())
    list(reader.read(msgspec.json.encode(candidate({"text": "a"}, finish=None))))
    with pytest.raises(expected):
        list(reader.read(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b'{"candidates": [{"content": {"par',
        b'[{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}]',
    ],
)
def test_cut_answers(body: bytes) -> None:
    """An answer that was cut, or an array whose last chunk is missing, is StreamTruncated."""
    with pytest.raises(StreamTruncated):
        Upstream().answer(body)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"candidates": 1}',
        b'{"candidates": []}',
        b"{}",
        b"[]x",
        b'{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}',
    ],
)
def test_malformed_answers(body: bytes) -> None:
    """What is no answer is the provider's mistake."""
    with pytest.raises(UpstreamError):
        Upstream().answer(body)


def test_when_a_stream_is_whole() -> None:
    """Every candidate that was asked for must have its finish reason."""
    reader = Upstream().reader(asked(n=2))
    first: dict[str, Any] = candidate({"text": "a"})
    assert not reader.whole
    list(reader.read(msgspec.json.encode(first)))
    assert not reader.whole
    first["candidates"][0]["index"] = 1
    list(reader.read(msgspec.json.encode(first)))
    assert reader.whole
    assert not reader.done


def test_several_candidates() -> None:
    """Each is a choice with parts of its own."""
    second = candidate({"functionCall": {"id": "x", "name": "f"}})["candidates"][0]
    response = candidate({"text": "a"})
    response["candidates"].append({**second, "index": 1})

    assert [found.finish and found.finish.reason for found in read(response).choices] == [
        *("stop", "tool_calls")
    ]


@settings(deadline=None)
@given(JSON.map(msgspec.json.encode) | st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_an_error(body: bytes) -> None:
    """Whatever a provider sends, nothing but GatewayError comes of it."""
    with suppress(GatewayError):
        assert Upstream().answer(body).choices
    with suppress(GatewayError):
        assert isinstance(list(Upstream().reader(asked()).read(body)), list)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["text", "thought", "functionCall", "inlineData", "x"]), JSON, max_size=3
    ),
    JSON,
)
def test_any_parts_are_read_or_an_error(part: dict[str, object], grounding: object) -> None:
    """The same where most is read."""
    with suppress(GatewayError):
        events = events_of(streamed(candidate(part, groundingMetadata=grounding)))
        assert isinstance(events[0], Begin)
    with suppress(GatewayError):
        found = events_of(streamed(candidate({"x": part})))
        assert any(isinstance(event, NativePart) for event in found)
