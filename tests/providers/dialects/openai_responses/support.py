"""What the tests of this dialect share."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from providers.base import Context, Endpoint, Route, Target
from providers.canonical.answer import Event
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.dialects.openai_responses.client import Client
from providers.dialects.openai_responses.upstream import Upstream
from providers.sse import Events, payload
from schemas.requests import Request
from tests.recordings import Recording

URL = "http://127.0.0.1:1/v1/responses"
TARGET = Target(
    Endpoint(
        instance="east",
        routes={
            "openai_responses": Route(URL, keeps=True),
            "openai_count": Route(f"{URL}/input_tokens"),
            "openai_compact": Route(f"{URL}/compact"),
        },
        base_url="http://127.0.0.1:1/v1",
        models_url="http://127.0.0.1:1/v1/models",
        headers={"Authorization": "Bearer secret"},
    ),
    "gpt-5",
)
CLIENT, UPSTREAM = Client(), Upstream()
_PATH = re.compile(r"/responses(/compact|/input_tokens)?$")


def recordings(shared_dir: Path) -> Iterator[Recording]:
    """Every recorded exchange of Responses, compactions and counts included."""
    for path in sorted((shared_dir / "recordings").glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            row = msgspec.json.decode(line)
            if not _PATH.search(row["url"]) or not isinstance(row["request"], dict):
                continue
            yield Recording(
                f"{path.stem}:{number}",
                row["url"],
                row["request"],
                row["status"],
                row["headers"],
                row["response"],
            )


def request(body: dict[str, Any] | bytes, **changes: Any) -> Request:
    """A request of a caller that speaks Responses."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Request(request_id="r-1", body=data, dialect="openai_responses", **changes)


def parsed(body: dict[str, Any] | bytes | None = None, **members: Any) -> ChatRequest:
    """The caller's request, with a model and an input if it names none."""
    if isinstance(body, bytes):
        return CLIENT.parse(request(body))
    return CLIENT.parse(request({"model": "m", "input": "hi", **(body or {}), **members}))


def rendered(chat: ChatRequest, *, drop: bool = False) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body for a provider, and what was left out."""
    notes = Notes("openai_responses", chat.names, drop=drop)
    members = UPSTREAM.render(chat, TARGET, notes)
    return msgspec.json.decode(msgspec.json.encode(members)), notes.dropped


def context(chat: ChatRequest | None = None, model: str = "gpt-5") -> Context:
    return Context("r-1", 1_700_000_000, model, chat or parsed())


def written(events: Iterable[Event], chat: ChatRequest | None = None) -> bytes:
    """A whole stream."""
    writer = CLIENT.writer(context(chat))
    return b"".join(writer.write([event]) for event in events) + writer.end()


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The data of every event of a stream."""
    return [
        msgspec.json.decode(data)
        for event in Events().feed(stream)
        if (data := payload(event)) and data != b"[DONE]"
    ]


def read(stream: bytes) -> list[Event]:
    """A provider's stream as events of the middle."""
    reader = UPSTREAM.reader(parsed())
    return [
        found
        for event in Events().feed(stream)
        if (data := payload(event))
        for found in reader.read(data)
    ]


def sse(*events: dict[str, Any]) -> bytes:
    """A stream as a provider sends it."""
    return b"".join(
        b"event: " + event["type"].encode() + b"\ndata: " + msgspec.json.encode(event) + b"\n\n"
        for event in events
    )


def raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))
