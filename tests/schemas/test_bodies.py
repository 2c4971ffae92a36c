"""What the gateway reads of a body."""

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from schemas.bodies import Envelope, check_json, envelope
from schemas.errors import InvalidRequest
from schemas.requests import DIALECTS, Dialect, Operation, Relay, Request

CHAT = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


def asked(
    body: bytes,
    dialect: Dialect = "openai_chat",
    operation: Operation = "chat",
    **more: object,
) -> Envelope:
    return envelope(
        Request(request_id="r", body=body, dialect=dialect, operation=operation, **more)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("body", "param", "fragment"),
    [
        (b"", None, "not valid JSON"),
        (b"{", None, "not valid JSON"),
        (b"nul", None, "not valid JSON"),
        (CHAT + b"x", None, "not valid JSON"),
        (b"\xef\xbb\xbf" + CHAT, None, "not valid JSON"),
        (b'{"model":"\xff"}', None, "not UTF-8: byte 10"),
        (b'{"x":"\xc3\x28","model":"m","messages":[{}]}', None, "not UTF-8"),
        (b"[1]", None, "must be a JSON object"),
        (b'"text"', None, "must be a JSON object"),
        (b"{}", "model", "`model` is required"),
        (b'{"model":"m"}', "messages", "`messages` is required"),
        (b'{"model":null,"messages":[{}]}', "model", "expected `str`, got `null`"),
        (b'{"model":"m","messages":"hi"}', "messages", "expected `array`, got `str`"),
        (b'{"model":"m","messages":[]}', "messages", "at least one"),
        (b'{"model":"","messages":[{}]}', "model", "must not be empty"),
        (
            b'{"model":"m","messages":[{}],"stream":1}',
            "stream",
            "expected `bool | null`, got `int`",
        ),
        (b'{"model":"m","messages":[{}],"x":' + b"[" * 100_000, None, "."),
    ],
)
def test_what_is_wrong_with_a_body_is_said(body: bytes, param: str | None, fragment: str) -> None:
    """The message names the field and the reason; nothing crashes."""
    with pytest.raises(InvalidRequest, match=fragment.replace("|", "\\|")) as caught:
        asked(body)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("operation", "dialect", "body", "found"),
    [
        ("chat", "openai_chat", CHAT, Envelope("m")),
        ("chat", "openai_chat", CHAT[:-1] + b',"stream":true}', Envelope("m", True)),
        ("chat", "openai_chat", CHAT[:-1] + b',"stream":null}', Envelope("m")),
        ("chat", "openai_completions", b'{"model":"m","prompt":[1]}', Envelope("m")),
        (
            "chat",
            "openai_completions",
            b'{"model":"m","prompt":"","stream":true}',
            Envelope("m", True),
        ),
        (
            "chat",
            "openai_responses",
            b'{"model":"m","input":"hi","stream":true}',
            Envelope("m", True),
        ),
        ("chat", "openai_responses", b'{"model":"m","input":[{}]}', Envelope("m")),
        ("chat", "openai_responses", b'{"model":"m","previous_response_id":"r"}', Envelope("m")),
        ("chat", "openai_responses", b'{"model":"m","prompt":{"id":"p"}}', Envelope("m")),
        ("chat", "openai_responses", b'{"model":"m","conversation":"c"}', Envelope("m")),
        (
            "chat",
            "anthropic",
            b'{"model":"m","max_tokens":1,"messages":[{}],"stream":true}',
            Envelope("m", True),
        ),
        ("embeddings", "openai_chat", b'{"model":"m","input":[1,2]}', Envelope("m")),
        ("count_tokens", "anthropic", b'{"model":"m","messages":[{}]}', Envelope("m")),
        ("count_tokens", "openai_responses", b'{"model":"m"}', Envelope("m")),
        ("compact", "openai_responses", b'{"model":"m","input":[]}', Envelope("m")),
    ],
)
def test_model_and_stream(
    operation: Operation, dialect: Dialect, body: bytes, found: Envelope
) -> None:
    """Each dialect and operation names its model, and says whether it wants a stream."""
    assert asked(body, dialect, operation) == found


@pytest.mark.parametrize(
    ("operation", "dialect", "rest"),
    [
        ("chat", "openai_chat", '"messages":[{}]'),
        ("chat", "openai_completions", '"prompt":"p"'),
        ("chat", "openai_responses", '"input":"i"'),
        ("embeddings", "openai_chat", '"input":"i"'),
        ("count_tokens", "openai_responses", '"input":"i"'),
    ],
)
@pytest.mark.parametrize(
    ("model", "provider", "found"),
    [
        ("m", '"east"', "east/m"),
        ("east/m", '"east"', "east/m"),
        ("other/m", '"east"', "east/other/m"),
        ("m", '""', "m"),
        ("m", "null", "m"),
        ("m", '{"order":["x"]}', "m"),
        ("m", "7", "m"),
    ],
)
def test_a_provider_in_the_body(
    operation: Operation, dialect: Dialect, rest: str, model: str, provider: str, found: str
) -> None:
    """A text names whose model it is, with its prefix or without; anything else is a provider's own."""
    body = f'{{"model":"{model}","provider":{provider},{rest}}}'.encode()
    assert asked(body, dialect, operation).model == found


@pytest.mark.parametrize("provider", [b'"\x01"', b'"\\ud800"'])
def test_a_provider_that_is_no_text(provider: bytes) -> None:
    """It is refused like any other bad JSON."""
    with pytest.raises(InvalidRequest):
        asked(CHAT[:-1] + b',"provider":' + provider + b"}")


@pytest.mark.parametrize("operation", ["chat", "count_tokens", "embeddings"])
def test_a_model_in_the_path(operation: Operation) -> None:
    """Where the path says model and stream, the body need not."""
    body = b'{"contents":[{"parts":[{"text":"hi"}]}],"model":"models/other"}'
    found = asked(body, "gemini", operation, model="m", stream=True)
    assert found.model == "m"
    assert found.stream == (operation != "embeddings")


def test_a_wrapped_count() -> None:
    """Google's SDK may wrap what it counts."""
    body = b'{"generateContentRequest":{"contents":[{}]}}'
    assert asked(body, "gemini", "count_tokens", model="m") == Envelope("m")


@pytest.mark.parametrize(
    ("operation", "dialect", "body", "param"),
    [
        ("chat", "openai_completions", b'{"model":"m"}', "prompt"),
        ("chat", "openai_completions", b'{"prompt":"p"}', "model"),
        ("chat", "openai_responses", b'{"model":"m"}', "input"),
        ("chat", "openai_responses", b'{"model":"m","input":null}', "input"),
        ("chat", "openai_responses", b'{"model":"m","input":[]}', "input"),
        (
            "chat",
            "openai_responses",
            b'{"model":"m","prompt":null,"conversation":null}',
            "input",
        ),
        ("chat", "openai_responses", b'{"model":"m","input":{}}', "input"),
        ("chat", "anthropic", b'{"model":"m","messages":[{}]}', "max_tokens"),
        ("chat", "anthropic", b'{"model":"m","max_tokens":1,"messages":[]}', "messages"),
        ("chat", "gemini", b"{}", "contents"),
        ("chat", "gemini", b'{"contents":[]}', "contents"),
        ("chat", "gemini", b'{"contents":null}', "contents"),
        ("embeddings", "openai_chat", b'{"model":"m"}', "input"),
        ("embeddings", "openai_chat", b'{"model":"m","input":null}', "input"),
        ("embeddings", "openai_chat", b'{"model":" ","input":"x"}', "model"),
        ("count_tokens", "anthropic", b'{"model":"m","messages":[]}', "messages"),
        ("compact", "openai_responses", b"{}", "model"),
    ],
)
def test_what_is_missing_is_named(
    operation: Operation, dialect: Dialect, body: bytes, param: str
) -> None:
    """What a provider could only refuse is refused at once, by the caller's own name."""
    with pytest.raises(InvalidRequest) as caught:
        asked(body, dialect, operation, model="m" if dialect == "gemini" else None)
    assert caught.value.param == param
    assert f"`{param}`" in caught.value.message


@pytest.mark.parametrize(
    ("operation", "dialect"), [("compact", "anthropic"), ("embeddings", "openai_completions")]
)
def test_operations_that_a_dialect_lacks(operation: Operation, dialect: Dialect) -> None:
    """A producer may ask for what does not exist; that is no crash."""
    with pytest.raises(InvalidRequest, match=f"no {operation} in the dialect {dialect}"):
        asked(CHAT, dialect, operation)


@pytest.mark.parametrize(
    ("body", "content_type", "found"),
    [
        (b'{"model":"m","stream":true}', "application/json", Envelope("m", True)),
        (b'{"model":7}', "application/json", Envelope("")),
        (b"\xff{", "application/json; charset=utf-8", Envelope("")),
        (b"[" * 5000, "application/json", Envelope("")),
        (b'{"model":"m"}', "multipart/form-data; boundary=x", Envelope("")),
        (b"", "application/json", Envelope("")),
    ],
)
def test_relayed_bodies_are_never_wrong(body: bytes, content_type: str, found: Envelope) -> None:
    """What is handed on as it is may be anything; its model is read where it can be."""
    relay = Relay("east", "POST", "/v1/any")
    assert asked(body, operation="relay", content_type=content_type, relay=relay) == found


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-2.5-pro:generateContent?alt=sse", "gemini-2.5-pro"),
        ("/models/a%20b:countTokens", "a b"),
        ("/openai/deployments/my-gpt/chat/completions?api-version=1", "my-gpt"),
        ("/deployments/d/embeddings", "d"),
        ("/models/gpt-4o", "in-the-body"),
        ("/chat/completions?x=/models/m:y", "in-the-body"),
    ],
)
def test_relayed_paths_may_name_the_model(path: str, model: str) -> None:
    """A model that stands in the path is who answers, whatever the body says."""
    body = b'{"model":"in-the-body"}'
    assert asked(body, operation="relay", relay=Relay("east", "POST", path)).model == model


def test_check_json() -> None:
    """JSON in UTF-8 of any shape, and nothing else."""
    for body in (b"[1]", b'"\xc3\xa4"', b"null"):
        check_json(body)
    for body in (b"", b"{", b'"\xff"', b"[" * 100_000):
        with pytest.raises(InvalidRequest):
            check_json(body)


@given(st.sampled_from(DIALECTS), st.binary(max_size=60))
def test_no_bytes_crash_it(dialect: Dialect, body: bytes) -> None:
    """Whatever the bytes are, it is an envelope or the caller's mistake."""
    for sent in (body, b'{"model":' + body + b"}", CHAT[:-1] + b',"stream":' + body + b"}"):
        with suppress(InvalidRequest):
            assert asked(sent, dialect, model="m").model
