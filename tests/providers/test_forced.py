"""Instances of which the configuration says what they speak."""

import pytest

from providers.dialogue import converse
from providers.fields import BadVariable
from providers.instances import Instance, instances
from providers.registry import Target
from schemas.requests import Dialect, Request

BODIES: dict[Dialect, bytes] = {
    "openai_chat": b'{"model":"m","messages":[{"role":"user","content":"hi"}]}',
    "openai_responses": b'{"model":"m","input":"hi"}',
    "anthropic": b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}',
    "gemini": b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}',
}
URL = "https://llm.example/v1"


def made(**environment: str) -> Instance:
    (found,) = instances(environment)
    return found


def asked(instance: Instance, dialect: Dialect) -> tuple[str, bool]:
    """Where a caller of this dialect is answered, and whether its own bytes are sent."""
    request = Request(request_id="r", body=BODIES[dialect], dialect=dialect, model="m")
    dialogue = converse(request, Target(instance.endpoint, "m"))
    sent = dialogue.sent  # type: ignore[union-attr]  # no answer of the gateway's own
    return sent.url, sent.body == request.body


@pytest.mark.parametrize(
    ("spoken", "dialect", "path"),
    [
        ("chat", "openai_chat", "/chat/completions"),
        ("responses", "openai_responses", "/responses"),
        ("messages", "anthropic", "/messages"),
        ("gemini", "gemini", "/models/m:generateContent"),
        ("anthropic", "anthropic", "/messages"),
        (" OpenAI_Responses ", "openai_responses", "/responses"),
    ],
)
def test_one_dialect(spoken: str, dialect: Dialect, path: str) -> None:
    """Callers of it are passed through, all others are translated to it: there is no other way."""
    instance = made(OPENAI_API_KEY="k", OPENAI_BASE_URL=URL, OPENAI_DIALECT=spoken)

    for caller in BODIES:
        assert asked(instance, caller) == (URL + path, caller == dialect)
    assert instance.endpoint.headers["Authorization"] == "Bearer k"


def test_several() -> None:
    """Each passes its own callers through; the first answers all others, whatever the row's order."""
    instance = made(VLLM_BASE_URL=URL, VLLM_DIALECT="messages,responses")

    assert asked(instance, "anthropic") == (f"{URL}/messages", True)
    assert asked(instance, "openai_responses") == (f"{URL}/responses", True)
    assert asked(instance, "openai_chat") == (f"{URL}/messages", False)
    assert asked(instance, "gemini") == (f"{URL}/messages", False)


def test_the_rest_of_the_row_stays() -> None:
    """What it has beside answers, and what it knows of a dialect; what belongs to one that it does not
    speak goes with it."""
    row = made(OPENAI_API_KEY="k").endpoint.routes
    found = made(OPENAI_API_KEY="k", OPENAI_DIALECT="chat,messages").endpoint.routes

    assert found["openai_chat"] == row["openai_chat"]
    assert list(found)[:2] == ["openai_chat", "anthropic"]
    assert set(row) - set(found) == {"openai_responses", "openai_count", "openai_compact"}
    assert set(found) - set(row) == {"anthropic"}


def test_without_it_nothing_changes() -> None:
    """A row that says the same as the setting is the same instance."""
    assert made(ANTHROPIC_API_KEY="k", ANTHROPIC_DIALECT="messages") == made(ANTHROPIC_API_KEY="k")


@pytest.mark.parametrize("text", ["completions", "chat;responses", "chat,claude", ","])
def test_a_wrong_one_is_named(text: str) -> None:
    """At the start, with the variable and what there is."""
    with pytest.raises(BadVariable, match=r"^VLLM_BOX_DIALECT .*chat, responses, messages, gemini"):
        made(VLLM_BOX_BASE_URL=URL, VLLM_BOX_DIALECT=text)
