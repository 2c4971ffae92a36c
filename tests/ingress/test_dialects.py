"""Which dialect a caller speaks, by path and headers."""

import pytest
from hypothesis import given, strategies as st
from sanic.compat import Header

from ingress.dialects import ACTIONS, dialect_of
from schemas.requests import DIALECTS

ANTHROPIC = {"anthropic-version": "2023-06-01"}
GOOGLE = {"x-goog-api-key": "k"}


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("/v1/chat/completions", "openai_chat"),
        ("/v1/chat/completions?a=/v1/messages", "openai_chat"),
        ("/v1/embeddings", "openai_chat"),
        ("/v1/completions", "openai_completions"),
        ("/v1/responses", "openai_responses"),
        ("/v1/responses/", "openai_responses"),
        ("/v1/responses?x=1", "openai_responses"),
        ("/v1/responses/resp_1/input_items", "openai_responses"),
        ("/v1/responses/input_tokens", "openai_responses"),
        ("/v1/messages", "anthropic"),
        ("/v1/messages?beta=true", "anthropic"),
        ("/v1/messages/count_tokens", "anthropic"),
        ("/v1/messages/batches/nothing", "anthropic"),
        ("/anthropic", "anthropic"),
        ("/anthropic/v1/messages", "anthropic"),
        ("/anthropic/v1/models/m:generateContent", "anthropic"),
        ("/v1beta", "gemini"),
        ("/v1beta/models", "gemini"),
        ("/v1beta/models/m:generateContent", "gemini"),
        ("/gemini/v1/models/a/b", "gemini"),
        # Names that only begin like those above are of nobody.
        ("/v1/messagesx", "openai_chat"),
        ("/v1betas/models", "openai_chat"),
        ("/anthropics", "openai_chat"),
        ("/geminis", "openai_chat"),
        ("/v1/responsesx", "openai_chat"),
        ("/v1/completionsx", "openai_chat"),
        ("/p/sim/v1/messagesx", "openai_chat"),
        ("/p/sim/v1/chat/messages", "openai_chat"),
        ("/p/anthropic/v1/chat/completions", "openai_chat"),
        ("/p/sim/messages", "anthropic"),
        ("/p/sim/v2beta/messages/batches", "anthropic"),
        ("/p/sim/v1/responses/resp_1", "openai_responses"),
        ("/p/sim/v1alpha/models", "gemini"),
        ("/v1/models", "openai_chat"),
        ("/v1/models/a:b", "openai_chat"),
        ("/v1/files", "openai_chat"),
        ("/health", "openai_chat"),
        ("*", "openai_chat"),
        ("", "openai_chat"),
    ],
)
def test_by_the_path(url: str, dialect: str) -> None:
    """Also of paths below a family's that do not exist: whoever asks there has that family's SDK."""
    assert dialect_of(url.encode(), Header({})) == dialect


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("name", ["m", "groq/llama-3:8b", "tuned%2Fmodel"])
@pytest.mark.parametrize("colon", [":", "%3A", "%3a"])
@pytest.mark.parametrize("root", ["/v1", "/p/sim", "/p/sim/v1"])
def test_by_what_is_asked_of_a_model(root: str, name: str, colon: str, action: str) -> None:
    """Google's actions stand behind a colon, wherever the models are; nothing else does."""
    url = f"{root}/models/{name}{colon}{action}"

    assert dialect_of(url.encode(), Header({})) == "gemini"
    assert dialect_of(f"{url}?alt=sse".encode(), Header({})) == "gemini"
    assert dialect_of(f"{url}x".encode(), Header({})) == "openai_chat"
    assert dialect_of(f"{root}/files?a=/models/m{colon}{action}".encode(), Header({})) != "gemini"


@pytest.mark.parametrize(
    ("headers", "dialect"),
    [
        (ANTHROPIC, "anthropic"),
        ({"Anthropic-Version": "1"}, "anthropic"),
        (GOOGLE, "gemini"),
        ({"x-goog-api-client": "genai"}, "gemini"),
        ({"x-api-key": "k", "authorization": "Bearer k"}, "openai_chat"),
    ],
)
def test_by_the_headers(headers: dict[str, str], dialect: str) -> None:
    """Where families share a path, the SDK tells by its headers; where they do not, the path counts."""
    for url in (b"/v1/models", b"/v1/files", b"/nothing"):
        assert dialect_of(url, Header(headers)) == dialect
    assert dialect_of(b"/v1/chat/completions", Header(headers)) == "openai_chat"
    assert dialect_of(b"/v1/responses", Header(headers)) == "openai_responses"


@given(st.binary(max_size=60), st.sampled_from([{}, ANTHROPIC, GOOGLE]))
def test_any_path_has_one(url: bytes, headers: dict[str, str]) -> None:
    """It is known before a request is looked at, so that what is wrong with it can be said in it."""
    assert dialect_of(url, Header(headers)) in DIALECTS
