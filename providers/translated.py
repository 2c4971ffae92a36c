"""Caller and provider speak different dialects: both meet in the canonical middle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import msgspec
from msgspec.structs import replace

from providers.base import (
    Client,
    Context,
    Decoder,
    Reader,
    Target,
    Upstream,
    UpstreamRequest,
    Writer,
)
from providers.canonical.answer import CONTENT, Answer, Begin, Counted, End, Event
from providers.canonical.fold import Fold, unfold
from providers.canonical.notes import Notes
from providers.canonical.request import ChatRequest
from providers.failure import translated
from providers.headers import upstream_headers
from providers.quirks.adapting import adapted
from providers.sse import Events, EventTooLarge, payload, terminated
from schemas.envelopes import EVENT_STREAM, JSON, error_body
from schemas.errors import GatewayError, StreamTruncated, UpstreamError
from schemas.replies import Chunk, Completed, Failed, Reply
from schemas.requests import Request

_encode = msgspec.json.Encoder().encode
_TOO_LARGE = "The provider sent an event of more than 16 MiB."


@runtime_checkable
class Restores(Protocol):
    """What an Upstream can do, too, that had to ask in another way than the caller did: a tool for a
    format, a function for free text."""

    def restored(self, answer: Answer, chat: ChatRequest) -> Answer:
        """A whole answer as the caller asked for it. A stream's reader knows the request anyway."""
        ...


class Translated:
    """One request; a Dialogue."""

    __slots__ = ("_client", "_context", "_dialect", "_upstream", "dropped", "sent")

    def __init__(
        self, request: Request, target: Target, client: Client, upstream: Upstream, spoken: str
    ) -> None:
        """`spoken`: the provider's dialect, which is the key of its route."""
        chat = client.parse(request)
        notes = Notes(spoken, chat.names, drop=request.drop_params)
        route = target.endpoint.routes[spoken]
        members = upstream.render(chat, target, notes)
        members, left_out = adapted(members, route.quirks, target.model)
        # The caller's own headers belong to its dialect; the provider's does not know them.
        headers = upstream_headers(
            replace(request, http_headers={}), target.endpoint, stream=chat.stream
        )
        self.sent = UpstreamRequest(
            "POST",
            route.address(target.model, stream=chat.stream),
            {**upstream.headers(chat), **headers},
            _encode(members),
            target.endpoint.proxy,
        )
        self.dropped = (*notes.dropped, *left_out)
        self._client = client
        self._upstream = upstream
        self._dialect = request.dialect
        self._context = Context(
            request.request_id, int(request.created), target.model, chat, request.continues
        )

    def media_type(self, content_type: str) -> str:
        return EVENT_STREAM if self._context.chat.stream else JSON

    def decoder(self, content_type: str) -> Decoder:
        streams = content_type.lstrip().lower().startswith(EVENT_STREAM)
        chat = self._context.chat
        body = _Body(self._upstream.reader(chat) if streams else None, self._upstream, chat)
        if chat.stream:
            return _ToStream(body, self._client.writer(self._context))
        return _ToAnswer(body, self._client, self._context, self._dialect)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return translated(status, headers, body, self._dialect)


class _Body:
    """Cuts an upstream body into canonical events, or holds it if it is one answer."""

    __slots__ = ("_chat", "_events", "_reader", "_upstream", "held")

    def __init__(self, reader: Reader | None, upstream: Upstream, chat: ChatRequest) -> None:
        self._reader = reader
        self._upstream = upstream
        self._chat = chat
        self._events = Events()
        self.held: list[bytes] = []

    @property
    def done(self) -> bool:
        return self._reader is not None and self._reader.done

    @property
    def streams(self) -> bool:
        """The provider sends a stream."""
        return self._reader is not None

    def feed(self, data: bytes) -> Iterable[Event]:
        """GatewayError if the stream holds one."""
        if self._reader is None:
            self.held.append(data)
            return
        if self._reader.done:
            return
        try:
            whole = self._events.feed(data)
        except EventTooLarge:
            raise UpstreamError(_TOO_LARGE) from None
        for event in whole:
            if (found := payload(event)) and not self._reader.done:
                yield from self._reader.read(found)

    def rest(self) -> Iterable[Event]:
        """What the end of the body completes; GatewayError if the answer is not whole."""
        reader = self._reader
        if reader is None:
            yield from unfold(self.answer())
            return
        if not reader.done and (found := payload(terminated(self._events.rest()))):
            try:
                msgspec.json.decode(found, type=msgspec.Raw)
            except (msgspec.DecodeError, RecursionError):
                pass  # cut inside of an event
            else:
                yield from reader.read(found)
        if not reader.whole:
            raise StreamTruncated

    def answer(self) -> Answer:
        answer = self._upstream.answer(b"".join(self.held))
        if isinstance(self._upstream, Restores):
            return self._upstream.restored(answer, self._chat)
        return answer


class _Seen:
    """What the exchange records of the events."""

    __slots__ = ("counted", "finish", "model")

    def __init__(self) -> None:
        self.counted: Counted | None = None
        self.finish: str | None = None
        self.model: str | None = None

    def note(self, event: Event) -> bool:
        """Whether a reader of the stream would see the event."""
        if isinstance(event, CONTENT):
            return True
        if isinstance(event, Counted):
            self.counted = event
        elif isinstance(event, End):
            if self.finish is None or event.choice == 0:
                self.finish = event.finish.reason
        elif isinstance(event, Begin):
            self.model = event.model or None
        return False

    def completed(self, data: bytes) -> Completed:
        usage = self.counted.usage if self.counted else None
        return Completed(data, self.finish, usage, self.model)

    def failed(self, error: GatewayError, event: bytes | None, body: bytes | None) -> Failed:
        usage = self.counted.usage if self.counted else None
        return Failed(error, error.status, body, event, usage=usage, response_model=self.model)


class _ToStream:
    """To a caller that asked for a stream."""

    __slots__ = ("_body", "_failed", "_seen", "_writer")

    def __init__(self, body: _Body, writer: Writer) -> None:
        self._body = body
        self._writer = writer
        self._seen = _Seen()
        self._failed: Failed | None = None

    @property
    def done(self) -> bool:
        return self._body.done or self._failed is not None

    def feed(self, data: bytes) -> Iterable[Reply]:
        return self._written(self._body.feed(data))

    def finish(self) -> Completed | Failed:
        if self._failed is not None:
            return self._failed
        last = b"".join(
            reply.data for reply in self._written(self._body.rest()) if isinstance(reply, Chunk)
        )
        if self._failed is not None:
            # What came with the end stands before the error: the writer has counted it as written.
            self._failed = replace(self._failed, event=last + (self._failed.event or b""))
            return self._failed
        return self._seen.completed(last + self._writer.end())

    def abort(self, error: GatewayError) -> bytes:
        return self._writer.abort(error)

    def _written(self, events: Iterable[Event]) -> list[Reply]:
        content = False
        data = b""
        found: list[Event] = []
        failure: GatewayError | None = None
        try:
            try:
                for event in events:
                    content = self._seen.note(event) or content
                    found.append(event)
            finally:
                data = self._writer.write(found) if found else b""
        except GatewayError as error:
            failure = error
        replies: list[Reply] = []
        if data:
            replies.append(Chunk(data, content))
        if failure is not None:
            self._failed = self._seen.failed(failure, self._writer.abort(failure), None)
            replies.append(self._failed)
        return replies


class _ToAnswer:
    """To a caller that asked for a whole answer."""

    __slots__ = ("_body", "_client", "_context", "_dialect", "_fold", "_seen")

    def __init__(self, body: _Body, client: Client, context: Context, dialect: str) -> None:
        self._body = body
        self._client = client
        self._context = context
        self._dialect = dialect
        self._seen = _Seen()
        self._fold = Fold()

    @property
    def done(self) -> bool:
        return self._body.done

    def feed(self, data: bytes) -> Iterable[Reply]:
        """Nothing yet: a piece of JSON is of no use to anybody."""
        try:
            self._add(self._body.feed(data))
        except GatewayError as error:
            return (self._failed(error),)
        return ()

    def finish(self) -> Completed | Failed:
        try:
            if self._body.streams:
                self._add(self._body.rest())
                answer = self._fold.answer()
            else:
                answer = self._body.answer()
                for event in unfold(answer):
                    self._seen.note(event)
            return self._seen.completed(self._client.answer(answer, self._context))
        except GatewayError as error:
            return self._failed(error)

    def abort(self, error: GatewayError) -> bytes:
        return error_body(self._dialect, error)

    def _add(self, events: Iterable[Event]) -> None:
        for event in events:
            self._seen.note(event)
            self._fold.add(event)

    def _failed(self, error: GatewayError) -> Failed:
        return self._seen.failed(error, None, error_body(self._dialect, error))
