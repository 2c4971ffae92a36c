"""Which way a request takes to its provider."""

import msgspec
import pytest
from msgspec.structs import replace

from providers.base import Route, Target
from providers.dialects.openai_chat.native import PassThrough as ChatPassThrough
from providers.dialogue import CLIENTS, PASS_THROUGH, UPSTREAMS, converse
from providers.relay import Relayed
from providers.translated import Translated
from schemas.errors import InvalidRequest
from schemas.requests import Dialect, Operation, Relay, Request
from tests.providers.pairs import MODELS, SPOKEN
from tests.providers.support import ENDPOINT

BODIES: dict[str, dict[str, object]] = {
    "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai_completions": {"model": "m", "prompt": "hi"},
    "openai_responses": {"model": "m", "input": "hi"},
    "anthropic": {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    },
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}


def at(*spoken: str, model: str = "m") -> Target:
    """A provider that speaks these."""
    routes = {name: Route(f"http://h/{name}") for name in spoken}
    return Target(replace(ENDPOINT, routes=routes), model)


def request(dialect: Dialect, operation: Operation = "chat", **members: object) -> Request:
    made = Request(
        request_id="r",
        body=msgspec.json.encode(BODIES[dialect]),
        dialect=dialect,
        operation=operation,
        model="m",
    )
    return replace(made, **members)


@pytest.mark.parametrize("caller", CLIENTS)
def test_the_same_dialect_passes_through(caller: Dialect) -> None:
    """Where the provider speaks the caller's dialect, too, that is spoken, whatever else it speaks."""
    others = [name for name in SPOKEN if name != caller]
    found = converse(request(caller), at(*others, caller))
    assert isinstance(found, PASS_THROUGH[caller])  # type: ignore[arg-type]
    assert found.sent.url == f"http://h/{caller}"
    assert found.dropped == ()


@pytest.mark.parametrize("caller", CLIENTS)
@pytest.mark.parametrize("spoken", UPSTREAMS)
def test_another_dialect_is_translated(caller: Dialect, spoken: Dialect) -> None:
    """Every caller reaches every provider."""
    if caller == spoken:
        return
    found = converse(request(caller), at(spoken, model=MODELS[spoken]))
    assert isinstance(found, Translated)
    assert found.sent.url == f"http://h/{spoken}"
    assert b"hi" in found.sent.body


def test_the_first_dialect_of_a_provider_counts() -> None:
    """The order of its routes says in which it is asked by others; routes for something else are none."""
    found = converse(request("gemini"), at("openai_embeddings", "anthropic", "openai_chat"))
    assert found.sent.url == "http://h/anthropic"  # type: ignore[union-attr]


@pytest.mark.parametrize("caller", CLIENTS)
def test_a_provider_without_answers(caller: Dialect) -> None:
    """One that only has embeddings cannot be asked, and that is said."""
    with pytest.raises(InvalidRequest, match="does not answer chat requests"):
        converse(request(caller), at("openai_embeddings"))


def test_relayed_requests() -> None:
    """They go to their provider as they are, whatever it speaks."""
    relay = Relay("east", "POST", "/v1/anything?x=1")
    found = converse(request("openai_chat", "relay", relay=relay), at("openai_chat"))
    assert isinstance(found, Relayed)
    assert found.sent.method == "POST"


def test_completions_of_a_chat_provider() -> None:
    """They are translated; with a route of their own they are not."""
    asked = request("openai_completions")
    assert isinstance(converse(asked, at("openai_chat")), Translated)
    assert isinstance(converse(asked, at("openai_chat", "openai_completions")), ChatPassThrough)
