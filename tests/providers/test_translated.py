"""A caller and a provider of two dialects: what is sent, and how what comes back is told."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from providers.base import Endpoint, Members, Route, Target
from providers.dialogue import CLIENTS, UPSTREAMS
from providers.translated import Translated
from schemas.errors import InvalidRequest, RateLimited, StreamTruncated, UpstreamError
from schemas.replies import Chunk, Completed, Failed
from schemas.requests import Request
from schemas.usage import Usage
from tests.providers.support import fold

BODY: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
}
ENDPOINT = Endpoint(
    "east",
    {"openai_chat": Route("http://h/{model}/chat", "http://h/{model}/stream")},
    "http://h",
    "",
    {"Authorization": "Bearer secret"},
    proxy="http://p:1",
)
SSE, JSON = "text/event-stream; charset=utf-8", "application/json"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


def dialogue(
    endpoint: Endpoint = ENDPOINT, changes: dict[str, Any] | None = None, **members: Any
) -> Translated:
    """A Messages caller of a provider of chat completions."""
    body = msgspec.json.encode({**BODY, **members})
    request = Request(
        request_id="r-1",
        body=body,
        dialect="anthropic",
        created=7.5,
        http_headers={"anthropic-beta": "x"},
        **(changes or {}),
    )
    spoken = "openai_chat"
    target = Target(endpoint, "gpt-4o")
    return Translated(request, target, CLIENTS["anthropic"], UPSTREAMS[spoken], spoken)


def event(content: str | None = None, finish: str | None = None, **members: Any) -> bytes:
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    found = {"id": "a", "model": "gpt-4o-1", "choices": [choice], **members}
    return b"data: " + msgspec.json.encode(found) + b"\n\n"


DONE = b"data: [DONE]\n\n"
STREAM = event("h") + event("i") + event(None, "stop", usage=USAGE) + DONE
WHOLE = msgspec.json.encode(
    {
        "id": "a",
        "model": "gpt-4o-1",
        "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
)


def test_what_is_sent() -> None:
    """The body in the provider's dialect; its headers and proxy; none of the caller's headers, which
    belong to its own dialect."""
    sent = dialogue().sent
    assert (sent.method, sent.url, sent.proxy) == ("POST", "http://h/gpt-4o/chat", "http://p:1")
    assert msgspec.json.decode(sent.body) == {
        "model": "gpt-4o",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert sent.headers["Authorization"] == "Bearer secret"
    assert sent.headers["Accept"] == "application/json"
    assert "anthropic-beta" not in sent.headers
    streamed = dialogue(stream=True).sent
    assert streamed.url == "http://h/gpt-4o/stream"
    assert streamed.headers["Accept"] == "text/event-stream"


def test_a_vendors_quirks_come_last() -> None:
    """They see the body in the provider's dialect, and the model."""

    def shout(members: Members, model: str) -> Members:
        return {**members, "loud": Raw(msgspec.json.encode(model))}

    route = replace(ENDPOINT.routes["openai_chat"], quirks=(shout,))
    sent = dialogue(replace(ENDPOINT, routes={"openai_chat": route})).sent
    assert msgspec.json.decode(sent.body)["loud"] == "gpt-4o"


def test_losses() -> None:
    """What is left out is named; what changes the meaning is refused, unless the caller lets it go."""
    assert dialogue(top_k=5).dropped == ("top_k",)
    tool = {"type": "bash_20250124", "name": "bash"}
    with pytest.raises(InvalidRequest) as caught:
        dialogue(tools=[tool])
    assert caught.value.param == "tools"
    assert dialogue(changes={"drop_params": True}, tools=[tool]).dropped == ("tools",)


def text_of(stream: bytes) -> str:
    """The text in a stream of Messages."""
    events = [msgspec.json.decode(line[6:]) for line in stream.splitlines() if line[:5] == b"data:"]
    return "".join(
        each["delta"]["text"]
        for each in events
        if each.get("delta", {}).get("type") == "text_delta"
    )


@pytest.mark.parametrize(("content_type", "body"), [(SSE, STREAM), (JSON, WHOLE)])
def test_to_a_stream(content_type: str, body: bytes) -> None:
    """A caller that asked for a stream gets one, whatever the provider sends; what ends it is held back."""
    asked = dialogue(stream=True)
    assert asked.media_type(content_type) == "text/event-stream"
    chunks, end = fold(asked.decoder(content_type), [body])
    assert isinstance(end, Completed)
    assert (end.finish_reason, end.usage, end.response_model) == ("stop", Usage(3, 2), "gpt-4o-1")
    sent = b"".join(chunk.data for chunk in chunks)
    assert b"message_stop" not in sent
    assert end.data.endswith(b'data: {"type":"message_stop"}\n\n')
    assert text_of(sent + end.data) == "hi"


@pytest.mark.parametrize(("content_type", "body"), [(SSE, STREAM), (JSON, WHOLE)])
def test_to_a_whole_answer(content_type: str, body: bytes) -> None:
    """A caller that asked for a whole answer gets one, whatever the provider sends."""
    asked = dialogue()
    assert asked.media_type(content_type) == "application/json"
    chunks, end = fold(asked.decoder(content_type), [body])
    assert chunks == []
    assert isinstance(end, Completed)
    assert (end.finish_reason, end.usage, end.response_model) == ("stop", Usage(3, 2), "gpt-4o-1")
    told = msgspec.json.decode(end.data)
    assert (told["type"], told["content"][0]["text"]) == ("message", "hi")


def test_what_a_response_continues() -> None:
    """A Response names the one that it continues, although the provider was told the whole conversation."""
    body = msgspec.json.encode({"model": "m", "input": "hi"})
    request = Request(
        request_id="r-1", body=body, dialect="openai_responses", continues="resp_before"
    )
    client, upstream = CLIENTS["openai_responses"], UPSTREAMS["openai_chat"]
    asked = Translated(request, Target(ENDPOINT, "gpt-4o"), client, upstream, "openai_chat")
    _, end = fold(asked.decoder(JSON), [WHOLE])
    assert isinstance(end, Completed)
    assert msgspec.json.decode(end.data)["previous_response_id"] == "resp_before"


def test_which_chunks_are_seen() -> None:
    """Only what a reader of the stream would see is content."""
    decoder = dialogue(stream=True).decoder(SSE)
    (first,) = decoder.feed(event())
    (second,) = decoder.feed(event("h"))
    assert isinstance(first, Chunk)
    assert isinstance(second, Chunk)
    assert (first.content, second.content) == (False, True)
    assert list(decoder.feed(b": ping\n\n")) == []


def test_the_end_is_known_before_the_connection_ends() -> None:
    """After the stream's own end nothing is waited for, and nothing that follows is read."""
    decoder = dialogue(stream=True).decoder(SSE)
    list(decoder.feed(STREAM[: -len(DONE)]))
    assert not decoder.done
    list(decoder.feed(DONE + b"data: {broken\n\n"))
    assert decoder.done
    assert list(decoder.feed(b"data: {broken\n\n")) == []
    assert isinstance(decoder.finish(), Completed)


def test_the_last_blank_line_may_be_missing() -> None:
    """What was whole but for it counts."""
    body = event("h") + event(None, "stop").rstrip(b"\n")
    chunks, end = fold(dialogue(stream=True).decoder(SSE), [body])
    assert isinstance(end, Completed)
    assert end.finish_reason == "stop"
    assert text_of(b"".join(chunk.data for chunk in chunks) + end.data) == "h"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("body", [event("h"), event("h") + DONE, event("h") + b"data: {", b""])
def test_a_cut(stream: bool, body: bytes) -> None:
    """An answer without its end is never whole: the caller is told in its own dialect."""
    _, end = fold(dialogue(stream=stream).decoder(SSE), [body])
    assert isinstance(end, Failed)
    assert isinstance(end.error, StreamTruncated)
    told = end.event if stream else end.body
    assert told is not None
    assert b'"type":"error"' in told
    assert b"message_stop" not in told


def test_what_came_with_the_cut_is_not_lost() -> None:
    """The end of the body may complete an event and still be a cut: both are told."""
    decoder = dialogue(stream=True).decoder(SSE)
    list(decoder.feed(event("h") + event("i").rstrip(b"\n")))
    end = decoder.finish()
    assert isinstance(end, Failed)
    assert end.event is not None
    assert text_of(end.event) == "i"
    assert end.event.rpartition(b"event: ")[2].startswith(b"error\n")
    assert decoder.finish() == end


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_in_the_stream(stream: bool) -> None:
    """It ends the answer as what it is; the events before it, also those that came at once, are told;
    what was counted is not lost."""
    error = b'data: {"error":{"message":"slow","code":429}}\n\n'
    body = event("h", "stop", usage=USAGE) + error
    chunks, end = fold(dialogue(stream=stream).decoder(SSE), [body])
    assert isinstance(end, Failed)
    assert isinstance(end.error, RateLimited)
    assert (end.usage, end.response_model) == (Usage(3, 2), "gpt-4o-1")
    assert end.status == 429
    if stream:
        assert text_of(b"".join(chunk.data for chunk in chunks)) == "h"
        assert end.event is not None
        assert b"rate_limit_error" in end.event
    else:
        assert chunks == []
        assert end.body is not None
        assert b"rate_limit_error" in end.body


def test_nothing_follows_a_failure() -> None:
    """A decoder that has failed is done and says the same once more."""
    decoder = dialogue(stream=True).decoder(SSE)
    *_, failed = decoder.feed(event("h") + b"data: {\n\n" + event("i"))
    assert isinstance(failed, Failed)
    assert type(failed.error) is UpstreamError
    assert decoder.done
    assert decoder.finish() == failed


def test_an_event_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that never ends an event is not listened to for ever."""
    monkeypatch.setattr("providers.sse.MAX_EVENT", 1000)
    decoder = dialogue(stream=True).decoder(SSE)
    (failed,) = decoder.feed(b"data: " + b"x" * 2000)
    assert isinstance(failed, Failed)
    assert "16 MiB" in failed.error.message


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_is_none(stream: bool) -> None:
    """HTML with status 200 is the provider's error, in the caller's dialect."""
    _, end = fold(dialogue(stream=stream).decoder("text/html"), [b"<html>"])
    assert isinstance(end, Failed)
    assert type(end.error) is UpstreamError
    told = end.event if stream else end.body
    assert b'"type":"error"' in (told or b"")


def test_an_error_answer() -> None:
    """The status stays; the words are the caller's dialect's."""
    body = b'{"error":{"message":"no such","code":"model_not_found"}}'
    failed = dialogue().failure(404, {}, body)
    assert failed.status == 404
    assert msgspec.json.decode(failed.body or b"") == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "no such"},
    }


def test_an_answer_that_the_caller_cannot_be_told() -> None:
    """What fails in the telling is the provider's error, too."""
    body = msgspec.json.encode({"model": "m", "prompt": "hi", "logprobs": 1, "stream": True})
    request = Request(request_id="r", body=body, dialect="openai_completions")
    target = Target(ENDPOINT, "gpt-4o")
    spoken = "openai_chat"
    asked = Translated(request, target, CLIENTS["openai_completions"], UPSTREAMS[spoken], spoken)
    odd = event("h").replace(b'"finish_reason"', b'"logprobs":{"content":[1]},"finish_reason"')
    chunks, end = fold(asked.decoder(SSE), [odd])
    assert isinstance(end, Failed)
    assert type(end.error) is UpstreamError
    assert chunks == []
