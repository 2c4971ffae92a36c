"""Nothing that a caller or a provider sends crashes the dialect."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from providers.base import Decoder
from providers.dialogue import CLIENTS, UPSTREAMS
from providers.translated import Translated
from schemas.errors import GatewayError, InvalidRequest
from schemas.replies import Completed, Failed
from schemas.requests import Dialect, Request
from tests.providers.pairs import chat, parse, read, render, target
from tests.providers.support import fold
from tests.recordings import Recording, chat_recordings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
ASKED: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "s", "name": "n"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "t", "cache_control": {}},
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,AA", "detail": "low"},
                },
                {"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "x"}},
                }
            ],
            "reasoning_details": [{"type": "reasoning.text", "text": "t", "signature": "s"}],
            "function_call": {"name": "g", "arguments": "{}"},
            "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}],
            "audio": {"id": "a"},
        },
        {"role": "tool", "tool_call_id": "c", "content": "r"},
        {"role": "function", "name": "g", "content": "r"},
    ],
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}},
        {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar"}}},
    ],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "reasoning": {"effort": "low", "max_tokens": 5, "exclude": True},
    "thinking": {"type": "enabled"},
    "web_search_options": {"user_location": {"type": "approximate", "approximate": {}}},
    "stop": ["a"],
    "modalities": ["text"],
}
ANSWER: dict[str, Any] = {
    "id": "a",
    "model": "m",
    "created": 1,
    "choices": [
        {
            "index": 0,
            "message": {
                "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}],
                "reasoning": "r",
                "reasoning_details": [{"type": "reasoning.text", "text": "t", "index": 0}],
                "refusal": "no",
                "tool_calls": [
                    {"id": "c", "index": 0, "function": {"name": "f", "arguments": {"a": 1}}}
                ],
                "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}],
                "audio": {"id": "x", "data": "AA", "transcript": "t", "expires_at": 1},
                "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
            },
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "t", "logprob": -1.0}]},
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "x": {"y": 3}},
    "citations": ["https://x"],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    return [path, *(found for key, inner in members for found in places(inner, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(places(ASKED)), JSON)
def test_a_member_of_a_request_is_anything(path: tuple[Any, ...], value: Any) -> None:
    """A request with anything anywhere is understood or refused with a name; and so it is for every
    kind of provider."""
    body = json.dumps(changed(ASKED, path, value)).encode()
    with suppress(InvalidRequest):
        asked = parse(body, "openai_chat")
        for dialect in UPSTREAMS:
            with suppress(InvalidRequest):
                render(asked, dialect, drop=True)  # type: ignore[arg-type]


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 2000))
def test_bytes_in_a_request_are_anything(junk: bytes, at: int) -> None:
    """Any bytes are understood or refused."""
    body = msgspec.json.encode(ASKED)
    for sent in (junk, body[:at] + junk + body[at:], body[:at] + junk + body[at + len(junk) :]):
        with suppress(InvalidRequest):
            parse(sent, "openai_chat")
        with suppress(InvalidRequest):
            parse(sent.replace(b'"messages"', b'"prompt"'), "openai_completions", drop=True)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(places(ANSWER)), JSON)
def test_a_member_of_an_answer_is_anything(path: tuple[Any, ...], value: Any) -> None:
    """An answer with anything anywhere is told to every kind of caller, or is the provider's error."""
    found = changed(ANSWER, path, value)
    tell(json.dumps(found).encode(), stream=False)
    event = json.dumps(found).replace('"message"', '"delta"').encode()
    tell(b"data: " + event + b"\n\ndata: [DONE]\n\n", stream=True)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 1000))
def test_bytes_in_an_answer_are_anything(junk: bytes, at: int) -> None:
    """Any bytes are an answer or the provider's error."""
    body = msgspec.json.encode(ANSWER)
    for sent in (junk, body[:at] + junk + body[at:], body[:at] + junk):
        with suppress(GatewayError):
            read(sent, "openai_chat")
        tell(b"data: " + sent + b"\n\n" + junk, stream=True)


def tell(body: bytes, *, stream: bool) -> None:
    for dialect in CLIENTS:
        decoder = dialogue(dialect, stream=stream).decoder(
            "text/event-stream" if stream else "application/json"
        )
        _, end = fold(decoder, [body])
        assert isinstance(end, Completed | Failed)


def dialogue(dialect: str, *, stream: bool) -> Translated:
    """One of a caller of that dialect with a provider of OpenAI chat."""
    asked: dict[str, Any] = {"model": "m", "stream": stream}
    hello = [{"role": "user", "content": "hi"}]
    match dialect:
        case "openai_completions":
            asked["prompt"] = "hi"
        case "openai_responses":
            asked["input"] = "hi"
        case "gemini":
            asked = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        case _:
            asked |= {"messages": hello, "max_tokens": 9}
    request = Request(
        request_id="r",
        body=msgspec.json.encode(asked),
        dialect=dialect,  # type: ignore[arg-type]
        model="m",
        stream=stream,
    )
    spoken: Dialect = "openai_chat"
    return Translated(request, target(spoken), CLIENTS[dialect], UPSTREAMS[spoken], spoken)


@pytest.fixture(scope="module")
def streams(shared_dir: Path) -> list[Recording]:
    found = [each for each in chat_recordings(shared_dir) if each.streamed]
    assert len(found) >= 10
    return found


@pytest.mark.parametrize(
    "dialect", ["openai_completions", "openai_responses", "anthropic", "gemini"]
)
def test_cut_at_every_byte(streams: list[Recording], dialect: str) -> None:
    """However a stream is cut into pieces, the caller gets the same; and one that ends early is told
    to be broken, never taken for whole."""
    stream = min((each.body() for each in streams if b"tool_calls" in each.body()), key=len)
    expected = told(dialogue(dialect, stream=True).decoder("text/event-stream"), [stream])
    assert isinstance(expected[1], Completed)
    for at in range(1, len(stream)):
        pieces = [stream[:at], stream[at:]]
        got = told(dialogue(dialect, stream=True).decoder("text/event-stream"), pieces)
        assert got == expected
    finish = stream.index(b'"finish_reason":"')
    for at in range(0, finish, 7):
        _, end = told(dialogue(dialect, stream=True).decoder("text/event-stream"), [stream[:at]])
        assert isinstance(end, Failed)
        assert end.error.code == "stream_truncated"
        assert end.event


def told(decoder: Decoder, pieces: list[bytes]) -> tuple[bytes, Completed | Failed]:
    """All that a caller gets."""
    chunks, end = fold(decoder, pieces)
    sent = b"".join(chunk.data for chunk in chunks)
    if isinstance(end, Completed):
        return sent + end.data, msgspec.structs.replace(end, data=b"")
    return sent, end


def test_chat_of_a_chat_provider_is_understood() -> None:
    """The request that the other tests change is a good one."""
    asked = parse(msgspec.json.encode(ASKED), "openai_chat")
    assert asked.dialect == chat().dialect
    assert len(asked.turns) == 5
    assert read(msgspec.json.encode(ANSWER), "openai_chat").choices[0].finish is not None
