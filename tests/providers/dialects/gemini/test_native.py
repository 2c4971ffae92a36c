"""Caller and provider both speak Gemini."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Raw
from msgspec.structs import replace

from providers.base import Members, Target
from providers.dialects.gemini.array import AsArray
from providers.dialects.gemini.native import CountPassThrough, PassThrough
from schemas.errors import InvalidRequest, UpstreamError
from schemas.replies import Chunk, Completed, Failed
from tests.providers.dialects.gemini.support import ENDPOINT, candidate, request, streamed
from tests.providers.support import fold, whole

TARGET = Target(ENDPOINT, "gemini-2.5-pro")
HI = {"contents": [{"parts": [{"text": "hi"}]}]}
SSE = "text/event-stream"


def dialogue(body: object = HI, *, stream: bool = True) -> PassThrough:
    return PassThrough(request(body, stream=stream), TARGET)


def outcome(body: bytes, asked: object = HI) -> Completed | Failed:
    return fold(dialogue(asked).decoder(SSE), [body])[1]


def capped(members: Members, model: str) -> Members:
    """A quirk."""
    return {**members, "serviceTier": Raw(b'"flex"')}


def test_the_path_says_model_and_stream() -> None:
    """The URL has the provider's name of the model and the verb; the body is the caller's."""
    asked = request(HI, stream=True, model="an-alias")
    sent = PassThrough(asked, TARGET).sent
    plain = PassThrough(replace(asked, stream=False), TARGET).sent

    assert sent.url.endswith("/models/gemini-2.5-pro:streamGenerateContent?alt=sse")
    assert plain.url.endswith("/models/gemini-2.5-pro:generateContent")
    assert sent.body is asked.body
    assert sent.headers["x-goog-api-key"] == "secret"


def test_quirks_change_the_body() -> None:
    """A quirk of the route is the one thing that does."""
    for name, made in (("gemini", PassThrough), ("gemini_count", CountPassThrough)):
        routes = {name: replace(ENDPOINT.routes[name], quirks=(capped,))}
        target = Target(replace(ENDPOINT, routes=routes), "m")
        assert msgspec.json.decode(made(request(HI), target).sent.body) == {
            **HI,
            "serviceTier": "flex",
        }


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{"])
def test_a_body_that_is_no_object(body: bytes) -> None:
    """InvalidRequest, for answers and for counts."""
    for made in (PassThrough, CountPassThrough):
        with pytest.raises(InvalidRequest):
            made(request(None, raw=body), TARGET)


@pytest.mark.parametrize("name", ["generateContentRequest", "generate_content_request"])
def test_a_counted_request_names_the_model_once_more(name: str) -> None:
    """The whole request inside of countTokens gets the provider's name; one that has it is untouched."""
    asked = request({name: {"model": "models/an-alias", **HI}})
    right = request({name: {"model": "models/gemini-2.5-pro", **HI}})

    found = msgspec.json.decode(CountPassThrough(asked, TARGET).sent.body)
    assert found == {name: {"model": "models/gemini-2.5-pro", **HI}}
    assert CountPassThrough(right, TARGET).sent.body is right.body


def test_events_go_out_as_they_come() -> None:
    """Each event is a chunk at once, but for the one that makes the answer whole."""
    first, last = (
        streamed(candidate({"text": "a"}, finish=None)),
        streamed(candidate({"text": "b"})),
    )
    decoder = dialogue().decoder(SSE)

    assert list(decoder.feed(first)) == [Chunk(first, content=True)]
    assert list(decoder.feed(last)) == []
    assert not decoder.done
    assert decoder.finish() == Completed(last, "stop", None, "gemini-3-flash-preview")


def test_empty_pieces_are_no_content() -> None:
    """A chunk without anything to see is marked so."""
    decoder = dialogue().decoder(SSE)
    body = streamed(candidate({"text": ""}, finish=None))

    assert list(decoder.feed(body)) == [Chunk(body, content=False)]


def test_every_candidate_must_end() -> None:
    """A stream is whole when as many candidates have ended as were asked for."""
    asked = {**HI, "generationConfig": {"candidateCount": 2}}
    first = candidate({"text": "a"})
    second = {"candidates": [{**first["candidates"][0], "index": 1}]}

    cut = outcome(streamed(first), asked)
    assert isinstance(cut, Failed)
    assert cut.error.code == "stream_truncated"
    assert isinstance(outcome(streamed(first, second), asked), Completed)


@pytest.mark.parametrize("count", ["x", None, {}, -1, 1.0, "1"])
def test_a_count_of_candidates_that_cannot_be_read(count: object) -> None:
    """What is wrong with it, the provider says: one candidate is expected."""
    asked = {**HI, "generation_config": {"candidate_count": count}}

    assert isinstance(outcome(streamed(candidate({"text": "a"})), asked), Completed)


def test_a_refused_prompt_is_a_whole_answer() -> None:
    """There is no candidate, and none will come."""
    body = streamed(
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 2}}
    )
    end = outcome(body)

    assert isinstance(end, Completed)
    assert (end.data, end.finish_reason) == (body, "content_filter")
    assert end.usage is not None


def test_a_call_is_the_finish_reason() -> None:
    """STOP behind a call is recorded as OpenAI's tool_calls."""
    end = outcome(
        streamed(candidate({"functionCall": {"name": "f"}}, finish=None), candidate({"text": ""}))
    )

    assert isinstance(end, Completed)
    assert end.finish_reason == "tool_calls"


def test_an_error_in_the_stream() -> None:
    """It fails with the provider's own words in an event, and with the counts so far."""
    before = {**candidate({"text": "a"}, finish=None), "usageMetadata": {"promptTokenCount": 2}}
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    chunks, end = fold(dialogue().decoder(SSE), [streamed(before, error)])

    assert len(chunks) == 1
    assert isinstance(end, Failed)
    assert (end.status, end.error.message) == (503, "overloaded")
    assert end.event is not None
    assert b'"UNAVAILABLE"' in end.event
    assert end.usage is not None


@pytest.mark.parametrize("event", [{"candidates": "later"}, {"candidates": [{"index": "x"}]}, [1]])
def test_events_of_unknown_shape_pass(event: object) -> None:
    """JSON that we cannot read is handed on: it may be new."""
    body = streamed(event, candidate({"text": "a"}))
    chunks, end = fold(dialogue().decoder(SSE), [body])

    assert whole(chunks, end) == body


def test_an_event_that_is_no_json() -> None:
    """The stream fails; nothing behind it is read."""
    decoder = dialogue().decoder(SSE)
    (failed,) = decoder.feed(b"data: {oops}\r\n\r\n")

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, UpstreamError)
    assert decoder.done
    assert list(decoder.feed(streamed(candidate({"text": "a"})))) == []
    assert decoder.finish() == failed


def test_an_event_without_an_end() -> None:
    """More than 16 MiB without a border are refused."""
    found = list(dialogue().decoder(SSE).feed(b"data: " + b"x" * (17 << 20)))

    assert isinstance(found[0], Failed)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "stream_truncated"),
        (b'{"candidates": [', "stream_truncated"),
        (b"<html>", "upstream_error"),
        (b'[{"candidates": [{"index": 0}]}]', "stream_truncated"),
        (b'{"error": {"code": 400, "message": "bad"}}', "invalid_request"),
        (b'[{"error": {"code": 400, "message": "bad"}}]', "invalid_request"),
    ],
)
def test_plain_answers_that_fail(body: bytes, code: str) -> None:
    """Cut, malformed, or an error with status 200."""
    _, end = fold(dialogue(stream=False).decoder("application/json"), [body[:3], body[3:]])

    assert isinstance(end, Failed)
    assert end.error.code == code


def test_a_plain_answer_of_unknown_shape_passes() -> None:
    """Nothing of it is read, nothing is lost."""
    body = b'{"candidates": {"new": 1}}'
    decoder = dialogue(stream=False).decoder("application/json")

    assert fold(decoder, [body])[1] == Completed(body)
    assert not decoder.done


def test_aborts_are_google_errors() -> None:
    """An error of ours ends a stream, an array or an answer in Google's form."""
    error = UpstreamError("gone")
    event = dialogue().decoder(SSE).abort(error)
    plain = dialogue(stream=False).decoder("application/json").abort(error)
    array = AsArray(dialogue()).decoder(SSE)
    list(
        array.feed(
            streamed(candidate({"text": "a"}, finish=None), candidate({"text": "b"}, finish=None))
        )
    )

    assert event.startswith(b"data: ")
    assert msgspec.json.decode(event[6:]) == msgspec.json.decode(plain)
    assert array.abort(error).startswith(b",\n{")
    assert array.abort(error).endswith(b"\n]\n")


def test_an_array_that_fails() -> None:
    """The provider's error is its last element; before anything came it is an answer by itself."""
    error = {"error": {"code": 503, "message": "overloaded"}}
    decoder = AsArray(dialogue()).decoder(SSE)
    chunks, end = fold(decoder, [streamed(candidate({"text": "a"}, finish=None)), streamed(error)])

    assert isinstance(end, Failed)
    assert end.event is not None
    written = b"".join(chunk.data for chunk in chunks) + end.event
    assert msgspec.json.decode(written) == [candidate({"text": "a"}, finish=None), error]
    assert decoder.done
    plain = AsArray(dialogue()).failure(400, {}, msgspec.json.encode(error))
    assert plain.body == msgspec.json.encode(error)
    assert AsArray(dialogue()).dropped == ()


@settings(deadline=None)
@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"data: {}\n\n", b"data: [\r\n\r\n", b'{"a":']),
        max_size=4,
    )
)
def test_any_bytes_end_somehow(pieces: list[bytes]) -> None:
    """Whatever the provider sends, a stream and an answer end as Completed or Failed."""
    for content_type in (SSE, "application/json"):
        for made in (dialogue(), AsArray(dialogue())):
            _, end = fold(made.decoder(content_type), pieces)
            assert isinstance(end, Completed | Failed)


VALUES = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
INNER = st.dictionaries(st.sampled_from(["candidateCount", "model"]), VALUES, max_size=2)
OUTER = st.sampled_from(["generationConfig", "generateContentRequest", "x"])


@settings(deadline=None)
@given(st.dictionaries(OUTER, VALUES | INNER, max_size=3))
def test_any_request_passes_or_is_refused(body: dict[str, Any]) -> None:
    """Nothing but InvalidRequest comes of a request."""
    raw = msgspec.json.encode(body)
    with suppress(InvalidRequest):
        assert PassThrough(request(None, raw=raw), TARGET).sent.body == raw
    with suppress(InvalidRequest):
        assert CountPassThrough(request(None, raw=raw), TARGET).sent.body
