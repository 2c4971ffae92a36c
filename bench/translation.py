"""What it costs to translate between dialects: the pure code alone, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

import msgspec

from bench.scenarios import Row, Rows
from providers.base import Answered, Dialogue, Endpoint, Route, Target
from providers.dialogue import converse
from schemas.envelopes import EVENT_STREAM
from schemas.replies import Chunk, Completed
from schemas.requests import Dialect, Request

CHUNKS = 32
CHUNK_US, REQUEST_MS = 60.0, 2.0  # targets
REQUEST_BYTES = 100_000
WORDS = [f"word{number} " for number in range(CHUNKS)]
encode = msgspec.json.encode
Frames = list[bytes]


def chat_stream() -> Frames:
    """As a provider of chat completions sends it, an event a piece."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 10, "completion_tokens": CHUNKS, "total_tokens": 10 + CHUNKS}

    def chunk(delta: Mapping[str, str], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + encode({**head, "choices": [choice], **more}) + b"\n\n"

    texts = [chunk({"content": word}) for word in WORDS]
    end = [chunk({}, "stop", usage=usage), b"data: [DONE]\n\n"]
    return [chunk({"role": "assistant", "content": ""}), *texts, *end]


def messages_stream() -> Frames:
    """As a provider of Messages sends it."""

    def event(kind: str, **members: Any) -> bytes:
        return f"event: {kind}\ndata: ".encode() + encode({"type": kind, **members}) + b"\n\n"

    usage = {"input_tokens": 10, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
    start = {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}
    texts = [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        for word in WORDS
    ]
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        event("message_start", message=start),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *texts,
        event("content_block_stop", index=0),
        event("message_delta", delta=stop, usage={"output_tokens": CHUNKS}),
        event("message_stop"),
    ]


def target(spoken: str) -> Target:
    route = Route("http://127.0.0.1/{model}", "http://127.0.0.1/{model}")
    return Target(Endpoint("east", {spoken: route}, "http://127.0.0.1", "", {}), "m")


def request(dialect: Dialect, size: int = 0) -> Request:
    """A conversation of about `size` bytes with tools and many turns."""
    words = "The quick brown fox jumps over the lazy dog. " * 10
    turns = [
        {"role": ("user", "assistant")[number % 2], "content": words}
        for number in range(max(1, size // (len(words) + 40)) | 1)
    ]
    body = {"model": "m", "max_tokens": 100, "stream": True, "messages": turns}
    return Request(request_id="r", body=encode(body), dialect=dialect, stream=True, created=1.0)


def dialogue(asked: Request, spoken: str) -> Dialogue:
    """What is sent is made of the request by then."""
    found = converse(asked, target(spoken))
    if isinstance(found, Answered) or not found.sent.body:
        raise ValueError("nothing to ask the provider")
    return found


def answer(asked: Request, spoken: str, frames: Frames) -> None:
    """Reads a whole stream and writes it in the caller's dialect."""
    decoder = dialogue(asked, spoken).decoder(EVENT_STREAM)
    chunks = 0
    for frame in frames:
        chunks += sum(isinstance(reply, Chunk) for reply in decoder.feed(frame))
    if not isinstance(decoder.finish(), Completed) or chunks < CHUNKS:
        raise ValueError("the stream was not translated whole")


def cpu(what: Callable[[], object], rounds: int) -> float:
    """Seconds of CPU a round: the median of seven samples."""
    what()
    samples = []
    for _ in range(7):
        begun = time.process_time()
        for _ in range(rounds):
            what()
        samples.append((time.process_time() - begun) / rounds)
    return median(samples)


PAIRS: tuple[tuple[str, Dialect, str, Callable[[], Frames]], ...] = (
    ("OpenAI chat from Anthropic", "openai_chat", "anthropic", messages_stream),
    ("Anthropic from OpenAI chat", "anthropic", "openai_chat", chat_stream),
)


def measure() -> Rows:
    """Streams from a provider and requests to it, for callers of either dialect."""
    for title, dialect, spoken, frames in PAIRS:
        stream = partial(answer, request(dialect), spoken, frames())
        chunk = cpu(stream, 200) / CHUNKS * 1e6
        name = f"stream of {CHUNKS} chunks, {title}"
        yield Row(name, chunk, "µs/chunk", CHUNK_US), {"chunks": CHUNKS}
    for title, dialect, spoken, _ in PAIRS:
        large = request(dialect, REQUEST_BYTES)
        sent = cpu(partial(dialogue, large, spoken), 20) * 1e3
        name = f"request of 100 KB, {title.replace('from', 'to')}"
        yield Row(name, sent, "ms", REQUEST_MS), {"bytes": len(large.body)}
