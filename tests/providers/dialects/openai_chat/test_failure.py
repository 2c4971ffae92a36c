"""Error answers of providers."""

import msgspec
import pytest

from providers import DIALECTS
from providers.dialects.openai_chat.failure import KeyRefused
from schemas import errors
from schemas.replies import Failed


def failure(status: int, body: bytes, **headers: str) -> Failed:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return DIALECTS["openai_chat"].failure(status, named, body)


def openai(message: str = "m", **members: object) -> bytes:
    return msgspec.json.encode({"error": {"message": message, **members}})


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "context_length_exceeded", errors.InvalidRequest),
        (400, "model_not_found", errors.ModelNotFound),
        (404, None, errors.NotFound),
        (404, "model_not_found", errors.ModelNotFound),
        (404, "DeploymentNotFound", errors.ModelNotFound),
        (408, None, errors.UpstreamTimeout),
        (409, None, errors.UpstreamError),
        (413, None, errors.BodyTooLarge),
        (422, None, errors.InvalidRequest),
        (429, "insufficient_quota", errors.RateLimited),
        (500, None, errors.UpstreamError),
        (503, "429", errors.UpstreamError),
        (504, None, errors.UpstreamTimeout),
        (529, None, errors.UpstreamError),
    ],
)
def test_class_by_status_and_code(
    status: int, code: str | None, kind: type[errors.GatewayError]
) -> None:
    """The class follows from status and structured code; status and bytes reach the caller."""
    body = openai("the reason", code=code, param="p")
    failed = failure(status, body)
    assert type(failed.error) is kind
    assert (failed.status, failed.body) == (status, body)
    assert (failed.error.message, failed.error.param) == ("the reason", "p")


@pytest.mark.parametrize("status", [401, 403])
def test_the_gateways_key_is_refused(status: int) -> None:
    """A refused key is said to be the gateway's, with the provider's reason, and is not retried."""
    failed = failure(status, openai("Incorrect API key provided", type="invalid_request_error"))
    assert isinstance(failed.error, KeyRefused)
    assert not failed.error.retryable
    assert failed.status == status
    assert failed.body is not None
    told = msgspec.json.decode(failed.body)["error"]
    assert "gateway's own key" in told["message"]
    assert "Incorrect API key provided" in told["message"]
    assert (told["type"], told["code"]) == ("provider_error", "provider_key_refused")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": "model not loaded"}', "model not loaded"),
        (b'{"object":"error","message":"vLLM says","code":400}', "vLLM says"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"detail":[{"loc":["body"],"msg":"bad"}]}', '[{"loc":["body"],"msg":"bad"}]'),
        (
            b'{"error":{"message":"Provider returned error","code":400,'
            b'"metadata":{"raw":"too many images"}}}',
            "Provider returned error: too many images",
        ),
        (b'{"error":{"message":"","metadata":{"raw":"alone"}}}', "alone"),
        (b'{"error":{"message":null}}', "The provider answered with HTTP 400."),
        (b"{}", "The provider answered with HTTP 400."),
    ],
)
def test_shapes_of_reasons(body: bytes, message: str) -> None:
    """The reason is found in every shape in use, and a JSON body is kept byte for byte."""
    failed = failure(400, body)
    assert failed.error.message == message
    assert failed.body == body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            b"<html>\n  <h1>502 Bad\x00 Gateway</h1></html>",
            "<html> <h1>502 Bad Gateway</h1></html>",
        ),
        (b"", "The provider answered with HTTP 502."),
        (b"x" * 100_000, "x" * 200 + "…"),
        (b"\xff\xfe", "��"),
        (b"[1]", "[1]"),
        (b"[" * 100_000, "[" * 200 + "…"),
    ],
)
def test_bodies_that_are_no_json_object(body: bytes, message: str) -> None:
    """They become an OpenAI envelope with a short excerpt on one line."""
    failed = failure(502, body)
    assert failed.body is not None
    assert msgspec.json.decode(failed.body)["error"]["message"] == message == failed.error.message
    assert failed.content_type == "application/json"


def test_headers() -> None:
    """Retry-After is read, and what helps the caller is passed on; the rest is not."""
    failed = failure(429, openai(), retry_after="7", x_ratelimit_limit="9", set_cookie="secret=1")
    assert failed.error.retry_after == 7
    assert failed.http_headers == {"retry-after": "7", "x-ratelimit-limit": "9"}


def test_redirects_are_no_answer() -> None:
    """A status that is neither success nor error points at the configuration."""
    failed = failure(301, b"moved", location="http://elsewhere")
    assert failed.status == 502
    assert "301" in failed.error.message
    assert failed.body is None
