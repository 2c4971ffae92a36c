"""Every dialect on either side, as tests use them: what is asked there and back, what is answered."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from providers.base import Context, Endpoint, Route, Target
from providers.canonical.answer import Answer, Event
from providers.canonical.fold import fold
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest, Text, Turn
from providers.dialogue import CLIENTS, UPSTREAMS
from providers.sse import Events, payload
from schemas.requests import Dialect, Request

MODELS: dict[Dialect, str] = {
    "openai_chat": "gpt-4o",
    "openai_responses": "gpt-5",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-3-pro",
}
OTHERS: tuple[Dialect, ...] = ("openai_responses", "anthropic", "gemini")
SPOKEN: tuple[Dialect, ...] = ("openai_chat", *OTHERS)
HELLO = (Turn("user", (Text("hi"),)),)


def target(dialect: Dialect) -> Target:
    """A provider that speaks this dialect only."""
    base = "http://127.0.0.1:1/v1"
    keeps = dialect == "openai_responses"
    routes = {str(dialect): Route(f"{base}/{dialect}", keeps=keeps)}
    endpoint = Endpoint("east", routes, base, f"{base}/models", {"x-key": "secret"})
    return Target(endpoint, MODELS[dialect])


def chat(dialect: Dialect = "openai_chat", **members: object) -> ChatRequest:
    """A request of a caller; a greeting if nothing is said."""
    asked: dict[str, object] = {"dialect": dialect, "model": "m", "turns": HELLO, **members}
    return ChatRequest(**asked)  # type: ignore[arg-type]


def render(asked: ChatRequest, dialect: Dialect, *, drop: bool = False) -> tuple[bytes, list[str]]:
    """The body for a provider of that dialect, and what it is not told."""
    notes = Notes(dialect, asked.names, drop=drop)
    members = UPSTREAMS[dialect].render(asked, target(dialect), notes)
    return msgspec.json.encode(members), list(notes.dropped)


def parse(
    body: bytes, dialect: Dialect, *, stream: bool = False, drop: bool = False
) -> ChatRequest:
    """What a caller of that dialect asks with a body."""
    request = Request(
        request_id="r",
        body=body,
        dialect=dialect,
        model="m" if dialect == "gemini" else None,
        stream=stream if dialect == "gemini" else None,
        drop_params=drop,
    )
    return CLIENTS[dialect].parse(request)


def context(asked: ChatRequest) -> Context:
    return Context("r-1", 1_700_000_000, "m", asked)


def told(answer: Answer, dialect: Dialect, asked: ChatRequest) -> bytes:
    """A whole answer as a caller of that dialect gets it."""
    return CLIENTS[dialect].answer(answer, context(asked))


def streamed(events: Iterable[Event], dialect: Dialect, asked: ChatRequest) -> bytes:
    """The stream that a caller of that dialect gets, one event at a time."""
    writer = CLIENTS[dialect].writer(context(asked))
    return b"".join(writer.write([event]) for event in events) + writer.end()


def events_of(stream: bytes, dialect: Dialect, asked: ChatRequest) -> Iterator[Event]:
    """The events in a whole stream of a provider of that dialect."""
    reader = UPSTREAMS[dialect].reader(asked)
    for event in Events().feed(stream):
        if data := payload(event):
            yield from reader.read(data)
    assert reader.whole


def read_stream(stream: bytes, dialect: Dialect, asked: ChatRequest) -> Answer:
    return fold(events_of(stream, dialect, asked))


def read(body: bytes, dialect: Dialect) -> Answer:
    return UPSTREAMS[dialect].answer(body)


def plain(raw: Raw | None) -> object:
    """What a raw member means, whatever its spaces and escapes."""
    return None if raw is None else msgspec.json.decode(raw)
