"""Responses straight through: recorded traffic, and the few things that change."""

import random
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from providers.base import Target
from providers.dialects.openai_responses.native import (
    CompactPassThrough,
    CountPassThrough,
    PassThrough,
)
from schemas.errors import InvalidRequest
from schemas.replies import Completed, Failed
from tests.providers.dialects.openai_responses.support import (
    TARGET,
    URL,
    events_of,
    raw,
    recordings,
    request,
)
from tests.providers.support import fold, whole
from tests.recorded_provider import cut
from tests.recordings import Recording


@pytest.fixture(scope="module")
def recorded(shared_dir: Path) -> list[Recording]:
    found = list(recordings(shared_dir))
    assert len(found) >= 160
    return found


def at(model: str) -> Target:
    return replace(TARGET, model=model)


def test_requests_go_out_byte_for_byte(recorded: list[Recording]) -> None:
    """Every recorded request reaches the provider as the caller wrote it."""
    for recording in recorded:
        body = msgspec.json.encode(recording.request)
        sent = PassThrough(request(body), at(recording.request["model"]))
        assert sent.sent.body == body, recording.key
        assert sent.dropped == ()


def test_a_provider_that_keeps_nothing_is_not_asked_to() -> None:
    """`store` is the gateway's then, which some of them refuse; that nothing is to be kept passes."""
    route = replace(TARGET.endpoint.routes["openai_responses"], keeps=False)
    endpoint = replace(TARGET.endpoint, routes={"openai_responses": route})
    forgetful = replace(TARGET, endpoint=endpoint, model="m")
    kept = PassThrough(request({"model": "m", "input": "hi", "store": True}), forgetful)
    assert msgspec.json.decode(kept.sent.body) == {"model": "m", "input": "hi"}
    assert kept.dropped == ()
    body = b'{ "model":"m", "input":"hi", "store":false }'
    assert PassThrough(request(body), forgetful).sent.body == body


@pytest.mark.parametrize("longest", [11, 700, 70_000])
def test_answers_come_back_byte_for_byte(recorded: list[Recording], longest: int) -> None:
    """Every recorded answer passes unchanged however it is cut, and its end is read rightly."""
    pieces, seen = random.Random(longest), 0
    for recording in recorded:
        if recording.status != 200:
            continue
        body = recording.body()
        decoder = PassThrough(request(recording.request), TARGET).decoder(recording.content_type)
        chunks, end = fold(decoder, cut(body, pieces, longest))
        assert whole(chunks, end) == body, recording.key
        assert isinstance(end, Completed)
        answer = events_of(body)[-1]["response"] if recording.streamed else recording.response
        usage = answer.get("usage")
        if usage is not None:
            assert end.usage is not None, recording.key
            assert end.usage.input_tokens == usage["input_tokens"], recording.key
            assert end.usage.output_tokens == usage["output_tokens"], recording.key
        assert end.response_model == answer.get("model"), recording.key
        calls = any(item["type"] == "function_call" for item in answer.get("output", ()))
        if answer.get("status") == "completed":
            assert end.finish_reason == ("tool_calls" if calls else "stop"), recording.key
        seen += 1
    assert seen >= 155


def test_model_is_renamed() -> None:
    """Only the model's name changes where the provider knows it by another."""
    sent = PassThrough(request(b'{"input": "hi",  "model":"alias","new":{"a": 1}}'), TARGET).sent
    assert msgspec.json.decode(sent.body) == {"input": "hi", "model": "gpt-5", "new": {"a": 1}}
    assert b'{"a": 1}' in sent.body
    assert sent.url == URL


def test_quirks_and_stream_url() -> None:
    """The route's quirks and its URL of streams are used."""
    route = replace(
        TARGET.endpoint.routes["openai_responses"],
        stream_url="http://127.0.0.1:1/{model}/stream",
        quirks=(lambda members, model: {**members, "store": raw(False)},),
    )
    endpoint = replace(TARGET.endpoint, routes={"openai_responses": route})
    sent = PassThrough(
        request({"model": "gpt-5", "input": "hi", "stream": True}), Target(endpoint, "gpt-5")
    ).sent
    assert sent.url == "http://127.0.0.1:1/gpt-5/stream"
    assert msgspec.json.decode(sent.body)["store"] is False
    assert sent.headers["Accept"] == "text/event-stream"


@pytest.mark.parametrize(
    ("dialogue", "path", "answer"),
    [
        (CountPassThrough, "/input_tokens", {"object": "response.input_tokens", "input_tokens": 9}),
        (
            CompactPassThrough,
            "/compact",
            {
                "object": "response.compaction",
                "output": [],
                "usage": {"input_tokens": 3, "output_tokens": 2},
            },
        ),
    ],
)
def test_counts_and_compactions(
    dialogue: type[PassThrough], path: str, answer: dict[str, object]
) -> None:
    """Counts and compactions have routes of their own and come back as they are."""
    made = dialogue(request({"model": "gpt-5", "input": "hi"}), TARGET)
    assert made.sent.url == URL + path
    body = msgspec.json.encode(answer)
    _, end = fold(made.decoder("application/json"), [body])
    assert isinstance(end, Completed)
    assert end.data == body
    assert (end.usage is not None) is ("usage" in answer)


@pytest.mark.parametrize("body", [b"[]", b'{"model": 3}', b'{"model":"m","stream":"x"}', b"{"])
def test_malformed(body: bytes) -> None:
    """A body that cannot be passed on is the caller's mistake."""
    with pytest.raises(InvalidRequest):
        PassThrough(request(body), TARGET)


def test_failure_keeps_the_providers_bytes() -> None:
    """An answer that is no 2xx reaches the caller as it is."""
    body = b'{"error": {"code": "model_not_found", "message": "no", "param": "model"}}'
    failed = PassThrough(request({"model": "m", "input": "x"}), TARGET).failure(404, {}, body)
    assert isinstance(failed, Failed)
    assert failed.body == body
    assert failed.status == 404


def test_foreign_thoughts_stay_behind() -> None:
    """Encrypted content that another provider made does not go to one of this dialect, and the caller
    is told."""
    own = {"type": "reasoning", "id": "rs_0a", "summary": [], "encrypted_content": "gAAA"}
    items = [
        {"role": "user", "content": "hi"},
        {**own, "encrypted_content": "anthropic::EqoB"},
        own,
    ]
    made = PassThrough(request({"model": "gpt-5", "input": items}), TARGET)
    assert msgspec.json.decode(made.sent.body)["input"] == [items[0], own]
    assert made.dropped == ("reasoning",)
