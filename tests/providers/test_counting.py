"""Counts of tokens for callers whose dialect the provider does not count in."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from providers.base import Answered, Dialogue, Endpoint, Route, Target
from providers.counting import COUNTERS, Counted
from providers.dialogue import converse
from schemas.errors import InvalidRequest
from schemas.replies import Completed, Failed
from schemas.requests import Request

TEXT = "How many tokens am I?"
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}}
BODIES: dict[str, dict[str, Any]] = {
    "anthropic": {
        "model": "m",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": TEXT}],
        "tools": [{"name": "weather", "description": "now", "input_schema": TOOL}],
    },
    "openai_responses": {
        "model": "m",
        "instructions": "Be brief.",
        "input": TEXT,
        "tools": [
            {"type": "function", "name": "weather", "description": "now", "parameters": TOOL}
        ],
    },
    "gemini": {
        "generateContentRequest": {
            "model": "models/m",
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": TEXT}]}],
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": "weather", "description": "now", "parametersJsonSchema": TOOL}
                    ]
                }
            ],
        }
    },
}
ANSWERS = {
    "anthropic_count": b'{"input_tokens": 7}',
    "openai_count": b'{"object": "response.input_tokens", "input_tokens": 7}',
    "gemini_count": b'{"totalTokens": 7, "promptTokensDetails": []}',
}
TOLD = {
    "anthropic": {"input_tokens": 7},
    "openai_responses": {"object": "response.input_tokens", "input_tokens": 7},
    "gemini": {"totalTokens": 7},
}
OWN = {
    "anthropic": "anthropic_count",
    "openai_responses": "openai_count",
    "gemini": "gemini_count",
}


def target(*routes: str) -> Target:
    made = {name: Route(f"https://h/{name}/{{model}}") for name in ("openai_chat", *routes)}
    headers = {"Authorization": "Bearer k"}
    endpoint = Endpoint(
        instance="i", routes=made, base_url="https://h", models_url="", headers=headers
    )
    return Target(endpoint, "theirs")


def asked(dialect: Any, *routes: str, body: Any = None) -> Dialogue | Answered:
    content = json.dumps(BODIES[dialect] if body is None else body).encode()
    request = Request(
        request_id="r",
        body=content,
        operation="count_tokens",
        dialect=dialect,
        model="m" if dialect == "gemini" else None,
    )
    return converse(request, target(*routes))


PAIRS = [(dialect, route) for dialect in BODIES for route in COUNTERS if OWN[dialect] != route]


@pytest.mark.parametrize(("dialect", "route"), PAIRS)
def test_the_provider_counts_in_its_own_dialect(dialect: str, route: str) -> None:
    """Text, instructions and tools reach its counting route, nothing else does; the number comes back as
    the caller's dialect says it."""
    dialogue = asked(dialect, route)
    assert isinstance(dialogue, Counted)

    sent = json.loads(dialogue.sent.body)
    assert dialogue.sent.url == f"https://h/{route}/theirs"
    for text in (TEXT, "Be brief.", "weather", "city"):
        assert text in dialogue.sent.body.decode()
    inner = sent.get("generateContentRequest", sent)
    assert inner["model"] in ("theirs", "models/theirs")
    assert inner.keys() & {"max_tokens", "stream", "store", "include", "max_output_tokens"} == set()
    decoder = dialogue.decoder("application/json")
    assert list(decoder.feed(ANSWERS[route])) == []
    end = decoder.finish()
    assert isinstance(end, Completed)
    assert json.loads(end.data) == TOLD[dialect]


@pytest.mark.parametrize("dialect", BODIES)
def test_its_own_dialect_passes_through(dialect: str) -> None:
    """Where the provider counts in the caller's dialect, nothing is translated."""
    dialogue = asked(dialect, *COUNTERS)

    assert not isinstance(dialogue, Counted | Answered)
    assert dialogue.sent.url == f"https://h/{OWN[dialect]}/theirs"


@pytest.mark.parametrize("dialect", BODIES)
def test_nobody_counts(dialect: str) -> None:
    """A provider without a counting route is not asked: four bytes are a token, and a header says that
    this is a guess."""
    answered = asked(dialect)

    assert isinstance(answered, Answered)
    assert answered.http_headers == {"sluice-estimated": "true"}
    told = json.loads(answered.body)
    tokens = told.pop("totalTokens", None) or told.pop("input_tokens")
    schema = len(json.dumps(TOOL).encode())
    texts = len(TEXT) + len("Be brief.") + len("weather") + len("now")
    assert (texts + schema) / 4 - 20 < tokens <= (texts + schema) / 4 + 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", "upstream_error"),
        (b"not json", "upstream_error"),
        (b'{"input_tokens": "7"}', "upstream_error"),
        (b'{"error": {"message": "no", "code": 429}}', "rate_limit_exceeded"),
    ],
)
def test_a_count_that_is_none(body: bytes, code: str) -> None:
    """Without a number there is no answer, but an error in the caller's dialect."""
    dialogue = asked("openai_responses", "anthropic_count")
    assert isinstance(dialogue, Counted)
    decoder = dialogue.decoder("application/json")
    list(decoder.feed(body))

    end = decoder.finish()

    assert isinstance(end, Failed)
    assert (end.error.code, end.body) == (code, None)


def test_an_error_of_the_provider_in_the_callers_dialect() -> None:
    """Translated as any other."""
    dialogue = asked("anthropic", "openai_count")
    assert isinstance(dialogue, Counted)

    failed = dialogue.failure(400, {}, b'{"error": {"message": "no", "code": null}}')

    assert json.loads(failed.body or b"")["error"]["type"] == "invalid_request_error"


def test_what_cannot_be_counted_is_named() -> None:
    """The caller's mistakes are told before anybody is asked."""
    with pytest.raises(InvalidRequest):
        asked("anthropic", body={"model": "m", "messages": [{"role": "nobody", "content": 1}]})


@given(st.binary(max_size=64))
def test_no_answer_breaks_the_decoder(body: bytes) -> None:
    """Whatever bytes come, there is an end."""
    dialogue = asked("gemini", "openai_count")
    assert isinstance(dialogue, Counted)
    decoder = dialogue.decoder("application/json")
    list(decoder.feed(body))

    assert isinstance(decoder.finish(), Completed | Failed)
