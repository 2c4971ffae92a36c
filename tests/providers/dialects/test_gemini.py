"""The dialect against recorded traffic, straight through and through the middle."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from providers.base import Target
from providers.canonical.answer import Answer
from providers.canonical.fold import fold
from providers.dialects.gemini.array import AsArray
from providers.dialects.gemini.client import Client
from providers.dialects.gemini.native import CountPassThrough, PassThrough
from providers.dialects.gemini.upstream import Upstream
from schemas.replies import Chunk, Completed, Failed
from tests.providers.dialects.gemini.support import (
    ENDPOINT,
    context,
    events_of,
    parse,
    recordings,
    render,
    request,
    written,
)
from tests.providers.support import fold as decode, whole
from tests.recordings import Recording

VERBS = ("generateContent", "streamGenerateContent")


def test_recordings_pass_through(shared_dir: Path) -> None:
    """The body that reaches the provider and what comes back equal the recorded ones, byte by byte."""
    streams = 0
    for recording, model in recordings(shared_dir, *VERBS):
        asked = request(recording.request, stream=recording.streamed)
        dialogue = PassThrough(asked, Target(ENDPOINT, model))
        assert dialogue.sent.body == asked.body, recording.key
        assert f"/{model}:{'stream' if recording.streamed else ''}" in dialogue.sent.url
        if recording.status != 200:
            failed = dialogue.failure(recording.status, {}, recording.body())
            assert (failed.status, failed.body) == (recording.status, recording.body())
            continue
        body = recording.body()
        chunks, end = decode(dialogue.decoder(recording.content_type), [body])
        assert whole(chunks, end) == body, recording.key
        assert isinstance(end, Completed)
        assert end.usage is not None
        assert end.usage.input_tokens > 0
        assert end.finish_reason in ("stop", "tool_calls", "length", "content_filter")
        assert end.response_model
        streams += recording.streamed
    assert streams == 5


def test_what_passes_through_is_counted_as_what_is_translated(shared_dir: Path) -> None:
    """Usage, finish reason and model are the same on both ways of reading an answer."""
    for recording, model in recordings(shared_dir, *VERBS):
        if recording.status != 200:
            continue
        dialogue = PassThrough(request(recording.request), Target(ENDPOINT, model))
        _, end = decode(dialogue.decoder(recording.content_type), [recording.body()])
        answer = read_recorded(recording)
        assert isinstance(end, Completed)
        assert (end.usage, end.response_model) == (answer.usage, answer.model)
        assert answer.choices[0].finish is not None
        assert end.finish_reason == answer.choices[0].finish.reason


def read_recorded(recording: Recording) -> Answer:
    if recording.streamed:
        return fold(events_of(recording.body()))
    return Upstream().answer(recording.body())


def test_recorded_requests_survive_the_middle(shared_dir: Path) -> None:
    """Parsed, rendered and parsed again, a recorded request means the same, and nothing is dropped."""
    for recording, model in recordings(shared_dir, *VERBS):
        chat = parse(recording.request, stream=recording.streamed, model=model, drop=True)
        body, dropped = render(chat, model)

        assert dropped == (), recording.key
        again = parse(body, stream=recording.streamed, model=model, drop=True)
        assert again == chat, recording.key


def test_recorded_answers_survive_the_middle(shared_dir: Path) -> None:
    """Read, written and read again, a recorded answer means the same: parts, signatures, citations,
    log probabilities, finish reasons and counts."""
    kinds = set()
    for recording, _ in recordings(shared_dir, *VERBS):
        if recording.status != 200:
            continue
        answer = read_recorded(recording)
        again = Upstream().answer(Client().answer(answer, context()))
        streamed = (
            fold(events_of(written(events_of(recording.body())))) if recording.streamed else again
        )

        expected = replace(answer, id=answer.id or "r-1")
        assert again == expected, recording.key
        assert streamed == expected, recording.key
        kinds |= {type(part).__name__ for choice in answer.choices for part in choice.parts}
    assert kinds == {"Text", "Reasoning", "ToolCall", "Native"}


def test_a_stream_may_be_cut_anywhere(shared_dir: Path) -> None:
    """Cut at every byte, between CR and LF and inside of UTF-8 too, a stream passes through as it is."""
    for recording, model in recordings(shared_dir, "streamGenerateContent"):
        body = recording.body()
        body = body if len(body) < 6000 else _shortened(body)
        dialogue = PassThrough(request(recording.request, stream=True), Target(ENDPOINT, model))
        expected = _outcome(dialogue, [body], body)
        for at in range(1, len(body)):
            assert _outcome(dialogue, [body[:at], body[at:]], body) == expected, (recording.key, at)
        pieces = [body[at : at + 1] for at in range(len(body))]
        assert _outcome(dialogue, pieces, body) == expected


def _shortened(body: bytes) -> bytes:
    """The stream without its longest events but the last."""
    events = [event + b"\r\n\r\n" for event in body.split(b"\r\n\r\n") if event]
    return b"".join(sorted(events[:-1], key=len)[:3] + events[-1:])


def _outcome(dialogue: PassThrough, pieces: list[bytes], body: bytes) -> Completed:
    chunks, end = decode(dialogue.decoder("text/event-stream"), pieces)
    assert isinstance(end, Completed), end
    assert whole(chunks, end) == body
    return replace(end, data=b"")


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
def test_line_ends_mean_nothing(shared_dir: Path, line_end: bytes) -> None:
    """CRLF, LF and CR, comments and a last event without its blank line decode to the same."""
    for recording, model in recordings(shared_dir, "streamGenerateContent"):
        body = b": hello\r\n\r\n" + recording.body().rstrip(b"\r\n")
        body = body.replace(b"\r\n", line_end)
        dialogue = PassThrough(request(recording.request, stream=True), Target(ENDPOINT, model))
        _, expected = decode(dialogue.decoder("text/event-stream"), [recording.body()])
        _, end = decode(dialogue.decoder("text/event-stream"), [body])
        assert isinstance(end, Completed)
        assert isinstance(expected, Completed)
        assert replace(end, data=b"") == replace(expected, data=b"")


def test_a_cut_stream_is_never_whole(shared_dir: Path) -> None:
    """A recorded stream without its last event, or cut inside of it, is StreamTruncated."""
    for recording, model in recordings(shared_dir, "streamGenerateContent"):
        dialogue = PassThrough(request(recording.request, stream=True), Target(ENDPOINT, model))
        body = recording.body()
        last = body.rindex(b"data: ")
        for end in {last, last + 1, (last + len(body)) // 2, len(body) - 6}:
            _, failed = decode(dialogue.decoder("text/event-stream"), [body[:end]])
            assert isinstance(failed, Failed), recording.key
            assert failed.error.code == "stream_truncated"


def test_counts_pass_through(shared_dir: Path) -> None:
    """countTokens passes through byte by byte, its errors too."""
    seen = 0
    for recording, model in recordings(shared_dir, "countTokens"):
        asked = request(recording.request)
        dialogue = CountPassThrough(asked, Target(ENDPOINT, model))
        assert dialogue.sent.url.endswith(f"/{model}:countTokens")
        assert dialogue.sent.body == asked.body
        if recording.status == 200:
            chunks, end = decode(dialogue.decoder("application/json"), [recording.body()])
            assert whole(chunks, end) == recording.body()
        seen += 1
    assert seen == 4


def test_a_stream_as_an_array(shared_dir: Path) -> None:
    """Without `alt=sse` the same chunks come as one JSON array, in pieces, and it reads as they do."""
    for recording, model in recordings(shared_dir, "streamGenerateContent"):
        dialogue = AsArray(
            PassThrough(request(recording.request, stream=True), Target(ENDPOINT, model))
        )
        assert dialogue.media_type("text/event-stream") == "application/json"
        body = recording.body()
        pieces = [body[at : at + 700] for at in range(0, len(body), 700)]
        chunks, end = decode(dialogue.decoder("text/event-stream"), pieces)
        array = whole(chunks, end)

        events = [event[6:] for event in body.split(b"\r\n\r\n") if event]
        assert msgspec.json.decode(array) == [msgspec.json.decode(event) for event in events]
        assert all(isinstance(chunk, Chunk) for chunk in chunks)
        assert Upstream().answer(array) == fold(events_of(body))
        _, passed = decode(dialogue.decoder("application/json"), [array])
        assert isinstance(passed, Completed)
        assert passed.data == array
