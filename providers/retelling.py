"""One answer for several who ask the same: understood from what the first is told, told to the others.

Each gets it as asked for, as a stream or whole, under an id and a time of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw, Struct

from providers.base import Client, Context, Reader, Writer
from providers.canonical.answer import Answer, Begin, Counted, Event
from providers.canonical.fold import Fold, unfold
from providers.canonical.request import ChatRequest, Members, Reasoning, Text
from providers.dialects.openai_completions.read import (
    StreamReader as CompletionsReader,
    read_answer as read_completion,
)
from providers.dialogue import CLIENTS, UPSTREAMS
from providers.sse import Events, EventTooLarge, payload
from schemas.clock import rfc3339
from schemas.envelopes import EVENT_STREAM
from schemas.errors import GatewayError, InvalidRequest, StreamTruncated, UpstreamError
from schemas.requests import Request
from schemas.usage import Usage

_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_COMPLETIONS = "openai_completions"
# What a Response says of its request that is no part of the question, and what it says without it.
_ECHOED: Mapping[str, bytes] = {
    "metadata": b"{}",
    "store": b"true",
    "user": b"null",
    "safety_identifier": b"null",
    "prompt_cache_key": b"null",
    "prompt_cache_retention": b"null",
}


class _Ids(Struct, frozen=True):
    """The members that name an answer and its time, and what stands in front of our ids."""

    name: str
    prefix: str
    times: tuple[str, ...] = ()


_IDS: Mapping[str, _Ids] = {
    "openai_chat": _Ids("id", "chatcmpl-", ("created",)),
    _COMPLETIONS: _Ids("id", "cmpl-", ("created",)),
    "openai_responses": _Ids("id", "resp_", ("created_at", "completed_at")),
    "anthropic": _Ids("id", "msg_"),
    "gemini": _Ids("responseId", "", ("createTime",)),
}


def _parsed(request: Request) -> tuple[Client, ChatRequest]:
    """InvalidRequest if the dialect's own words cannot be put in others."""
    client = CLIENTS.get(request.dialect)
    if client is None:
        raise InvalidRequest(f"There are no answers in the dialect {request.dialect}.")
    chat = client.parse(request)
    if request.dialect == _COMPLETIONS and chat.logprobs:
        raise InvalidRequest("Log probabilities in the form before chat cannot be told again.")
    return client, chat


def _reader(dialect: str, chat: ChatRequest) -> Reader:
    return CompletionsReader(chat) if dialect == _COMPLETIONS else UPSTREAMS[dialect].reader(chat)


def _read(dialect: str, body: bytes) -> Answer:
    return read_completion(body) if dialect == _COMPLETIONS else UPSTREAMS[dialect].answer(body)


class Listener:
    """Understands an answer while its caller is told it. One per answer."""

    def __init__(self, request: Request) -> None:
        """InvalidRequest if the answer to this request can be told to nobody else."""
        self._request = request
        self._client, self._chat = _parsed(request)
        self._model = ""
        self._reader: Reader | None = None
        self._events = Events()
        self._fold = Fold()
        self._pieces: list[bytes] = []
        self.answer: Answer | None = None  # once it is whole
        self.body = b""  # of a whole answer

    def begin(self, content_type: str, model: str) -> None:
        """`model`: as the provider knows it."""
        self._model = model
        if content_type.lstrip().lower().startswith(EVENT_STREAM):
            self._reader = _reader(self._request.dialect, self._chat)

    def hear(self, data: bytes) -> list[Event]:
        """What is new; GatewayError if it cannot be understood."""
        reader = self._reader
        if reader is None:
            self._pieces.append(data)
            return []
        found: list[Event] = []
        try:
            whole = self._events.feed(data)
        except EventTooLarge:
            raise UpstreamError("An event has more than 16 MiB.") from None
        for event in whole:
            if (text := payload(event)) and not reader.done:
                found += reader.read(text)
        for each in found:
            self._fold.add(each)
        return found

    def finish(self, data: bytes, usage: Usage | None) -> list[Event]:
        """The rest of it; GatewayError if it is not whole. `usage`: where the answer itself does not
        say it, because its caller did not ask."""
        last = self.hear(data)
        if self._reader is None:
            self.body = b"".join(self._pieces)
            self.answer = _read(self._request.dialect, self.body)
            return list(unfold(self.answer))
        if not self._reader.whole:
            raise StreamTruncated
        if self._fold.usage is None and usage is not None:
            counted = Counted(usage)
            last.append(counted)
            self._fold.add(counted)
        self.answer = self._fold.answer()
        context = _context(self._request, self._model, self._chat)
        self.body = self._client.answer(self.answer, context)
        return last


def _context(request: Request, model: str, chat: ChatRequest) -> Context:
    return Context(request.request_id, int(request.created), model, chat)


class _Fresh:
    """A Writer whose stream is not named after the provider's answer."""

    def __init__(self, request: Request, model: str) -> None:
        client, chat = _parsed(request)
        self._writer = client.writer(_context(request, model, chat))
        self._created = int(request.created)

    def write(self, events: Iterable[Event]) -> bytes:
        return self._writer.write([self._named(event) for event in events])

    def _named(self, event: Event) -> Event:
        if not isinstance(event, Begin):
            return event
        return Begin("", event.model, None if event.created is None else self._created)

    def end(self) -> bytes:
        return self._writer.end()

    def abort(self, error: GatewayError) -> bytes:
        return self._writer.abort(error)


def writer(request: Request, model: str) -> Writer:
    """Tells a stream to another who asks the same; InvalidRequest."""
    return _Fresh(request, model)


def as_stream(request: Request, body: bytes, model: str) -> bytes:
    """A whole answer as the stream that this request asks for; GatewayError."""
    told = writer(request, model)
    begin, *rest = unfold(_read(request.dialect, body))
    # Some tell the counts in front.
    counted = [event for event in rest if isinstance(event, Counted)]
    return told.write([begin, *counted, *rest]) + told.end()


def as_answer(request: Request, body: bytes) -> bytes:
    """A whole answer as that to this request; UpstreamError if it is none.

    All that the provider said stays as it is, but for the answer's name, its time, and what the
    request says of itself.
    """
    try:
        members = _members(body)
        asked = _members(request.body) if request.dialect == "openai_responses" else {}
    except _UNREADABLE as error:
        raise UpstreamError(f"The kept answer cannot be read: {error}.") from error
    ids = _IDS[request.dialect]
    if ids.name in members:
        members[ids.name] = Raw(_encode(ids.prefix + request.request_id))
    for name in ids.times:
        if name in members and bytes(members[name]) != b"null":
            members[name] = Raw(_time(request, name))
    if request.dialect == "openai_responses":
        for name, default in _ECHOED.items():
            if name in members:
                given = asked.get(name)
                null = given is None or bytes(given) == b"null"
                members[name] = Raw(default) if null else given  # type: ignore[assignment]  # not None then
    return _encode(members)


def words(dialect: str, body: bytes) -> str:
    """What a whole answer says, without its thoughts; UpstreamError if it is none. What is no text
    stands there as JSON."""
    choices = _read(dialect, body).choices
    parts = [part for choice in choices for part in choice.parts if not isinstance(part, Reasoning)]
    return "\n".join(
        part.text if isinstance(part, Text) else _encode(part).decode() for part in parts
    )


def _time(request: Request, name: str) -> bytes:
    if name == "createTime":
        return _encode(rfc3339(request.created))
    return b"%d" % int(request.created)
