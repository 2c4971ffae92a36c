"""How many tokens a request has, where the provider cannot be asked in the caller's own dialect: asked
in its own, or else estimated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.base import Answered, Client, Decoder, Members, Target, Upstream, UpstreamRequest
from providers.canonical.notes import Notes
from providers.canonical.request import (
    ChatRequest,
    Custom,
    Function,
    Media,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from providers.failure import failed_in_band, parse_reason, translated
from providers.headers import upstream_headers
from schemas.envelopes import JSON, error_body
from schemas.errors import GatewayError, UpstreamError
from schemas.replies import Completed, Failed, Reply
from schemas.requests import Dialect, Request

ESTIMATED = "sluice-estimated"
BYTES_A_TOKEN = 4  # of English text, about; https://help.openai.com/en/articles/4936856

_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode


class Counter(Struct, frozen=True):
    """A provider's way to count."""

    spoken: str  # the dialect of what is counted
    body: Callable[[Members, str], Members]  # of a request for an answer, and the model
    total: str  # the member of the answer


class _Count(Struct):
    input_tokens: int | None = None
    totalTokens: int | None = None  # noqa: N815  # Gemini's


_count = msgspec.json.Decoder(_Count).decode


def _only(*names: str) -> Callable[[Members, str], Members]:
    def body(members: Members, model: str) -> Members:
        return {name: members[name] for name in names if name in members}

    return body


def _nested(members: Members, model: str) -> Members:
    """Only inside of a whole request are instructions and tools counted."""
    inner = {"model": Raw(_encode(f"models/{model}")), **members}
    return {"generateContentRequest": Raw(_encode(inner))}


COUNTERS: Mapping[str, Counter] = {
    # https://platform.claude.com/docs/en/api/messages-count-tokens
    "anthropic_count": Counter(
        "anthropic",
        _only("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"),
        "input_tokens",
    ),
    # https://ai.google.dev/api/tokens
    "gemini_count": Counter("gemini", _nested, "totalTokens"),
    # https://platform.openai.com/docs/api-reference/responses/input-tokens
    "openai_count": Counter(
        "openai_responses",
        _only(
            *("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning"),
            "parallel_tool_calls",
        ),
        "input_tokens",
    ),
}
_WRITTEN: Mapping[Dialect, Callable[[int], dict[str, object]]] = {
    "anthropic": lambda tokens: {"input_tokens": tokens},
    "gemini": lambda tokens: {"totalTokens": tokens},
    "openai_responses": lambda tokens: {"object": "response.input_tokens", "input_tokens": tokens},
}


def count(
    request: Request, target: Target, client: Client, upstreams: Mapping[str, Upstream]
) -> Counted | Answered:
    """What to ask the provider, or the answer if it has nothing to ask. InvalidRequest if the body
    cannot be understood."""
    chat = client.parse(_as_chat(request))
    for route in target.endpoint.routes:
        counter = COUNTERS.get(route)
        if counter is not None and counter.spoken in upstreams:
            return Counted(request, target, _Asked(chat, route, counter, upstreams[counter.spoken]))
    return Answered(_written(request.dialect, estimate(chat)), {ESTIMATED: "true"})


def _as_chat(request: Request) -> Request:
    """The request whose tokens are asked for; Gemini's may be a member of the body."""
    chat = replace(request, operation="chat")
    if request.dialect != "gemini":
        return chat
    try:
        members = _members(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return chat  # what is wrong with it, whoever parses it says
    for name in ("generateContentRequest", "generate_content_request"):
        if name in members:
            return replace(chat, body=bytes(members[name]))
    return chat


class _Asked(Struct, frozen=True):
    chat: ChatRequest
    route: str
    counter: Counter
    upstream: Upstream


class Counted:
    """One request in the provider's dialect; a Dialogue."""

    __slots__ = ("_counter", "_dialect", "dropped", "sent")

    def __init__(self, request: Request, target: Target, asked: _Asked) -> None:
        counter, upstream, chat = asked.counter, asked.upstream, asked.chat
        # What is dropped changes the answer, not what there is to count.
        notes = Notes(counter.spoken, chat.names, drop=True)
        route = target.endpoint.routes[asked.route]
        members = counter.body(upstream.render(chat, target, notes), target.model)
        for quirk in route.quirks:
            members = quirk(members, target.model)
        headers = upstream_headers(replace(request, http_headers={}), target.endpoint, stream=False)
        self.sent = UpstreamRequest(
            "POST",
            route.address(target.model, stream=False),
            {**upstream.headers(chat), **headers},
            _encode(members),
            target.endpoint.proxy,
        )
        self.dropped: tuple[str, ...] = ()
        self._counter = counter
        self._dialect = request.dialect

    def media_type(self, content_type: str) -> str:
        return JSON

    def decoder(self, content_type: str) -> Decoder:
        return _CountDecoder(self._counter, self._dialect)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return translated(status, headers, body, self._dialect)


class _CountDecoder:
    """Folds a provider's count into the caller's."""

    __slots__ = ("_counter", "_dialect", "_pieces")

    done = False

    def __init__(self, counter: Counter, dialect: Dialect) -> None:
        self._counter = counter
        self._dialect = dialect
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Iterable[Reply]:
        self._pieces.append(data)
        return ()

    def finish(self) -> Completed | Failed:
        body = b"".join(self._pieces)
        try:
            tokens = getattr(_count(body), self._counter.total)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            tokens = None
        if isinstance(tokens, int):
            return Completed(_written(self._dialect, tokens))
        if (reason := parse_reason(body)) is not None and reason.message:
            return replace(failed_in_band(body), body=None, event=None)
        error = UpstreamError("The provider's count of tokens could not be read.")
        return Failed(error, error.status)

    def abort(self, error: GatewayError) -> bytes:
        return error_body(self._dialect, error)


def _written(dialect: Dialect, tokens: int) -> bytes:
    return _encode(_WRITTEN[dialect](tokens))


def estimate(chat: ChatRequest) -> int:
    """About how many tokens the texts, calls and tools of a request are; media are not counted."""
    size = sum(len(text.encode()) for text in _texts(chat))
    return -(-size // BYTES_A_TOKEN)


def _texts(chat: ChatRequest) -> Iterator[str]:
    for turn in chat.turns:
        for part in turn.parts:
            yield from _of_part(part)
    for tool in chat.tools:
        if isinstance(tool, Function | Custom):
            yield tool.name + (tool.description or "")
            schema = tool.parameters if isinstance(tool, Function) else tool.format
            if schema is not None:
                yield bytes(schema).decode(errors="replace")
    if chat.format is not None and chat.format.schema is not None:
        yield bytes(chat.format.schema).decode(errors="replace")


def _of_part(part: Part) -> Iterator[str]:
    if isinstance(part, Text | Reasoning | Refusal):
        yield part.text
    elif isinstance(part, Media):
        yield part.text or ""
    elif isinstance(part, ToolCall):
        yield part.name + part.arguments
    elif isinstance(part, ToolResult):
        for inner in part.parts:
            yield inner.text or ""
