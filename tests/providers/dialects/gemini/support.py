"""What the tests of the dialect share."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from providers.base import Context, Endpoint, Route, Target
from providers.canonical.answer import Answer, Event
from providers.canonical.fold import fold
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest, Text, Turn
from providers.dialects.gemini.client import Client
from providers.dialects.gemini.upstream import Upstream
from providers.sse import payload
from schemas.requests import Request
from tests.recordings import Recording

BASE = "http://127.0.0.1:1/v1beta/models/{model}"
ENDPOINT = Endpoint(
    instance="east",
    routes={
        "gemini": Route(f"{BASE}:generateContent", f"{BASE}:streamGenerateContent?alt=sse"),
        "gemini_count": Route(f"{BASE}:countTokens"),
        "gemini_embeddings": Route(BASE),
    },
    base_url="http://127.0.0.1:1/v1beta",
    models_url="http://127.0.0.1:1/v1beta/models",
    headers={"x-goog-api-key": "secret"},
)
MODEL = "gemini-3-flash-preview"
_FILES = ("gemini", "vertex")
_PATH = re.compile(r"/models/([^:/]+):(\w+)")


def recordings(shared_dir: Path, *verbs: str) -> Iterator[tuple[Recording, str]]:
    """The recorded exchanges of these verbs, each with its model."""
    for name in _FILES:
        path = shared_dir / "recordings" / f"{name}.jsonl"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            row = msgspec.json.decode(line)
            found = _PATH.search(row["url"])
            if found and found[2] in verbs and isinstance(row["request"], dict):
                key = f"{name}:{number}"
                made = (row["url"], row["request"], row["status"], row["headers"], row["response"])
                yield Recording(key, *made), found[1]


def request(
    body: object, *, stream: bool = False, model: str = MODEL, raw: bytes | None = None
) -> Request:
    """A Gemini caller's request."""
    data = msgspec.json.encode(body) if raw is None else raw
    return Request(request_id="r-1", body=data, dialect="gemini", model=model, stream=stream)


def parse(
    body: object, *, stream: bool = False, model: str = MODEL, drop: bool = False
) -> ChatRequest:
    found = request(body, stream=stream, model=model)
    return Client().parse(replace(found, drop_params=drop))


def asked(**members: Any) -> ChatRequest:
    """What a caller of another dialect asks."""
    members.setdefault("turns", (Turn("user", (Text("hi"),)),))
    return ChatRequest(dialect="openai_chat", model="m", **members)


def render(
    chat: ChatRequest, model: str = MODEL, *, drop: bool = False
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body for a provider, and what it was not told."""
    notes = Notes("gemini", chat.names, drop=drop)
    members = Upstream().render(chat, Target(ENDPOINT, model), notes)
    return msgspec.json.decode(msgspec.json.encode(members)), notes.dropped


def body_for(chat: ChatRequest, model: str = MODEL) -> tuple[bytes, tuple[str, ...]]:
    """The same, its bytes as they are sent."""
    notes = Notes("gemini", chat.names)
    members = Upstream().render(chat, Target(ENDPOINT, model), notes)
    return msgspec.json.encode(members), notes.dropped


def context(chat: ChatRequest | None = None) -> Context:
    return Context("r-1", 1_700_000_000, MODEL, chat or asked())


def events_of(body: bytes, chat: ChatRequest | None = None) -> list[Event]:
    """What a stream says; it must be whole."""
    reader = Upstream().reader(chat or asked())
    found: list[Event] = []
    for event in body.split(b"\r\n\r\n"):
        if event:
            found.extend(reader.read(payload(event + b"\n\n")))
    assert reader.whole
    return found


def read(response: object) -> Answer:
    return Upstream().answer(msgspec.json.encode(response))


def candidate(*parts: object, finish: str | None = "STOP", **members: object) -> dict[str, Any]:
    """A response with one candidate."""
    found: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        found["finishReason"] = finish
    return {"candidates": [{**found, **members}], "responseId": "a-1", "modelVersion": MODEL}


def streamed(*responses: object) -> bytes:
    """Server-sent events as Google sends them."""
    return b"".join(b"data: " + msgspec.json.encode(found) + b"\r\n\r\n" for found in responses)


def written(events: Iterable[Event]) -> bytes:
    """What a caller gets of a stream."""
    writer = Client().writer(context())
    return b"".join(writer.write([event]) for event in events) + writer.end()


def chunks_of(body: bytes) -> list[dict[str, Any]]:
    return [
        msgspec.json.decode(payload(event + b"\n\n")) for event in body.split(b"\r\n\r\n") if event
    ]


def folded(body: bytes) -> Answer:
    return fold(events_of(body))
