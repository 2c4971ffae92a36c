"""The families of routes: what each makes of a request, and how it answers when there is none."""

from typing import Any

import pytest

from tests.ingress.conftest import KEY, Start
from tests.ingress.worker import Worker

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
MESSAGES = CHAT | {"max_tokens": 9}
CONTENTS = {"contents": [{"parts": [{"text": "hi"}]}]}
GEMINI = "/v1beta/models/groq/llama-3:8b"

# Path, body -> operation, dialect, model and stream as the record says them.
ROUTES: list[tuple[str, dict[str, Any], tuple[str, str, str | None, bool | None]]] = [
    ("/v1/chat/completions", CHAT, ("chat", "openai_chat", None, None)),
    ("/v1/completions", {"model": "m", "prompt": "x"}, ("chat", "openai_completions", None, None)),
    ("/v1/responses", {"model": "m", "input": "x"}, ("chat", "openai_responses", None, None)),
    (
        "/v1/responses/input_tokens",
        {"model": "m", "input": "x"},
        ("count_tokens", "openai_responses", None, None),
    ),
    (
        "/v1/responses/compact",
        {"model": "m", "input": "x"},
        ("compact", "openai_responses", None, None),
    ),
    ("/v1/embeddings", {"model": "m", "input": "x"}, ("embeddings", "openai_chat", None, None)),
    ("/v1/messages", MESSAGES, ("chat", "anthropic", None, None)),
    ("/v1/messages?beta=true", MESSAGES, ("chat", "anthropic", None, None)),
    ("/anthropic/v1/messages", MESSAGES, ("chat", "anthropic", None, None)),
    ("/v1/messages/count_tokens", CHAT, ("count_tokens", "anthropic", None, None)),
    ("/anthropic/v1/messages/count_tokens", CHAT, ("count_tokens", "anthropic", None, None)),
    (f"{GEMINI}:generateContent", CONTENTS, ("chat", "gemini", "groq/llama-3:8b", False)),
    (
        f"{GEMINI}:streamGenerateContent?alt=sse",
        CONTENTS,
        ("chat", "gemini", "groq/llama-3:8b", True),
    ),
    (
        "/v1beta/models/groq%2Fllama%3A8b%3AgenerateContent",
        CONTENTS,
        ("chat", "gemini", "groq/llama:8b", False),
    ),
    ("/v1/models/m:generateContent", CONTENTS, ("chat", "gemini", "m", False)),
    ("/gemini/v1beta/models/m:generateContent", CONTENTS, ("chat", "gemini", "m", False)),
    (f"{GEMINI}:countTokens", CONTENTS, ("count_tokens", "gemini", "groq/llama-3:8b", False)),
    (
        "/v1beta/models/m:embedContent",
        {"content": {"parts": []}},
        ("embeddings", "gemini", "m", False),
    ),
    ("/v1beta/models/m:batchEmbedContents", {"requests": []}, ("embeddings", "gemini", "m", False)),
]


@pytest.mark.parametrize(("path", "asked", "expected"), ROUTES, ids=[row[0] for row in ROUTES])
async def test_what_a_route_asks(
    start: Start,
    worker: Worker,
    path: str,
    asked: dict[str, Any],
    expected: tuple[str, str, str | None, bool | None],
) -> None:
    """The record says operation and dialect, and model and stream where the path names them; the body
    is the caller's, and the answer is what the worker says."""
    ingress = await start()

    found = await ingress.client.post(path, json=asked)

    assert found.status_code == 200
    (request,) = worker.requests
    assert (request.operation, request.dialect, request.model, request.stream) == expected
    assert request.content_type == "application/json"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/chat/completions", "OpenAI-Organization"),
        ("/v1/responses", "OpenAI-Project"),
        ("/v1/messages", "anthropic-beta"),
        ("/v1/messages/count_tokens", "anthropic-version"),
    ],
)
async def test_headers_that_providers_must_see(
    start: Start, worker: Worker, path: str, name: str
) -> None:
    """Each family passes on its maker's headers, and never a key."""
    ingress = await start()
    headers = {name: "a, b", "x-api-key": KEY, "x-goog-api-key": KEY, "x-other": "c"}

    await ingress.client.post(path, json=MESSAGES | {"input": "x"}, headers=headers)

    assert worker.requests[0].http_headers == {name.lower(): "a, b"}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": f"Bearer {KEY}"}, ""),
        ({"x-api-key": KEY}, ""),
        ({"x-goog-api-key": KEY}, ""),
        ({"api-key": KEY}, ""),
        ({}, f"?alt=sse&key={KEY}"),
        ({"x-api-key": KEY, "authorization": "Bearer other"}, ""),
        ({"x-api-key": KEY, "authorization": "Basic xyz"}, ""),
    ],
)
async def test_the_key_where_each_sdk_puts_it(
    start: Start, worker: Worker, headers: dict[str, str], query: str
) -> None:
    """One valid key is enough, in whatever place; it does not reach the log."""
    ingress = await start()
    ingress.client.headers.pop("authorization")

    found = await ingress.client.post(
        f"/v1beta/models/m:generateContent{query}", json=CONTENTS, headers=headers
    )

    assert found.status_code == 200
    assert KEY not in repr(worker.requests)


ERRORS = [
    ("POST", "/v1/messages", "anthropic"),
    ("POST", "/v1/messages/nothing", "anthropic"),
    ("DELETE", "/anthropic/v1/messages", "anthropic"),
    ("POST", "/anthropic/nothing", "anthropic"),
    ("POST", "/v1beta/models/m:generateContent", "gemini"),
    ("POST", "/v1beta/models/m:nothing", "gemini"),
    ("POST", "/v1/models/m:countTokens", "gemini"),
    ("GET", "/v1beta/nothing", "gemini"),
    ("PUT", "/v1beta/models/m:generateContent", "gemini"),
    ("POST", "/v1/responses", "openai"),
    ("POST", "/v1/completions", "openai"),
    ("POST", "/v1/embeddings", "openai"),
    ("POST", "/nothing", "openai"),
]


def dialect_of(body: dict[str, Any]) -> str:
    if body.get("type") == "error" and set(body["error"]) == {"type", "message"}:
        return "anthropic"
    if set(body["error"]) == {"code", "message", "status", "details"}:
        return "gemini"
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return "openai"


@pytest.mark.parametrize(("method", "path", "dialect"), ERRORS)
@pytest.mark.parametrize("key", [KEY, "wrong"])
async def test_errors_speak_the_callers_dialect(
    start: Start, worker: Worker, method: str, path: str, dialect: str, key: str
) -> None:
    """What is wrong with the path, the method, the key or the body is said as the SDK reads it."""
    ingress = await start()

    found = await ingress.client.request(
        method, path, content=b"[]", headers={"authorization": f"Bearer {key}"}
    )

    assert found.status_code in (400, 401, 404, 405)
    assert dialect_of(found.json()) == dialect


async def test_a_body_too_large_in_each_dialect(start: Start, worker: Worker) -> None:
    """413, too, with the name of the limit."""
    ingress = await start(body_limit=10)

    for path, dialect in (
        ("/v1/messages", "anthropic"),
        ("/v1beta/models/m:generateContent", "gemini"),
    ):
        found = await ingress.client.post(path, json=MESSAGES)

        assert found.status_code == 413
        assert dialect_of(found.json()) == dialect
        assert "BODY_SIZE_LIMIT" in found.json()["error"]["message"]
