"""Lists of models as providers send them."""

import pytest

from providers.catalog import Listed
from providers.discovery import list_request, parse_list
from providers.instances import instances
from schemas.errors import UpstreamError
from schemas.prices import Metadata


def test_request() -> None:
    """The list is asked for with the instance's key, over the instance's proxy."""
    (found,) = instances({"OPENAI_API_KEY": "secret", "OPENAI_PROXY_URL": "http://p:1"})
    request = list_request(found.endpoint)
    assert (request.method, request.url, request.body) == (
        "GET",
        "https://api.openai.com/v1/models",
        b"",
    )
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.proxy == "http://p:1"


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (
            b'{"object":"list","data":[{"id":"b","created":5,"x":1},{"id":"a"},{"id":"b"}]}',
            [Listed("b", 0), Listed("a")],
        ),
        (b'[{"id":"a","created":1.7e9}]', [Listed("a", 1_700_000_000)]),
        (b'{"data":null}', []),
        (b'{"data":[]}', []),
        (
            b'{"data":[{"id":"c","display_name":"C","created_at":"1970-01-01T00:01:00Z",'
            b'"type":"model","max_input_tokens":9,"max_tokens":4}],"has_more":false}',
            [Listed("c", 60, Metadata(display_name="C", context_window=9, max_output_tokens=4))],
        ),
        (
            b'{"data":[{"id":"x/y","name":"X: Y","created":1,"context_length":131072,'
            b'"top_provider":{"max_completion_tokens":4096}}]}',
            [
                Listed(
                    "x/y",
                    1,
                    Metadata(display_name="X: Y", context_window=131072, max_output_tokens=4096),
                )
            ],
        ),
        (
            b'{"data":[{"id":"m","name":"m","max_context_length":32768,"created_at":7}]}',
            [Listed("m", 0, Metadata(context_window=32768))],
        ),
        (
            b'{"models":[{"name":"models/gemini-x","displayName":"X","inputTokenLimit":1048576,'
            b'"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"]},'
            b'{"name":"models/embedding-x","supportedGenerationMethods":["embedContent"]},'
            b'{"name":"models/imagen","supportedGenerationMethods":["predict"]}]}',
            [
                Listed(
                    "gemini-x",
                    0,
                    Metadata(
                        display_name="X",
                        context_window=1048576,
                        max_output_tokens=65536,
                        modes=("chat",),
                    ),
                ),
                Listed("embedding-x", 0, Metadata(modes=("embedding",))),
            ],
        ),
        (
            b'{"models":[{"name":"command-x","endpoints":["chat","generate"],"context_length":1000},'
            b'{"name":"embed-x","endpoints":["embed"]},{"name":"rerank-x","endpoints":["rerank"]}]}',
            [
                Listed("command-x", 0, Metadata(context_window=1000, modes=("chat",))),
                Listed("embed-x", 0, Metadata(modes=("embedding",))),
            ],
        ),
    ],
)
def test_lists(body: bytes, models: list[Listed]) -> None:
    """OpenAI's shape with what others put into it, a bare list, null for an empty one, Gemini's and
    Cohere's; each id once, and what can neither answer nor embed left out."""
    assert parse_list(body) == models


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data":[{"name":"x"}]}', b'"x"', b"\xff"])
def test_no_lists(body: bytes) -> None:
    """Anything else is the provider's failure."""
    with pytest.raises(UpstreamError):
        parse_list(body)
