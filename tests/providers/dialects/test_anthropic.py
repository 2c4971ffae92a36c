"""The dialect against recorded traffic, straight through and through the middle."""

import copy
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.base import Decoder
from providers.canonical.fold import fold, unfold
from providers.dialects.anthropic.native import CountPassThrough, PassThrough
from providers.translated import Translated
from schemas.replies import Completed, Failed
from tests.providers.dialects.anthropic.support import (
    CLIENT,
    UPSTREAM,
    answered,
    data_of,
    events_of,
    parsed,
    recordings,
    rendered,
    request,
    target,
    written,
)
from tests.providers.support import fold as decode, whole
from tests.recorded_provider import cut
from tests.recordings import Recording


@pytest.fixture(scope="module")
def messages(shared_dir: Path) -> list[Recording]:
    found = list(recordings(shared_dir))
    assert len(found) == 136
    return found


def streams(messages: list[Recording]) -> list[Recording]:
    found = [recording for recording in messages if recording.streamed]
    assert len(found) == 7
    return found


def passed(recording: Recording) -> PassThrough:
    return PassThrough(request(recording.request), target(recording.request["model"]))


def usage_of(recording: Recording) -> dict[str, Any]:
    """The counts as they stand in an answer; those of a stream put together."""
    if not recording.streamed:
        counts: dict[str, Any] = recording.response["usage"]
        return counts
    found: dict[str, Any] = {}
    for event in data_of(recording.body()):
        if event["type"] == "message_start":
            found.update(event["message"]["usage"])
        elif event["type"] == "message_delta":
            found.update(event["usage"])
    return found


def test_recordings_pass_through(messages: list[Recording]) -> None:
    """The body that reaches the provider and what comes back equal the recorded ones, byte by byte;
    usage, model and reason are read on the way."""
    for recording in messages:
        dialogue = passed(recording)
        assert dialogue.sent.body == msgspec.json.encode(recording.request), recording.key
        if recording.status != 200:
            failed = dialogue.failure(recording.status, {}, recording.body())
            assert (failed.status, failed.body) == (recording.status, recording.body())
            continue
        body = recording.body()
        chunks, end = decode(dialogue.decoder(recording.content_type), [body])
        assert whole(chunks, end) == body, recording.key
        assert isinstance(end, Completed)
        assert end.finish_reason in ("stop", "tool_calls")
        assert end.response_model
        counts = usage_of(recording)
        assert end.usage is not None
        assert end.usage.output_tokens == counts["output_tokens"]
        assert end.usage.cached_input_tokens == counts["cache_read_input_tokens"]
        assert end.usage.cache_creation_input_tokens == counts["cache_creation_input_tokens"]
        assert end.usage.input_tokens == (
            counts["input_tokens"]
            + counts["cache_read_input_tokens"]
            + counts["cache_creation_input_tokens"]
        )


def test_counts_pass_through(shared_dir: Path) -> None:
    """A count of tokens goes to its own route and comes back as it was."""
    seen = 0
    for recording in recordings(shared_dir, counts=True):
        asked = request(recording.request, operation="count_tokens")
        dialogue = CountPassThrough(asked, target(recording.request["model"]))
        assert dialogue.sent.url.endswith("/count_tokens")
        assert dialogue.sent.body == asked.body
        if recording.status == 200:
            chunks, end = decode(dialogue.decoder(recording.content_type), [recording.body()])
            assert whole(chunks, end) == recording.body()
            seen += 1
    assert seen == 3


def decoders(recording: Recording) -> list[Decoder]:
    """The one that passes a stream on, and the one that takes it through the middle."""
    asked, model = request(recording.request), recording.request["model"]
    translated = Translated(asked, target(model), CLIENT, UPSTREAM, "anthropic")
    return [
        passed(recording).decoder(recording.content_type),
        translated.decoder(recording.content_type),
    ]


def test_a_stream_cut_at_every_byte_decodes_to_the_same(messages: list[Recording]) -> None:
    """Wherever the network cuts a stream in two, what the caller gets is the same."""
    recording = min(streams(messages), key=lambda found: len(found.body()))
    body = recording.body()
    expected = [whole(*decode(decoder, [body])) for decoder in decoders(recording)]
    for at in range(1, len(body)):
        pieces = [body[:at], body[at:]]
        got = [whole(*decode(decoder, pieces)) for decoder in decoders(recording)]
        assert got == expected, at


def test_streams_in_random_pieces(messages: list[Recording]) -> None:
    """The same for every stream in pieces of all sizes."""
    for recording in streams(messages):
        body = recording.body()
        expected = [whole(*decode(decoder, [body])) for decoder in decoders(recording)]
        pieces = list(cut(body, random.Random(7), 300))
        assert [whole(*decode(decoder, pieces)) for decoder in decoders(recording)] == expected


def test_a_cut_stream_is_no_answer(messages: list[Recording]) -> None:
    """Wherever a stream ends before its last event, both decoders say that it was cut."""
    recording = min(streams(messages), key=lambda found: len(found.body()))
    body = recording.body()
    for at in range(0, body.index(b"event: message_stop"), 7):
        for decoder in decoders(recording):
            _, end = decode(decoder, [body[:at]])
            assert isinstance(end, Failed), at
            assert end.error.code == "stream_truncated"


def asked(body: dict[str, Any]) -> dict[str, Any]:
    """A request in one of the ways to say the same."""
    found = copy.deepcopy(body)
    if found.get("stream") is False:
        del found["stream"]
    found["system"] = one_text(found.get("system"))
    for message in found["messages"]:
        message["content"] = one_text(message["content"])
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] == "tool_result":
                block["content"] = one_text(block["content"])
                if not block.get("is_error"):
                    block.pop("is_error", None)
    found["messages"] = merged(found["messages"])
    for tool in found.get("tools", []):
        if tool.get("type") == "custom":
            del tool["type"]
        if str(tool.get("type")).startswith("web_search"):
            for name in [name for name, value in tool.items() if value is None]:
                del tool[name]
    return found


def one_text(content: Any) -> Any:
    """One plain text as a string; references to tools as the JSON that they are in the middle."""
    if not isinstance(content, list):
        return content
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        return content[0]["text"]
    if content and content[0]["type"] == "tool_reference":
        return msgspec.json.encode(content[0]).decode()
    return content


def merged(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages of one role in a row mean one."""
    found: list[dict[str, Any]] = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if found and found[-1]["role"] == message["role"]:
            found[-1]["content"] = [*found[-1]["content"], *blocks]
        else:
            found.append({"role": message["role"], "content": blocks})
    return found


def test_requests_through_the_middle(messages: list[Recording]) -> None:
    """What was asked comes out of the middle as it went in, but for what a provider of the dialect
    would say in other words."""
    for recording in messages:
        body = recording.request
        got, dropped = rendered(parsed(msgspec.json.encode(body)), body["model"])
        expected = asked(body)
        if "effort" in body.get("output_config", {}):  # an effort alone asks to think by it
            expected.setdefault("thinking", {"type": "adaptive"})
        if "task_budget" in body.get("output_config", {}):  # in beta, of this one provider
            del expected["output_config"]
        for name in expected.keys() | got.keys():
            if name not in ("system", "stream"):
                assert asked(got).get(name) == expected.get(name), (recording.key, name)
        assert not dropped, recording.key


def meaning(answer: dict[str, Any]) -> dict[str, Any]:
    """What an answer says, without what has no place in the middle."""
    content = []
    for block in copy.deepcopy(answer["content"]):
        if block["type"] == "text":
            if not block["text"]:
                continue
            block["citations"] = block.get("citations") or []
        if block["type"] == "tool_use":
            block.pop("caller", None)  # "direct", in all of them
        content.append(block)
    usage = {
        name: value
        for name, value in answer["usage"].items()
        if name not in ("inference_geo", "iterations", "output_tokens_details")
    }
    return {
        "content": content,
        "usage": usage,
        "thinking": answer["usage"].get("output_tokens_details", {}).get("thinking_tokens") or 0,
        **{
            name: answer[name] for name in ("model", "role", "type", "stop_reason", "stop_sequence")
        },
    }


def test_answers_through_the_middle(messages: list[Recording]) -> None:
    """Text, citations, thoughts with their signatures, calls, a server's tools, counts and the reason
    of a plain answer are the same behind the middle, as a whole and as a stream."""
    for recording in messages:
        if recording.streamed or recording.status != 200:
            continue
        answer = UPSTREAM.answer(recording.body())
        assert meaning(answered(answer)) == meaning(recording.response), recording.key
        again = fold(events_of(written(unfold(answer))))
        assert again.choices == answer.choices, recording.key
        assert again.usage is not None
        assert answer.usage is not None
        assert again.usage.total_tokens == answer.usage.total_tokens


def accumulated(recording: Recording) -> dict[str, Any]:
    """The message that a stream amounts to, put together in the slow and obvious way."""
    message: dict[str, Any] = {}
    blocks: list[dict[str, Any]] = []
    for event in data_of(recording.body()):
        delta = event.get("delta", {})
        if event["type"] == "message_start":
            message = event["message"]
        elif event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            block = blocks[event["index"]]
            for name in ("text", "thinking", "signature"):
                if name in delta:
                    block[name] += delta[name]
            block["json"] += delta.get("partial_json", "")
            if "citation" in delta:
                block["citations"] = [*block.get("citations", []), delta["citation"]]
        elif event["type"] == "message_delta":
            message |= {name: delta[name] for name in ("stop_reason", "stop_sequence")}
    for block in blocks:
        if whole_input := block.pop("json"):
            block["input"] = msgspec.json.decode(whole_input)
    return {**message, "content": blocks, "usage": usage_of(recording)}


def test_streams_through_the_middle(messages: list[Recording]) -> None:
    """The same of the recorded streams: read, written and read again, they are the same answer."""
    for recording in streams(messages):
        events = events_of(recording.body())
        assert meaning(answered(fold(events))) == meaning(accumulated(recording)), recording.key
        stream = written(events)
        assert fold(events_of(stream)).choices == fold(events).choices, recording.key
        counts, again = usage_of(recording), data_of(stream)[-2]["usage"]
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens"):
            assert again[name] == counts[name], recording.key
        names = [event["type"] for event in data_of(stream)]
        starts = [event["index"] for event in data_of(stream) if "content_block" in event]
        assert starts == list(range(len(starts)))
        assert names[0] == "message_start"
        assert names[-2:] == ["message_delta", "message_stop"]
