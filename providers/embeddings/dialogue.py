"""One request for embeddings at one target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec import Raw, Struct

from providers.base import Decoder, Route, Target, UpstreamRequest
from providers.canonical.notes import Notes
from providers.canonical.request import Members
from providers.embeddings import gemini, openai
from providers.embeddings.middle import Asked, Embedded
from providers.failure import failed, failed_in_band, in_band, translated
from providers.headers import upstream_headers
from schemas.envelopes import JSON, error_body
from schemas.errors import GatewayError, InvalidRequest, StreamTruncated, UpstreamError
from schemas.replies import Completed, Failed, Reply
from schemas.requests import Request
from schemas.usage import Usage


class Speech(Struct, frozen=True):
    """What makes a dialect of embeddings."""

    route: str
    verb: Callable[[bytes], str]  # what follows the route's URL for a body
    named: Callable[[bytes, str], bytes]  # a body with the provider's name of the model
    usage_of: Callable[[bytes], tuple[Usage | None, str | None]]  # of a body that passes through
    parse: Callable[[bytes, Notes], Asked]
    render: Callable[[Asked, str], Members]
    read: Callable[[bytes], Embedded]
    write: Callable[[Embedded, Asked, str], bytes]


OPENAI = Speech(
    "openai_embeddings",
    lambda body: "",
    openai.named,
    openai.usage_of,
    openai.parse,
    openai.render,
    openai.read,
    openai.write,
)
GEMINI = Speech(
    "gemini_embeddings",
    gemini.verb,
    gemini.named,
    gemini.usage_of,
    gemini.parse,
    gemini.render,
    gemini.read,
    gemini.write,
)
_CALLERS = {"openai_chat": OPENAI, "gemini": GEMINI}
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode


def embed(request: Request, target: Target) -> Passed | Converted:
    """The dialogue of a request; InvalidRequest if it cannot be said to this target."""
    routes = target.endpoint.routes
    caller = _CALLERS.get(request.dialect)
    if caller is not None and caller.route in routes:
        return Passed(request, target, caller)
    provider = next((speech for speech in _CALLERS.values() if speech.route in routes), None)
    if caller is None or provider is None:
        raise InvalidRequest(
            f"The provider `{target.instance}` has no embeddings"
            f" for requests of the dialect {request.dialect}."
        )
    return Converted(request, target, caller, provider)


def _sent(request: Request, target: Target, url: str, body: bytes) -> UpstreamRequest:
    headers = upstream_headers(request, target.endpoint, stream=False)
    return UpstreamRequest("POST", url, headers, body, target.endpoint.proxy)


def _quirked(route: Route, body: bytes, model: str) -> bytes:
    if not route.quirks:
        return body
    given = members = _members(body)
    for quirk in route.quirks:
        members = quirk(members, model)
    return body if members is given else _encode(members)


class Passed:
    """Caller and provider speak the same dialect: bytes pass through; a Dialogue."""

    __slots__ = ("_speech", "sent")

    dropped: tuple[str, ...] = ()

    def __init__(self, request: Request, target: Target, speech: Speech) -> None:
        route = target.endpoint.routes[speech.route]
        address = route.address(target.model, stream=False)
        body = _quirked(route, speech.named(request.body, target.model), target.model)
        self.sent = _sent(request, target, address + speech.verb(request.body), body)
        self._speech = speech

    def media_type(self, content_type: str) -> str:
        return content_type

    def decoder(self, content_type: str) -> Decoder:
        return _Whole(self._completed, _dialect_of(self._speech), failed_in_band)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return failed(status, headers, body)

    def _completed(self, body: bytes) -> Completed:
        usage, model = self._speech.usage_of(body)
        return Completed(body, None, usage, model)


class Converted:
    """They speak different ones; a Dialogue."""

    __slots__ = ("_asked", "_caller", "_dialect", "_model", "_provider", "dropped", "sent")

    def __init__(self, request: Request, target: Target, caller: Speech, provider: Speech) -> None:
        notes = Notes(provider.route, {}, drop=request.drop_params)
        self._asked = caller.parse(request.body, notes)
        self._caller = caller
        self._provider = provider
        self._dialect = request.dialect
        self._model = target.model
        route = target.endpoint.routes[provider.route]
        body = _encode(provider.render(self._asked, target.model))
        # The caller's own headers belong to its dialect.
        plain = msgspec.structs.replace(request, http_headers={})
        self.sent = _sent(
            plain,
            target,
            route.address(target.model, stream=False) + provider.verb(body),
            _quirked(route, body, target.model),
        )
        self.dropped = notes.dropped

    def media_type(self, content_type: str) -> str:
        return JSON

    def decoder(self, content_type: str) -> Decoder:
        return _Whole(self._completed, self._dialect, self._in_band)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        return translated(status, headers, body, self._dialect)

    def _completed(self, body: bytes) -> Completed:
        embedded = self._provider.read(body)
        written = self._caller.write(embedded, self._asked, self._model)
        return Completed(written, None, embedded.usage, embedded.model)

    def _in_band(self, body: bytes) -> Failed:
        error, status = in_band(body)
        return Failed(error, status, error_body(self._dialect, error, status))


def _dialect_of(speech: Speech) -> str:
    """Whose words a caller of that speech gets."""
    return next(dialect for dialect, found in _CALLERS.items() if found is speech)


class _Error(Struct):
    error: Raw = Raw()


_error = msgspec.json.Decoder(_Error).decode


class _Whole:
    """Holds the answer until it is whole."""

    __slots__ = ("_completed", "_dialect", "_in_band", "_pieces")

    done = False

    def __init__(
        self,
        completed: Callable[[bytes], Completed],
        dialect: str,
        in_band: Callable[[bytes], Failed],
    ) -> None:
        self._completed = completed
        self._dialect = dialect
        self._in_band = in_band
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Iterable[Reply]:
        self._pieces.append(data)
        return ()

    def finish(self) -> Completed | Failed:
        body = b"".join(self._pieces)
        try:
            body.decode()
            found = _error(body).error
            if found and bytes(found) != b"null":
                return self._in_band(body)
            return self._completed(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as reason:
            # msgspec has no code for it, only this sentence.
            if not body.strip() or str(reason) == "Input data was truncated":
                return self._failed(StreamTruncated())
            return self._failed(UpstreamError(f"The provider's answer cannot be read: {reason}."))
        except GatewayError as error:
            return self._failed(error)

    def abort(self, error: GatewayError) -> bytes:
        return error_body(self._dialect, error)

    def _failed(self, error: GatewayError) -> Failed:
        return Failed(error, error.status, error_body(self._dialect, error))
