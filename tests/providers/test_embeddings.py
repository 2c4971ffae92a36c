"""Vectors for texts, by callers and providers of both dialects."""

import struct
from base64 import b64decode, b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.genai.types import EmbedContentResponse
from hypothesis import given, settings, strategies as st
from msgspec import Raw
from msgspec.structs import replace
from openai.types import CreateEmbeddingResponse

from providers.base import Endpoint, Members, Route, Target
from providers.embeddings.dialogue import Converted, Passed, embed
from schemas.errors import InvalidRequest
from schemas.replies import Completed, Failed
from schemas.requests import Request
from schemas.usage import Usage
from tests.providers.dialects.gemini.support import recordings
from tests.providers.support import fold

BASE = "http://127.0.0.1:1"
ROUTES = {
    "openai_embeddings": Route(f"{BASE}/v1/embeddings"),
    "gemini_embeddings": Route(f"{BASE}/v1beta/models/{{model}}"),
}
ENDPOINT = Endpoint("east", ROUTES, BASE, f"{BASE}/models", {"x-key": "secret"})


def target(route: str, **changes: Any) -> Target:
    return Target(replace(ENDPOINT, routes={route: replace(ROUTES[route], **changes)}), "m-1")


OPENAI, GEMINI = target("openai_embeddings"), target("gemini_embeddings")


def ask(
    body: object, at: Target, dialect: Any = "openai_chat", *, drop: bool = False
) -> Passed | Converted:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return embed(
        Request(
            request_id="r-1",
            body=raw,
            operation="embeddings",
            dialect=dialect,
            drop_params=drop,
            http_headers={"x-own": "1"},
        ),
        at,
    )


def sent(dialogue: Passed | Converted) -> Any:
    return msgspec.json.decode(dialogue.sent.body)


def outcome(dialogue: Passed | Converted, body: object) -> Completed | Failed:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    decoder = dialogue.decoder("application/json")
    assert not decoder.done
    return fold(decoder, [raw[:5], raw[5:]])[1]


def answer(dialogue: Passed | Converted, body: object) -> Any:
    end = outcome(dialogue, body)
    assert isinstance(end, Completed), end
    return msgspec.json.decode(end.data)


def content(*texts: str) -> dict[str, Any]:
    return {"parts": [{"text": text} for text in texts]}


def test_recorded_batches_pass_through(shared_dir: Path) -> None:
    """A recorded batch reaches the provider and its vectors the caller byte by byte; counts are read."""
    counted = 0
    for recording, model in recordings(shared_dir, "batchEmbedContents"):
        body = msgspec.json.encode(recording.request)
        dialogue = ask(body, replace(GEMINI, model=model), "gemini")
        assert dialogue.sent.body == body
        assert dialogue.sent.url.endswith(f"/{model}:batchEmbedContents")
        assert dialogue.sent.headers["x-own"] == "1"
        if recording.status != 200:
            failed = dialogue.failure(recording.status, {}, recording.body())
            assert failed.body == recording.body()
            continue
        end = outcome(dialogue, recording.body())
        assert isinstance(end, Completed)
        assert end.data == recording.body()
        counted += end.usage is not None
    assert counted == 5


def test_recorded_batches_for_an_openai_caller(shared_dir: Path) -> None:
    """The vectors of a recorded answer, digit by digit."""
    for recording, _ in recordings(shared_dir, "batchEmbedContents"):
        if recording.status != 200:
            continue
        texts = [found["content"]["parts"][0]["text"] for found in recording.request["requests"]]
        found = answer(ask({"model": "x", "input": texts}, GEMINI), recording.body())

        vectors = [found["embedding"] for found in found["data"]]
        assert vectors == [found["values"] for found in recording.response["embeddings"]]
        CreateEmbeddingResponse.model_validate(found)


def test_one_content_is_a_route_of_its_own() -> None:
    """What is called is told by the body: embedContent has one content."""
    body = {"content": content("a")}

    assert ask(body, GEMINI, "gemini").sent.url.endswith("/m-1:embedContent")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"model": "models/x", "content": {}}, {"model": "models/m-1", "content": {}}),
        (
            {"requests": [{"model": "models/x"}, {"model": "models/m-1"}]},
            {"requests": [{"model": "models/m-1"}, {"model": "models/m-1"}]},
        ),
        ({"requests": [{"content": {}}]}, {"requests": [{"content": {}}]}),
    ],
)
def test_gemini_bodies_name_the_model(body: object, expected: object) -> None:
    """Every request of a batch names the model as the provider does, if it names it at all."""
    assert sent(ask(body, GEMINI, "gemini")) == expected


def test_openai_passes_through() -> None:
    """Only the model's name and quirks change the body; any input and any member goes."""
    body = {"model": "x", "input": [[1, 2]], "new": 1}
    dialogue = ask(body, OPENAI)
    response = {
        "data": [{"index": 0, "embedding": "AAAA"}],
        "model": "m",
        "usage": {"prompt_tokens": 2},
    }
    end = outcome(dialogue, response)

    assert sent(dialogue) == {**body, "model": "m-1"}
    assert isinstance(end, Completed)
    assert end == Completed(msgspec.json.encode(response), None, Usage(2), "m")
    assert dialogue.media_type("application/json; charset=x") == "application/json; charset=x"
    assert ask(b'{"model":"m-1", "input":"a"}', OPENAI).sent.body == b'{"model":"m-1", "input":"a"}'


def test_quirks() -> None:
    """A route's quirks adapt what is passed and what is converted."""

    def quirk(members: Members, model: str) -> Members:
        return {**members, "quirk": Raw(b"true")}

    for at in (
        target("openai_embeddings", quirks=(quirk,)),
        target("gemini_embeddings", quirks=(quirk,)),
    ):
        assert sent(ask({"model": "m-1", "input": "a"}, at))["quirk"] is True

    same = target("openai_embeddings", quirks=(lambda members, model: members,))
    assert ask(b'{"model":"m-1", "input":"a"}', same).sent.body == b'{"model":"m-1", "input":"a"}'


def test_openai_caller_and_gemini_provider() -> None:
    """One request a text, with the dimensions; the answer in OpenAI's form."""
    dialogue = ask({"model": "x", "input": ["a", "b"], "dimensions": 2, "user": "u"}, GEMINI)
    assert dialogue.sent.url.endswith("/models/m-1:batchEmbedContents")
    assert "x-own" not in dialogue.sent.headers
    assert sent(dialogue) == {
        "requests": [
            {"model": "models/m-1", "content": content(text), "outputDimensionality": 2}
            for text in ("a", "b")
        ]
    }
    assert dialogue.dropped == ("user",)
    response = b'{"embeddings":[{"values":[0.10,1]},{"values":[2,3]}],"usageMetadata":{"promptTokenCount":4}}'
    end = outcome(dialogue, response)

    assert isinstance(end, Completed)
    assert end.usage == Usage(4)
    assert b'"embedding":[0.10,1]' in end.data
    assert msgspec.json.decode(end.data) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.1, 1]},
            {"object": "embedding", "index": 1, "embedding": [2, 3]},
        ],
        "model": "m-1",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
    assert dialogue.media_type("text/html") == "application/json"


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=8))
def test_base64_is_little_endian_float32(values: list[float]) -> None:
    """As OpenAI's SDK asks for by itself."""
    dialogue = ask({"model": "x", "input": "a", "encoding_format": "base64"}, GEMINI)
    found = answer(dialogue, {"embeddings": [{"values": values}]})["data"][0]["embedding"]

    assert list(struct.unpack(f"<{len(values)}f", b64decode(found))) == values


def test_gemini_caller_and_openai_provider() -> None:
    """One content or several; the answer in the form that was called, in the texts' order."""
    batch = {
        "requests": [
            {"model": "models/x", "content": content(text), "outputDimensionality": 2}
            for text in "ab"
        ]
    }
    single = {"content": content("a", "b"), "embed_content_config": {"output_dimensionality": "2"}}
    several, one = ask(batch, OPENAI, "gemini"), ask(single, OPENAI, "gemini")

    assert sent(several) == {
        "model": "m-1",
        "input": ["a", "b"],
        "encoding_format": "float",
        "dimensions": 2,
    }
    assert sent(one) == {
        "model": "m-1",
        "input": ["ab"],
        "encoding_format": "float",
        "dimensions": 2,
    }
    assert several.sent.url == f"{BASE}/v1/embeddings"
    packed = b64encode(struct.pack("<2f", 0.5, 1)).decode()
    data = [{"index": 1, "embedding": packed}, {"index": 0, "embedding": [2, 3]}]
    found = answer(several, {"data": data, "usage": {"prompt_tokens": 4, "total_tokens": 4}})
    usage = {"promptTokenCount": 4, "candidatesTokenCount": 0, "totalTokenCount": 4}
    assert found == {
        "embeddings": [{"values": [2, 3]}, {"values": [0.5, 1.0]}],
        "usageMetadata": usage,
    }
    EmbedContentResponse.model_validate({"embeddings": found["embeddings"]})
    assert answer(one, {"data": data[1:]}) == {"embedding": {"values": [2, 3]}}


def test_titles_are_dropped_and_tasks_are_refused() -> None:
    """A title is harmless to leave out; vectors of another task are of no use."""
    body = {"content": content("a"), "title": "t", "taskType": "RETRIEVAL_QUERY"}
    with pytest.raises(InvalidRequest) as caught:
        ask(body, OPENAI, "gemini")

    assert caught.value.param == "taskType"
    assert ask(body, OPENAI, "gemini", drop=True).dropped == ("taskType", "title")


@pytest.mark.parametrize(
    ("body", "dialect", "param"),
    [
        ({"model": "x", "input": [1, 2]}, "openai_chat", "input"),
        ({"model": "x", "input": [[1]]}, "openai_chat", "input"),
        ({"model": "x", "input": []}, "openai_chat", "input"),
        ({"model": "x"}, "openai_chat", "input"),
        ({"model": "x", "input": "a", "dimensions": "2"}, "openai_chat", "dimensions"),
        ({"model": "x", "input": "a", "encoding_format": "int8"}, "openai_chat", "encoding_format"),
        ({"model": "x", "input": "a", "encoding_format": 1}, "openai_chat", "encoding_format"),
        (b"[]", "openai_chat", None),
        ({}, "gemini", "content"),
        ({"requests": []}, "gemini", "requests"),
        ({"requests": [{}]}, "gemini", "requests[0].content"),
        ({"content": {"parts": [{"inlineData": {}}]}}, "gemini", "content.parts[0]"),
        (
            {"requests": [{"content": content("a"), "outputDimensionality": n} for n in (1, 2)]},
            "gemini",
            "requests",
        ),
        (b"[]", "gemini", None),
    ],
)
def test_what_cannot_be_passed_on(body: object, dialect: str, param: str | None) -> None:
    """InvalidRequest names the member."""
    with pytest.raises(InvalidRequest) as caught:
        ask(body, OPENAI if dialect == "gemini" else GEMINI, dialect)
    assert caught.value.param == param


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model": 1}', b'{"requests": 1}'])
def test_bodies_that_are_no_request(body: bytes) -> None:
    """Passing through, too, the model must be found."""
    for at, dialect in ((OPENAI, "openai_chat"), (GEMINI, "gemini")):
        with suppress(InvalidRequest):
            assert ask(body, at, dialect).sent.body


def test_a_provider_without_embeddings() -> None:
    """The caller is told."""
    nowhere = Target(replace(ENDPOINT, routes={}), "m")
    for at, dialect in ((nowhere, "openai_chat"), (OPENAI, "anthropic")):
        with pytest.raises(InvalidRequest, match="no embeddings"):
            ask({"model": "x", "input": "a"}, at, dialect)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "stream_truncated"),
        (b'{"embeddings": [', "stream_truncated"),
        (b"<html>", "upstream_error"),
        ({}, "upstream_error"),
        ({"embeddings": []}, "upstream_error"),
        ({"embeddings": [{"values": "x"}]}, "upstream_error"),
        ({"embeddings": [{"values": [1e300]}]}, "upstream_error"),
        ({"error": {"code": 429, "message": "slow"}}, "rate_limit_exceeded"),
    ],
)
def test_answers_that_fail(body: object, code: str) -> None:
    """Cut, malformed, of the wrong number, or an error with status 200."""
    dialogue = ask({"model": "x", "input": "a", "encoding_format": "base64"}, GEMINI)
    end = outcome(dialogue, body)

    assert isinstance(end, Failed)
    assert end.error.code == code
    assert end.body is not None
    assert "message" in msgspec.json.decode(end.body)["error"]


def test_openai_answers_that_fail() -> None:
    """The same for a Gemini caller, in its words."""
    dialogue = ask({"content": content("a")}, OPENAI, "gemini")
    for body in (b"{", {"data": []}, {"data": [{"index": 0, "embedding": "\u00fc"}]}):
        end = outcome(dialogue, body)
        assert isinstance(end, Failed)
        assert end.body is not None
        assert msgspec.json.decode(end.body)["error"]["status"] == "UNAVAILABLE"
    failed = dialogue.failure(429, {}, b'{"error":{"message":"slow"}}')
    assert failed.body is not None
    assert msgspec.json.decode(failed.body)["error"]["status"] == "RESOURCE_EXHAUSTED"
    abort = dialogue.decoder("application/json").abort(failed.error)
    assert msgspec.json.decode(abort)["error"]["message"] == "slow"


def test_passed_errors_stay_as_they_are() -> None:
    """An error with status 200 of a provider of the same dialect is its own words."""
    body = b'{"error": {"code": 429, "message": "slow"}}'
    end = outcome(ask({"content": content("a")}, GEMINI, "gemini"), body)

    assert isinstance(end, Failed)
    assert end.body == body


def test_an_unusual_answer_passes() -> None:
    """What cannot be counted is passed on all the same."""
    assert outcome(ask({"model": "m", "input": "a"}, OPENAI), {"data": 1}) == Completed(
        b'{"data":1}'
    )
    assert outcome(ask({"content": {}}, GEMINI, "gemini"), {"embedding": 1}) == Completed(
        b'{"embedding":1}'
    )


@settings(deadline=None)
@given(
    st.binary(max_size=50)
    | st.sampled_from(
        [b'{"embedding":{"values":null}}', b'{"data":[{"index":0,"embedding":"AAA="}]}']
    )
)
def test_any_bytes_end_somehow(body: bytes) -> None:
    """Whatever is asked or answered, nothing but our own errors come of it."""
    for at, dialect in (
        (OPENAI, "gemini"),
        (GEMINI, "openai_chat"),
        (OPENAI, "openai_chat"),
        (GEMINI, "gemini"),
    ):
        with suppress(InvalidRequest):
            ask(body, at, dialect)
    for dialogue in (
        ask({"content": content("a")}, OPENAI, "gemini"),
        ask({"model": "x", "input": "a"}, GEMINI),
        ask({"model": "x", "input": "a"}, OPENAI),
    ):
        assert isinstance(outcome(dialogue, body), Completed | Failed)
