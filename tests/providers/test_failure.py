"""Error answers of providers."""

import msgspec
import pytest

from providers import failure as failures
from providers.failure import KeyRefused
from schemas import errors
from schemas.envelopes import error_body
from schemas.replies import Failed


def failure(status: int, body: bytes, **headers: str) -> Failed:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return failures.failed(status, named, body)


def openai(message: str = "m", **members: object) -> bytes:
    return msgspec.json.encode({"error": {"message": message, **members}})


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "context_length_exceeded", errors.ContextLengthExceeded),
        (400, "content_filter", errors.ContentFiltered),
        (400, "else", errors.InvalidRequest),
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


TOO_LONG = {
    "anthropic": (
        b'{"type":"error","error":{"type":"invalid_request_error",'
        b'"message":"prompt is too long: 208310 tokens > 200000 maximum"}}'
    ),
    "gemini": (
        b'{"error":{"code":400,"message":"The input token count (1048600) exceeds the maximum number of'
        b' tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}'
    ),
    "vllm": (
        b'{"object":"error","message":"This model\'s maximum context length is 4096 tokens. However, you'
        b' requested 5000 tokens.","type":"BadRequestError","code":400}'
    ),
    "llamacpp": (
        b'{"error":{"code":400,"message":"the request exceeds the available context size, try increasing'
        b' it","type":"exceed_context_size_error"}}'
    ),
}


@pytest.mark.parametrize("vendor", TOO_LONG)
def test_a_prompt_that_is_too_long_for_who_sends_no_code(vendor: str) -> None:
    """It is known by the provider's words, which its caller gets as they are."""
    found = failure(400, TOO_LONG[vendor])

    assert type(found.error) is errors.ContextLengthExceeded
    assert (found.status, found.body) == (400, TOO_LONG[vendor])


def test_other_words_about_lengths() -> None:
    """What only speaks of a length is the mistake that it says."""
    body = b'{"error":{"message":"`max_tokens` is too long for you","code":null}}'
    assert type(failure(400, body).error) is errors.InvalidRequest


@pytest.mark.parametrize("status", [401, 403])
def test_the_gateways_key_is_refused(status: int) -> None:
    """A refused key is said to be the gateway's, with the provider's reason, and is not retried."""
    failed = failure(status, openai("Incorrect API key provided", type="invalid_request_error"))
    assert isinstance(failed.error, KeyRefused)
    assert not failed.error.retryable
    assert failed.status == status
    assert (
        failed.body is None
    )  # the gateway's words, not the provider's: it was not the caller's key
    told = msgspec.json.decode(error_body("openai_chat", failed.error, status))["error"]
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
    """They are not passed on: the caller is told a short excerpt on one line, in its dialect."""
    failed = failure(502, body)
    assert failed.body is None
    assert failed.error.message == message
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


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        ("openai_responses", {"error": {"message": "slow down", "param": "n"}}),
        ("anthropic", {"type": "error", "error": {"type": "rate_limit_error"}}),
        ("gemini", {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}),
    ],
)
def test_a_caller_of_another_dialect(dialect: str, told: dict[str, object]) -> None:
    """It gets the status, the reason and the time to wait in its own words, none of the bytes."""
    body = openai("slow down", param="n", request="theirs")
    failed = failures.translated(429, {"retry-after": "7"}, body, dialect)
    assert (failed.status, failed.error.retry_after) == (429, 7)
    assert failed.body is not None
    assert failed.http_headers == {"retry-after": "7"}
    found = msgspec.json.decode(failed.body)
    assert "slow down" in found["error"]["message"]
    assert "theirs" not in failed.body.decode()
    for name, value in told.items():
        assert found[name] == value or value.items() <= found[name].items()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (openai("no", code="429"), errors.RateLimited, 429),
        (openai("no", code=404), errors.NotFound, 404),
        (openai("no", code="server_error"), errors.UpstreamError, 502),
        (openai("no", code="model_not_found"), errors.ModelNotFound, 502),
        (b'{"error":', errors.UpstreamError, 502),
    ],
)
def test_an_error_in_an_answer(body: bytes, kind: type[errors.GatewayError], status: int) -> None:
    """One that came with status 200 has the class and the status that its code says."""
    error, found = failures.in_band(body)
    assert (type(error), found) == (kind, status)


def test_an_error_in_a_stream_is_one_event() -> None:
    """The provider's object, on one line: what is body of a whole answer is data of a stream's event."""
    failed = failures.failed_in_band(b'{"error":\r\n{"message":"no"}}\n')
    assert failed.event == b'data: {"error":  {"message":"no"}} \n\n'
    assert failed.body == b'{"error":  {"message":"no"}} '
