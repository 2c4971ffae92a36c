"""What a Gemini caller gets."""

from base64 import b64decode
from typing import Any

import msgspec
import pytest
from google.genai.types import GenerateContentResponse
from hypothesis import given, settings, strategies as st
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
    Logprobs,
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
    Citation,
    Media,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from providers.dialects.gemini.client import Client
from providers.dialects.gemini.upstream import Upstream
from schemas.errors import StreamTruncated
from schemas.usage import Usage
from tests.providers.canonical_strategies import ARGUMENTS, IDS, NAMES, TEXTS
from tests.providers.dialects.gemini.support import (
    MODEL,
    chunks_of,
    context,
    events_of,
    parse,
    written,
)

END = End(Finish("stop"))


def answered(*parts: Any, finish: Finish | None = END.finish, **members: Any) -> dict[str, Any]:
    """The candidate of a whole answer."""
    choice = Choice(0, parts, finish, **members)
    body = Client().answer(Answer("a-1", "m-1", (choice,)), context())
    (found,) = msgspec.json.decode(body)["candidates"]
    return found


def stream(*events: Event) -> list[dict[str, Any]]:
    return chunks_of(written([Begin("a-1", "m-1"), *events]))


def parts_of(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of all chunks but the empty text of the last."""
    found = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    return found[:-1] if found[-1] == {"text": ""} else found


def test_a_whole_answer() -> None:
    """Google's names, counts as Google has them, id and model."""
    usage = Usage(12, 6, 4, 1, 5, {"prompt_tokens_details.audio_tokens": 3})
    choice = Choice(0, (Reasoning("hm"), Text("4")), Finish("length"))
    body = Client().answer(
        Answer("a-1", "m-1", (choice,), usage, "default", 1_751_014_102), context()
    )

    assert msgspec.json.decode(body) == {
        "candidates": [
            {
                "content": {
                    "parts": [{"text": "hm", "thought": True}, {"text": "4"}],
                    "role": "model",
                },
                "finishReason": "MAX_TOKENS",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 12,
            "candidatesTokenCount": 1,
            "totalTokenCount": 18,
            "cachedContentTokenCount": 4,
            "thoughtsTokenCount": 5,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}],
            "serviceTier": "standard",
        },
        "createTime": "2025-06-27T08:48:22.000000Z",
        "modelVersion": "m-1",
        "responseId": "a-1",
    }


def test_a_stream() -> None:
    """Each chunk is a response with id and model; finish reason and counts stand in the last."""
    chunks = stream(TextDelta("Hel"), TextDelta("lo"), END, Counted(Usage(3, 2)))

    named = {"modelVersion": "m-1", "responseId": "a-1"}
    assert chunks == [
        {
            "candidates": [{"content": {"parts": [{"text": "Hel"}], "role": "model"}, "index": 0}],
            **named,
        },
        {
            "candidates": [{"content": {"parts": [{"text": "lo"}], "role": "model"}, "index": 0}],
            **named,
        },
        {
            "candidates": [
                {
                    "content": {"parts": [{"text": ""}], "role": "model"},
                    "finishReason": "STOP",
                    "index": 0,
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 3,
                "candidatesTokenCount": 2,
                "totalTokenCount": 5,
            },
            **named,
        },
    ]


def test_pieces_that_come_at_once_are_one_chunk() -> None:
    """What one read of the network brought goes out in one event."""
    writer = Client().writer(context())
    body = writer.write([Begin("a-1", "m-1"), TextDelta("Hel"), TextDelta("lo"), END])

    assert body.startswith(b"data: ")
    assert body.endswith(b"\r\n\r\n")
    assert parts_of(chunks_of(body)) == [{"text": "Hello"}]


def test_an_end_is_held_back() -> None:
    """No chunk with a finish reason goes out before the outcome is recorded."""
    writer = Client().writer(context())
    before = writer.write([TextDelta("a"), END, Counted(Usage(1, 1))])

    assert b"finishReason" not in before
    assert b"finishReason" in writer.end()


def test_calls_are_whole() -> None:
    """Pieces of calls, mixed, become parts with whole arguments before what follows them."""
    chunks = stream(
        TextDelta("a"),
        ToolCallBegin(0, "x", "f", token="c2ln"),
        ToolCallDelta(0, '{"n":'),
        ToolCallBegin(1, "y", "g"),
        ToolCallDelta(1, ""),
        ToolCallDelta(0, " 1.50}"),
        ToolCallDelta(1, "{}"),
        TextDelta("b"),
        END,
    )

    assert parts_of(chunks) == [
        {"text": "a"},
        {"functionCall": {"id": "x", "name": "f", "args": {"n": 1.5}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "y", "name": "g", "args": {}}},
        {"text": "b"},
    ]


def test_a_call_that_grows_behind_a_text() -> None:
    """A call that is not whole when a text follows goes out at the end."""
    chunks = stream(
        ToolCallBegin(0, "x", "f"),
        ToolCallDelta(0, '{"n":'),
        TextDelta("b"),
        ToolCallDelta(0, "1}"),
        END,
    )

    assert parts_of(chunks) == [
        {"text": "b"},
        {"functionCall": {"id": "x", "name": "f", "args": {"n": 1}}},
    ]


@pytest.mark.parametrize("arguments", ["{broken", "[1]", "text"])
def test_malformed_arguments(arguments: str) -> None:
    """A call that nobody can read ends an answer as it does at Google, and is shown in the message."""
    events = (ToolCallBegin(0, "x", "f"), ToolCallDelta(0, arguments), End(Finish("tool_calls")))
    last = stream(*events)[-1]["candidates"][0]
    whole = answered(ToolCall("x", "f", arguments), finish=Finish("tool_calls"))

    for found in (last, whole):
        assert found["finishReason"] == "MALFORMED_FUNCTION_CALL"
        assert arguments in found["finishMessage"]
        assert "functionCall" not in str(found["content"])


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish("stop", "end_turn"), "STOP"),
        (Finish("tool_calls"), "STOP"),
        (Finish("length"), "MAX_TOKENS"),
        (Finish("content_filter", "refusal"), "SAFETY"),
        (Finish("content_filter", "SPII"), "SPII"),
        (Finish("malformed_function_call"), "MALFORMED_FUNCTION_CALL"),
        (Finish("pause_turn"), "OTHER"),
    ],
)
def test_finish_reasons(finish: Finish, word: str) -> None:
    """Google's words; OTHER for those that it does not have."""
    assert answered(Text("a"), finish=finish)["finishReason"] == word


def test_foreign_tokens_travel_as_signatures() -> None:
    """A token of another provider is sealed in base64, so that an SDK can keep it and it comes back."""
    thought = Reasoning("hm", False, "sig+/=", "anthropic")
    hidden = Reasoning("", False, "enc", "openai_responses", "rs_1", redacted=True)
    empty = Reasoning("", False, "sig", "anthropic")
    content = answered(thought, hidden, empty, Text("so"))["content"]

    assert b64decode(content["parts"][0]["thoughtSignature"]) == b"anthropic::sig+/="
    assert b64decode(content["parts"][1]["thoughtSignature"]) == b"openai_responses:rs_1:enc"
    assert "text" not in content["parts"][1]
    (turn,) = parse({"contents": [content]}).turns
    assert turn.parts == (
        Reasoning("hm", True, "sig+/=", "anthropic"),
        Reasoning("", False, "enc", "openai_responses", "rs_1", redacted=True),
        Reasoning("", True, "sig", "anthropic"),
        Text("so"),
    )


def test_a_streamed_thoughts_token_comes_behind_it() -> None:
    """Its text is out already: a part with an empty one carries the signature, and the two are one
    thought when they come back."""
    chunks = stream(
        ReasoningDelta("h"),
        ReasoningDelta("m"),
        ReasoningEnd("sig", "anthropic"),
        TextDelta("so"),
        END,
    )
    contents = [chunk["candidates"][0]["content"] for chunk in chunks]

    assert contents[2]["parts"][0].keys() == {"text", "thought", "thoughtSignature"}
    (turn,) = parse({"contents": contents}).turns
    assert turn.parts == (Reasoning("hm", True, "sig", "anthropic"), Text("so"))


def test_other_parts() -> None:
    """Pictures, refusals and Gemini's own; what only another dialect knows has no place."""
    own = Native("gemini", "executableCode", Raw(b'{"executableCode":{"code":"1"}}'))
    other = Native("anthropic", "server_tool_use", Raw(b"{}"))
    picture = Media("image", data="AAEC", media_type="image/png", token="cGlj")
    content = answered(
        picture, own, other, Refusal("no"), Media("audio", url="https://x.example/a.mp3")
    )

    assert content["content"]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "AAEC"}, "thoughtSignature": "cGlj"},
        {"executableCode": {"code": "1"}},
        {"text": "no"},
        {"fileData": {"mimeType": "audio/mpeg", "fileUri": "https://x.example/a.mp3"}},
    ]


def test_citations() -> None:
    """Sources once each, places in bytes: of their part in an answer, of all text in a stream."""
    first = Citation("https://x.example", "X", None, 3, 9)
    second = Citation(None, "Y", "source", 0, 3)
    nowhere = Citation("https://x.example", "X")
    own = Native("gemini", "x", Raw(b'{"x":1}'))
    whole = answered(
        Text("In Zürich.", citations=(first,)), own, Text("Yes", citations=(second, nowhere))
    )
    events = (
        *(TextDelta("In Zürich."), Cited(first), NativePart(own)),
        *(RefusalDelta("Yes"), Cited(second), Cited(nowhere), Break(), END),
    )
    last = stream(*events)[-1]["candidates"][0]

    chunks = [
        {"web": {"uri": "https://x.example", "title": "X"}},
        {"retrievedContext": {"title": "Y", "text": "source"}},
    ]
    segment = {"startIndex": 3, "endIndex": 10, "text": "Zürich"}
    assert whole["groundingMetadata"] == {
        "groundingChunks": chunks,
        "groundingSupports": [
            {"segment": segment, "groundingChunkIndices": [0]},
            {
                "segment": {"endIndex": 3, "text": "Yes", "partIndex": 2},
                "groundingChunkIndices": [1],
            },
        ],
    }
    assert last["groundingMetadata"] == {
        "groundingChunks": chunks,
        "groundingSupports": [
            {"segment": segment, "groundingChunkIndices": [0]},
            {
                "segment": {"startIndex": 11, "endIndex": 14, "text": "Yes"},
                "groundingChunkIndices": [1],
            },
        ],
    }


def test_logprobs() -> None:
    """OpenAI's form as Google's, several pieces of a chunk as one; refusals' have no place."""
    raw = b'{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-2}]}]}'
    refusal = Raw(b'{"content":null,"refusal":[]}')
    writer = Client().writer(context())
    body = writer.write(
        [TextDelta("aa"), Logprobs(Raw(raw)), Logprobs(Raw(raw)), Logprobs(refusal)]
    )
    (chunk,) = chunks_of(body)

    token = {"token": "a", "logProbability": -1.0}
    assert chunk["candidates"][0]["logprobsResult"] == {
        "chosenCandidates": [token, token],
        "topCandidates": [{"candidates": [{"token": "b", "logProbability": -2.0}]}] * 2,
    }
    assert answered(Text("a"), logprobs=Raw(raw))["logprobsResult"]["chosenCandidates"] == [token]


def test_several_choices() -> None:
    """Each is a candidate with its index; all of them end in the last chunk."""
    chunks = stream(TextDelta("a"), TextDelta("b", 1), End(Finish("length"), 1), END)

    assert [chunk["candidates"][0]["index"] for chunk in chunks[:2]] == [0, 1]
    ends = [(found["index"], found["finishReason"]) for found in chunks[-1]["candidates"]]
    assert ends == [(0, "STOP"), (1, "MAX_TOKENS")]


def test_an_answer_without_parts() -> None:
    """A filtered answer has an empty content, as Google writes it."""
    assert answered(finish=Finish("content_filter")) == {
        "content": {},
        "finishReason": "SAFETY",
        "index": 0,
    }


def test_without_id_and_model() -> None:
    """The request's own id and the provider's model stand in for what the provider does not say."""
    (chunk, _) = chunks_of(written([TextDelta("a"), END]))

    assert (chunk["responseId"], chunk["modelVersion"]) == ("r-1", MODEL)


def test_an_error_ends_a_stream() -> None:
    """As Google's error object, in an event of its own."""
    (found,) = chunks_of(
        Client().writer(context()).abort(StreamTruncated()).replace(b"\n\n", b"\r\n\r\n")
    )

    assert found["error"]["code"] == 502
    assert found["error"]["status"] == "UNAVAILABLE"


CALLS = st.builds(
    ToolCall, id=IDS, name=NAMES, arguments=ARGUMENTS, token=st.none() | st.just("c2ln")
)
ENDS = st.sampled_from(
    [Finish("stop", "STOP"), Finish("length", "MAX_TOKENS"), Finish("content_filter", "SPII")]
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Whole answers with what Gemini can say."""
    said = draw(
        st.lists(TEXTS.map(lambda text: Reasoning(text, True)) | TEXTS.map(Text), max_size=4)
    )
    parts = [
        part for at, part in enumerate(said) if at == 0 or type(said[at - 1]) is not type(part)
    ]
    calls = draw(st.lists(CALLS, max_size=2))
    finish = Finish("tool_calls", "STOP") if calls else draw(ENDS)
    usage = draw(
        st.none()
        | st.builds(
            Usage,
            st.integers(1, 99),
            st.just(60),
            st.integers(0, 1),
            st.just(0),
            st.integers(0, 60),
        )
    )
    return Answer("a-1", "m-1", (Choice(0, (*parts, *calls), finish),), usage)


@settings(deadline=None)
@given(answers())
def test_an_answer_survives_gemini(answer: Answer) -> None:
    """Written and read again, whole and streamed, an answer is what it was, and the official SDK reads
    every piece of it."""
    body = Client().answer(answer, context())
    streamed = written(unfold(answer))

    assert Upstream().answer(body) == answer
    assert fold(events_of(streamed)) == answer
    for found in (msgspec.json.decode(body), *chunks_of(streamed)):
        GenerateContentResponse.model_validate(found)


def test_the_official_sdk_understands_it() -> None:
    """google-genai finds text, thoughts, calls, finish reason and counts where it looks for them."""
    choice = Choice(
        0, (Reasoning("hm"), Text("hi"), ToolCall("x", "f", '{"n":1}')), Finish("tool_calls")
    )
    body = Client().answer(Answer("a-1", "m-1", (choice,), Usage(3, 2)), context())
    found = GenerateContentResponse.model_validate(msgspec.json.decode(body))

    assert found.candidates is not None
    assert found.candidates[0].content is not None
    parts = found.candidates[0].content.parts
    assert parts is not None
    assert [(part.thought, part.text) for part in parts[:2]] == [(True, "hm"), (None, "hi")]
    assert found.function_calls is not None
    assert found.function_calls[0].args == {"n": 1}
    assert found.candidates[0].finish_reason == "STOP"
    assert found.usage_metadata is not None
    assert found.usage_metadata.total_token_count == 5
