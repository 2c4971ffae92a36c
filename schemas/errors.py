"""Every error that a caller can see.

GatewayError
├── InvalidRequest                  400  the caller's mistake
│   ├── ModelAccessDenied 400, ContextLengthExceeded 400, ContentFiltered 400
│   ├── GuardrailBlocked 400
│   ├── PreviousResponseNotFound 400, Unauthorized 401, PermissionDenied 403
│   ├── NotFound                    404
│   │   └── ModelNotFound 404, ResponseNotFound 404
│   ├── MethodNotAllowed 405, BodyTimeout 408, Conflict 409, Gone 410, BodyTooLarge 413
│   ├── UnsupportedMediaType 415, ExpectationFailed 417, IdempotencyKeyReused 422
│   └── HeadersTooLarge             431
├── RateLimited                     429  come back later
├── Cancelled                       499  the caller went away, or asked for it
├── InternalError ── BodyLost       500  our mistake
├── UpstreamError                   502  the provider's answer, or none
│   ├── UpstreamUnreachable 502, KeyRefused 502, StreamTruncated 502
│   └── UpstreamUnavailable 503, UpstreamTimeout 504
├── Interrupted                     502  a worker died after bytes had gone out
├── Overloaded                      503  our limits
├── LogUnavailable 503, StoreUnavailable 503  Kafka or the store of answers is away
├── GuardrailUnavailable            503  a guardrail cannot decide, and nothing goes on without it
├── NotCached                       504  only a kept answer was wanted
└── Expired                         504  the deadline passed

A class is its HTTP status, code and default message (the docstring). See `budget_errors.py`, too.
"""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """Something went wrong inside the gateway."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    type: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str = "", *, param: str | None = None, retry_after: int | None = None
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.param = param
        self.retry_after = retry_after  # seconds
        super().__init__(self.message)


class InvalidRequest(GatewayError):
    """The request is malformed: see the message for what to change."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class ContextLengthExceeded(InvalidRequest):
    """The prompt is longer than the model's context: shorten it or choose a model with a larger one."""

    code = "context_length_exceeded"


class PreviousResponseNotFound(InvalidRequest):
    """The previous response is not known: it was not stored, was deleted, or is too old."""

    code = "previous_response_not_found"


class ContentFiltered(InvalidRequest):
    """The provider's content filter refused the request."""

    code = "content_filter"


class GuardrailBlocked(InvalidRequest):
    """A guardrail of this gateway refused the request or its answer: the message names it."""

    code = "guardrail_blocked"


class ModelAccessDenied(InvalidRequest):
    """This model is not available here: GET /v1/models lists those that are."""

    code = "model_access_denied"


class Unauthorized(InvalidRequest):
    """No valid API key was given: send `Authorization: Bearer <key>` or `x-api-key: <key>`."""

    status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class PermissionDenied(InvalidRequest):
    """This key may not do that."""

    status = 403
    code = "permission_denied"
    type = "permission_error"


class NotFound(InvalidRequest):
    """There is nothing at this path: see /v1/models and the documentation for the routes."""

    status = 404
    code = "not_found"
    type = "not_found_error"


class ModelNotFound(NotFound):
    """No configured provider has this model: GET /v1/models lists those that can be called."""

    code = "model_not_found"


class ResponseNotFound(NotFound):
    """There is no such response: it was not stored, was deleted, or is too old."""

    code = "response_not_found"


class MethodNotAllowed(InvalidRequest):
    """This path does not take this method."""

    status = 405
    code = "method_not_allowed"


class BodyTimeout(InvalidRequest):
    """The body did not arrive in time."""

    status = 408
    code = "body_timeout"


class Conflict(InvalidRequest):
    """That cannot be done as things are now."""

    status = 409
    code = "conflict"


class Gone(InvalidRequest):
    """This request is too old: its answer is kept no longer."""

    status = 410
    code = "gone"


class BodyTooLarge(InvalidRequest):
    """The body is larger than the gateway takes: raise BODY_SIZE_LIMIT or send less."""

    status = 413
    code = "body_too_large"


class UnsupportedMediaType(InvalidRequest):
    """The body must be plain JSON: `Content-Type: application/json`, no Content-Encoding."""

    status = 415
    code = "unsupported_media_type"


class ExpectationFailed(InvalidRequest):
    """The only expectation understood is `Expect: 100-continue`."""

    status = 417
    code = "expectation_failed"


class IdempotencyKeyReused(InvalidRequest):
    """This `Idempotency-Key` was used for another request: use a new key for each request."""

    status = 422
    code = "idempotency_key_reused"


class HeadersTooLarge(InvalidRequest):
    """The request line or the headers are larger than 8 KiB."""

    status = 431
    code = "headers_too_large"


class RateLimited(GatewayError):
    """Too many requests: wait for the time in Retry-After."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"
    retryable = True


class Cancelled(GatewayError):
    """The request was cancelled before it was answered."""

    status = 499
    code = "cancelled"
    type = "cancelled_error"


class InternalError(GatewayError):
    """Something went wrong inside the gateway; the request is kept in the dead letters."""


class BodyLost(InternalError):
    """The body of the request is not in SPOOL_DIR as it was sent: send it again."""

    code = "body_lost"
    retryable = True


class UpstreamError(GatewayError):
    """The provider failed to answer."""

    status = 502
    code = "upstream_error"
    type = "provider_error"
    retryable = True


class UpstreamUnreachable(UpstreamError):
    """The provider could not be reached."""

    code = "upstream_unreachable"


class KeyRefused(UpstreamError):
    """The provider refused the key that the gateway is configured with."""

    code = "provider_key_refused"
    retryable = False


class UpstreamUnavailable(UpstreamError):
    """Every provider of this model has failed repeatedly and is left alone for a moment."""

    status = 503
    code = "upstream_unavailable"


class StreamTruncated(UpstreamError):
    """The provider's answer ended before it was complete."""

    code = "stream_truncated"


class UpstreamTimeout(UpstreamError):
    """The provider did not answer in time."""

    status = 504
    code = "upstream_timeout"


class Interrupted(GatewayError):
    """The answer was interrupted inside the gateway after part of it had been sent: ask again."""

    status = 502
    code = "stream_interrupted"
    type = "server_error"
    retryable = True


class Overloaded(GatewayError):
    """The gateway has as many requests in flight as it takes: wait for the time in Retry-After."""

    status = 503
    code = "overloaded"
    type = "overloaded_error"
    retryable = True


class LogUnavailable(GatewayError):
    """The request log cannot be written at the moment; the request was not accepted."""

    status = 503
    code = "log_unavailable"
    type = "server_error"
    retryable = True


class StoreUnavailable(GatewayError):
    """The store of earlier answers cannot be asked at the moment."""

    status = 503
    code = "store_unavailable"
    type = "server_error"
    retryable = True


class GuardrailUnavailable(GatewayError):
    """A guardrail that this request must pass cannot decide at the moment."""

    status = 503
    code = "guardrail_unavailable"
    type = "server_error"
    retryable = True


class NotCached(GatewayError):
    """No answer to this request is kept, and `Cache-Control: only-if-cached` forbids to make one."""

    status = 504
    code = "not_cached"
    type = "invalid_request_error"


class Expired(GatewayError):
    """The deadline passed before the request was answered."""

    status = 504
    code = "deadline_exceeded"
    type = "timeout_error"
    retryable = True
