"""Errors as answers: every one, Sanic's own included, in the caller's dialect, and with a request id."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus

import msgspec
import structlog
from msgspec import Struct
from sanic.exceptions import (
    BadRequest,
    ExpectationFailed as SanicExpectationFailed,
    MethodNotAllowed as SanicMethodNotAllowed,
    NotFound as SanicNotFound,
    PayloadTooLarge,
    RequestCancelled,
    RequestTimeout,
    SanicException,
    ServiceUnavailable,
    URITooLong,
)
from sanic.handlers import ErrorHandler
from sanic.request import Request as SanicRequest
from typing_extensions import override

from ingress.caller import identify
from ingress.guards import IncomingRequest, explain_head
from ingress.wire import Answer
from schemas.clock import Clock
from schemas.envelopes import error_body
from schemas.errors import (
    BodyTimeout,
    BodyTooLarge,
    Cancelled,
    ExpectationFailed,
    Expired,
    GatewayError,
    HeadersTooLarge,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
)

log = structlog.get_logger()
ADMIN = "/admin/api/"
_PROBLEM = b"content-type: application/problem+json\r\ncache-control: no-store\r\n"
_encode = msgspec.json.Encoder().encode


def identity_lines(request: IncomingRequest) -> bytes:
    """The header lines of every answer: the caller's id if it sent one, and ours; what browsers want."""
    ours = (request.gateway_id or "").encode()
    name = (request.client_request_id or "").encode() or ours
    lines = b"x-request-id: %b\r\nsluice-request-id: %b\r\n" % (name, ours)
    if (cors := getattr(request.app.ctx, "cors", None)) is not None:
        lines += cors.lines(request)
    # Where that dialect's SDK looks for it: https://platform.claude.com/docs/en/api/errors
    return lines + b"request-id: %b\r\n" % name if request.dialect == "anthropic" else lines


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error as https://www.rfc-editor.org/rfc/rfc9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None  # the request's id
    param: str | None = None


def error_answer(request: IncomingRequest, error: GatewayError, extra: bytes = b"") -> Answer:
    """The answer that tells a caller of `error`: in its dialect, or as a problem if it asked the admin API."""
    if request.path.startswith(request.app.ctx.base_path.decode() + ADMIN):
        return problem(request, error, extra)
    lines = b"content-type: application/json\r\n" + _lines(request, error) + extra
    return Answer(error.status, lines, error_body(request.dialect, error))


def problem(request: IncomingRequest, error: GatewayError, extra: bytes = b"") -> Answer:
    """The same as https://www.rfc-editor.org/rfc/rfc9457 has it."""
    found = Problem(
        type="about:blank",
        title=_title(error.status),
        status=error.status,
        detail=error.message,
        code=error.code,
        instance=request.gateway_id,
        param=error.param,
    )
    return Answer(error.status, _PROBLEM + _lines(request, error) + extra, _encode(found))


def _lines(request: IncomingRequest, error: GatewayError) -> bytes:
    lines = identity_lines(request)
    if error.retry_after is not None:
        lines += b"retry-after: %d\r\n" % error.retry_after
    if error.status == 401:
        lines += b"www-authenticate: Bearer\r\n"
    return lines


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 499 is nobody's
        return "Client Closed Request"


class Errors(ErrorHandler):
    """Sanic's hook for everything that was raised outside of, or not handled by, a route."""

    def __init__(self, clock: Clock, slot: int) -> None:
        super().__init__()
        self._clock = clock
        self._slot = slot

    @override
    def response(self, request: SanicRequest, exception: Exception) -> Answer:
        assert isinstance(request, IncomingRequest)  # the app makes no others
        if request.gateway_id is None:
            with suppress(InvalidRequest):
                identify(request, int(self._clock.time() * 1000), self._slot)
        error = self._translate(request, exception)
        extra = b""
        if isinstance(exception, SanicMethodNotAllowed):
            allow = exception.allowed_methods or _allowed(request)
            extra = b"allow: %s\r\n" % ", ".join(sorted(allow)).encode()
        return error_answer(request, error, extra)

    def _translate(self, request: IncomingRequest, exception: BaseException) -> GatewayError:
        if isinstance(exception, GatewayError):
            return exception
        for kind, error in _SAME.items():
            if isinstance(exception, kind):
                return error()
        if isinstance(exception, PayloadTooLarge):
            # Without a head it is the head itself that was too large.
            return BodyTooLarge() if request.head else HeadersTooLarge()
        if isinstance(exception, BadRequest):
            return InvalidRequest(_why(request, exception))
        if isinstance(exception, SanicException) and exception.status_code < 500:
            return InvalidRequest(str(exception))
        log.error(
            "request_failed",
            request_id=request.gateway_id,
            client_request_id=request.client_request_id,
            path=request.path,
            exc_info=exception,
        )
        return InternalError("Something went wrong inside the gateway.")


def _allowed(request: IncomingRequest) -> Iterable[str]:
    """The methods of a path with parameters, of which Sanic says none: what OPTIONS would answer."""
    with suppress(SanicException):
        route, handler, _ = request.app.router.get(request.path, "OPTIONS", None)
        known: Iterable[str] = getattr(handler, "methods", route.methods)
        return known
    return ()


_SAME: dict[type[BaseException], type[GatewayError]] = {
    RequestCancelled: Cancelled,
    SanicNotFound: NotFound,
    SanicMethodNotAllowed: MethodNotAllowed,
    SanicExpectationFailed: ExpectationFailed,
    RequestTimeout: BodyTimeout,
    URITooLong: HeadersTooLarge,
    ServiceUnavailable: Expired,
}


def _why(request: IncomingRequest, exception: BadRequest) -> str:
    """Sanic's parser says only "Bad Request"; the head, still in the buffer then, says more."""
    if request.head or request.stream is None:
        return f"The request is malformed: {exception}."
    head, _, _ = bytes(request.stream.protocol.recv_buffer).partition(b"\r\n\r\n")
    return explain_head(head)
