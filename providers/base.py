"""What a wire dialect is: pure code between our requests and replies and a provider's HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable
from urllib.parse import quote, urlsplit

from msgspec import Raw, Struct
from typing_extensions import override

from providers.canonical.answer import Answer, Event
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.file_body import FileBody
from schemas.errors import GatewayError, InvalidRequest
from schemas.replies import Completed, Failed, Reply
from schemas.requests import Request

Members = dict[str, Raw]  # the top level of a JSON body; the values stay as they were sent
Quirk = Callable[[Members, str], Members]
"""Adapts a body to one vendor: members and the upstream's model id in, members out. Pure; it hands
back the same object if there is nothing to adapt, and never changes the one that it was given."""
HeaderQuirk = Callable[[dict[str, str], Request], dict[str, str]]
"""The same for the headers of a request: those to send and the caller's request in."""


class Route(Struct, frozen=True):
    """Where an endpoint speaks one dialect. `{model}` in a URL stands for the upstream's model id."""

    url: str
    stream_url: str | None = None  # of streams, where it is another
    quirks: tuple[Quirk, ...] = ()
    stream_usage: bool = True  # OpenAI chat: takes stream_options.include_usage
    keeps: bool = False  # Responses: they are kept, and gone on from by `previous_response_id`

    def address(self, model: str, *, stream: bool) -> str:
        """Where a request for `model` goes; InvalidRequest if the caller's name for it would lead
        to another path of the provider."""
        url = self.stream_url if stream and self.stream_url else self.url
        if "{model}" not in url:
            return url
        if any(segment in ("", ".", "..") for segment in model.split("/")):
            raise InvalidRequest(f"There is no model of the name `{model}`.", param="model")
        return url.replace("{model}", quote(model, safe="/:@"))


class Endpoint(Struct, frozen=True):
    """How one instance is reached. Its headers hold the key: its text form leaves them out.

    `routes` is keyed by what is spoken there: `openai_chat`, `openai_responses`, `anthropic`, `gemini`
    for answers (the first of these is what other dialects are translated to); `openai_completions`,
    `openai_embeddings`, `gemini_embeddings`, `anthropic_count`, `gemini_count`, `openai_count`,
    `openai_compact` for the rest.
    """

    instance: str
    routes: dict[str, Route]
    base_url: str  # what a path of a relayed request is put behind
    models_url: str  # empty: it has no list
    headers: dict[str, str]
    request_id_header: str | None = None  # the vendor logs a caller's id under this name
    default_max_tokens: int = 4096  # for a dialect that must have a limit, if the caller gave none
    header_quirks: tuple[HeaderQuirk, ...] = ()
    root_paths: frozenset[str] = frozenset()  # see `relay_url`
    relay_query: str = ""  # `name=value`, of every relayed request that does not say it itself
    key: int = 0  # which of the instance's keys the headers hold
    proxy: str | None = None  # URL of the proxy on the way there
    vendor: str = ""  # of the instance

    def relay_url(self, path: str) -> str:
        """Where a relayed request goes: `path` begins with a slash and may have a query."""
        first = path[1:].partition("/")[0].partition("?")[0]
        url = (_root(self.base_url) if first in self.root_paths else self.base_url) + path
        if not self.relay_query:
            return url
        _, mark, query = path.partition("?")
        wanted = self.relay_query.partition("=")[0]
        if any(pair.partition("=")[0] == wanted for pair in query.split("&")):
            return url
        return f"{url}{'&' if mark else '?'}{self.relay_query}"

    @override
    def __repr__(self) -> str:
        return f"Endpoint({self.instance!r}, {self.base_url!r})"


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Target(Struct, frozen=True):
    """What a model name resolves to."""

    endpoint: Endpoint
    model: str  # as the provider knows it

    @property
    def instance(self) -> str:
        return self.endpoint.instance


class Offer(Struct, frozen=True):
    """A target of a model's name, and its share where an alias has several."""

    target: Target
    weight: float = 1.0


class UpstreamRequest(Struct, frozen=True):
    """An HTTP request before it is sent. Its headers hold the key: its text form leaves them out."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    proxy: str | None = None
    file: FileBody | None = None  # instead of `body`: it is sent from there, piece by piece

    @override
    def __repr__(self) -> str:
        size = len(self.body if self.file is None else self.file)
        return f"UpstreamRequest({self.method} {self.url}, {size} bytes)"


class Decoder(Protocol):
    """Folds one response body into replies in the caller's dialect. One per call; not shared."""

    @property
    def done(self) -> bool:
        """The answer is whole although the body may go on: `finish` can be called now."""
        ...

    def feed(self, data: bytes) -> Iterable[Reply]:
        """Replies for the next bytes of the body, cut anywhere: Chunks; a Failed is the last of all."""
        ...

    def finish(self) -> Completed | Failed:
        """The end, once the body has ended, by itself or by a cut: what was seen decides which it is."""
        ...

    def abort(self, error: GatewayError) -> bytes:
        """The in-band event that ends a stream of which a part has gone out."""
        ...


@runtime_checkable
class Opaque(Protocol):
    """What a Decoder can do, too, whose bytes do not say themselves whether they are whole."""

    def cut(self, error: GatewayError) -> Failed:
        """The end, instead of `finish`, of a body that `error` has cut."""
        ...


class Dialogue(Protocol):
    """One request at one target: what is sent, and how what comes back becomes replies. Made by
    `providers.dialogue`; making one raises InvalidRequest if the body cannot be read or passed on."""

    @property
    def sent(self) -> UpstreamRequest: ...

    @property
    def dropped(self) -> tuple[str, ...]:
        """Fields of the caller that the target is not told."""
        ...

    def decoder(self, content_type: str) -> Decoder:
        """For the body of a 2xx answer of that type."""
        ...

    def media_type(self, content_type: str) -> str:
        """What the caller gets for a provider's answer of that type."""
        ...

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        """The reply for any other answer."""
        ...


class Answered(Struct, frozen=True):
    """An answer that the gateway itself gives: a Dialogue without a provider. JSON."""

    body: bytes
    http_headers: dict[str, str] = {}


class Reader(Protocol):
    """Reads one upstream stream, event by event, into the canonical middle. Not shared."""

    @property
    def whole(self) -> bool:
        """All that makes an answer whole was seen; nothing of it can follow."""
        ...

    @property
    def done(self) -> bool:
        """The stream's own end was seen."""
        ...

    def read(self, data: bytes) -> Iterable[Event]:
        """The events in the data of one server-sent event; GatewayError if it holds the provider's
        error or is malformed."""
        ...


class Writer(Protocol):
    """Writes one stream in a caller's dialect as server-sent events. Not shared."""

    def write(self, events: Iterable[Event]) -> bytes:
        """Whole events for the caller, maybe none."""
        ...

    def end(self) -> bytes:
        """All that belongs behind the last event of a whole answer: it goes out when the outcome is
        recorded."""
        ...

    def abort(self, error: GatewayError) -> bytes:
        """The event that ends a stream in-band when something goes wrong."""
        ...


class Context(Struct, frozen=True):
    """What a writer needs beside the answer."""

    request_id: str
    created: int  # epoch seconds: when the request was made
    model: str  # of the provider
    chat: ChatRequest
    continues: str | None = None  # Responses: the previous one, whose items are in `chat`


class Client(Protocol):
    """Speaks a dialect to a caller. Pure."""

    def parse(self, request: Request) -> ChatRequest:
        """What is asked; InvalidRequest names the field that cannot be understood."""
        ...

    def answer(self, answer: Answer, context: Context) -> bytes:
        """The body of a whole answer."""
        ...

    def writer(self, context: Context) -> Writer: ...


class Upstream(Protocol):
    """Speaks a dialect to a provider. Pure: no I/O, no clock, no logging, no settings."""

    def render(self, chat: ChatRequest, target: Target, notes: Notes) -> Members:
        """The body to send, before the route's quirks; InvalidRequest by `notes` for what cannot be
        said. The model's name and the stream flag are in it where the dialect has them there."""
        ...

    def headers(self, chat: ChatRequest) -> dict[str, str]:
        """What the dialect wants beside the endpoint's headers."""
        ...

    def answer(self, body: bytes) -> Answer:
        """A whole answer; GatewayError if the body holds an error, StreamTruncated if it was cut."""
        ...

    def reader(self, chat: ChatRequest) -> Reader: ...


class PassThrough(Protocol):
    """Caller and provider speak the same dialect: bytes pass through."""

    def __call__(self, request: Request, target: Target) -> Dialogue: ...
