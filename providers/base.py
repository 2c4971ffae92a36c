"""What a wire dialect is: pure code between our requests and replies and a provider's HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import Raw, Struct
from typing_extensions import override

from schemas.replies import Completed, Failed, Reply
from schemas.requests import Request

Members = dict[str, Raw]  # the top level of a JSON body; the values stay as they were sent
Quirk = Callable[[Members, str], Members]
"""Adapts a body to one vendor: members and the upstream's model id in, members out. Pure; it hands
back the same object if there is nothing to adapt, and never changes the one that it was given."""


class Endpoint(Struct, frozen=True):
    """How one instance is reached. Its headers hold the key: its text form leaves them out."""

    instance: str
    dialect: str
    chat_url: str  # a `{model}` in it stands for the upstream's model id
    models_url: str
    headers: dict[str, str]
    stream_usage: bool = True  # takes stream_options.include_usage
    request_id_header: str | None = None  # the vendor logs a caller's id under this name
    quirks: tuple[Quirk, ...] = ()

    @override
    def __repr__(self) -> str:
        return f"Endpoint({self.instance!r}, {self.chat_url!r})"


class Target(Struct, frozen=True):
    """What a model name resolves to."""

    endpoint: Endpoint
    model: str  # as the provider knows it

    @property
    def instance(self) -> str:
        return self.endpoint.instance

    @property
    def dialect(self) -> str:
        return self.endpoint.dialect


class UpstreamRequest(Struct, frozen=True):
    """An HTTP request before it is sent. Its headers hold the key: its text form leaves them out."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    stream: bool = False  # the caller asked for a stream
    choices: int = 1  # answers asked for (`n`)
    hide_usage: bool = False  # usage was asked for by us, not by the caller

    @override
    def __repr__(self) -> str:
        return f"UpstreamRequest({self.method} {self.url}, {len(self.body)} bytes)"


class Decoder(Protocol):
    """Folds one response body into replies. One per call; not shared."""

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


class Upstream(Protocol):
    """Speaks one wire dialect to a provider. Pure: no I/O, no clock, no logging, no settings."""

    def request(self, request: Request, target: Target) -> UpstreamRequest:
        """What to send; InvalidRequest if the body cannot be read."""
        ...

    def decoder(self, sent: UpstreamRequest, content_type: str) -> Decoder:
        """For the body of a 2xx answer to `sent`."""
        ...

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        """The reply for any other answer."""
        ...
