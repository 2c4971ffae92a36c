"""What the tests of this dialect share."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from providers.base import Context, Endpoint, Route, Target
from providers.canonical.answer import Answer, Event
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.dialects.anthropic.client import Client
from providers.dialects.anthropic.upstream import Upstream
from providers.sse import Events, payload
from schemas.requests import Request
from tests.recordings import Recording

URL = "http://127.0.0.1:1/v1/messages"
ENDPOINT = Endpoint(
    instance="east",
    routes={"anthropic": Route(URL), "anthropic_count": Route(f"{URL}/count_tokens")},
    base_url="http://127.0.0.1:1/v1",
    models_url="",
    headers={"x-api-key": "secret", "anthropic-version": "2023-06-01"},
)
CLIENT, UPSTREAM = Client(), Upstream()
_PATH = re.compile(r"api\.anthropic\.com/v1/messages(/count_tokens)?(\?|$)")
MODEL = "claude-sonnet-4-5"


def recordings(shared_dir: Path, *, counts: bool = False) -> Iterator[Recording]:
    """Every recorded message, or every count of tokens."""
    path = shared_dir / "recordings" / "anthropic.jsonl"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = msgspec.json.decode(line)
        found = _PATH.search(row["url"])
        if found is not None and bool(found[1]) is counts:
            yield Recording(
                f"anthropic:{number}",
                row["url"],
                row["request"],
                row["status"],
                row["headers"],
                row["response"],
            )


def target(model: str = MODEL) -> Target:
    return Target(ENDPOINT, model)


def request(body: dict[str, Any] | bytes, **changes: Any) -> Request:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Request(request_id="r-1", body=data, dialect="anthropic", **changes)


def parsed(body: dict[str, Any] | bytes | None = None, **members: Any) -> ChatRequest:
    """The caller's request, with a model, a limit and a message if it names none."""
    if isinstance(body, bytes):
        return CLIENT.parse(request(body))
    usual = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    return CLIENT.parse(request({**usual, **(body or {}), **members}))


def said(*content: object, role: str = "user") -> ChatRequest:
    """A request of one message of blocks."""
    return parsed(messages=[{"role": role, "content": list(content)}])


def rendered(
    chat: ChatRequest, model: str = MODEL, *, drop: bool = False
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body for a provider, and what was left out."""
    body, dropped = sent(chat, model, drop=drop)
    return msgspec.json.decode(body), dropped


def sent(
    chat: ChatRequest, model: str = MODEL, *, drop: bool = False
) -> tuple[bytes, tuple[str, ...]]:
    """The same, as the bytes that are sent."""
    notes = Notes("anthropic", chat.names, drop=drop)
    members = UPSTREAM.render(chat, target(model), notes)
    return msgspec.json.encode(members), notes.dropped


def context(chat: ChatRequest | None = None, model: str = MODEL) -> Context:
    return Context("r-1", 1_700_000_000, model, chat or parsed())


def events_of(stream: bytes, chat: ChatRequest | None = None) -> list[Event]:
    """What the reader makes of a whole stream."""
    reader = UPSTREAM.reader(chat or parsed())
    return [
        event
        for data in Events().feed(stream)
        if payload(data)
        for event in reader.read(payload(data))
    ]


def written(events: Iterable[Event], chat: ChatRequest | None = None) -> bytes:
    """The stream that a caller gets, one event at a time."""
    writer = CLIENT.writer(context(chat))
    return b"".join(writer.write([event]) for event in events) + writer.end()


def answered(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(CLIENT.answer(answer, context()))
    return found


def sse(*events: dict[str, Any]) -> bytes:
    """Events as the provider sends them."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))
        for event in events
    )


def data_of(stream: bytes) -> list[dict[str, Any]]:
    """What stands in the events of a stream."""
    return [msgspec.json.decode(payload(event)) for event in Events().feed(stream)]
