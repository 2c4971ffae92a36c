"""Which question is asked, and among which others its answer is looked for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from providers.canonical.request import ChatRequest
from providers.dialogue import CLIENTS
from schemas.requests import Dialect, Request
from streams.caches.semantic.extraction import Question, Scope, question

SCOPE = Scope("east/m", "/team", "embedder")


def chat(body: dict[str, Any], dialect: Dialect = "openai_chat") -> ChatRequest:
    raw = msgspec.json.encode(body)
    request = Request(request_id="r", body=raw, dialect=dialect, model="m", stream=False)
    return CLIENTS[dialect].parse(request)


def asked(text: str = "How do I reset it?", **members: Any) -> Question | None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return question(chat({"model": "m", "messages": messages} | members), SCOPE)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


DIALECTS: list[tuple[Dialect, dict[str, Any]]] = [
    ("openai_chat", {"model": "m", "messages": [{"role": "system", "content": "S"}, user("Q?")]}),
    ("anthropic", {"model": "m", "max_tokens": 9, "system": "S", "messages": [user("Q?")]}),
    ("openai_responses", {"model": "m", "instructions": "S", "input": "Q?"}),
    (
        "gemini",
        {
            "systemInstruction": {"parts": [{"text": "S"}]},
            "contents": [{"role": "user", "parts": [{"text": "Q?"}]}],
        },
    ),
]


@pytest.mark.parametrize(("dialect", "body"), DIALECTS)
def test_every_dialect_has_a_question(dialect: Dialect, body: dict[str, Any]) -> None:
    """The last user message, whatever the caller speaks; the system prompt is in the namespace."""
    found = question(chat(body, dialect), SCOPE)
    other = question(
        chat(msgspec.json.decode(msgspec.json.encode(body).replace(b'"S"', b'"T"')), dialect), SCOPE
    )

    assert found is not None
    assert other is not None
    assert (found.text, other.text) == ("Q?", "Q?")
    assert found.namespace != other.namespace


def test_the_question_is_not_in_the_namespace() -> None:
    """Other words are looked for among the same answers."""
    one, other = asked("How do I reset it?"), asked("Where can I reset it?")

    assert one is not None
    assert other is not None
    assert one.namespace == other.namespace


SHAPING: list[dict[str, Any]] = [
    {"temperature": 0.2},
    {"top_p": 0.5},
    {"max_tokens": 10},
    {"stop": ["x"]},
    {"frequency_penalty": 1},
    {"reasoning_effort": "high"},
    {"response_format": {"type": "json_object"}},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]},
    {"tools": [{"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}}]},
    {"tool_choice": "none"},
    {"unknown_member": 1},
    {"messages": [{"role": "system", "content": "Be long."}, user("How do I reset it?")]},
    {"messages": [user("How do I reset it?")]},
    {
        "messages": [
            user("Hi"),
            {"role": "assistant", "content": "Yes"},
            user("Reset my old password"),
        ]
    },
    {
        "messages": [
            user("Hi"),
            {"role": "assistant", "content": "No"},
            user("Reset my old password"),
        ]
    },
]


def test_whatever_shapes_an_answer_is_in_the_namespace() -> None:
    """Any two of these requests have two."""
    found = [asked(**members) for members in ({}, *SHAPING)]

    namespaces = [each.namespace for each in found if each is not None]
    assert len(namespaces) == len(SHAPING) + 1
    assert len(set(namespaces)) == len(namespaces)


@pytest.mark.parametrize(
    "members",
    [{"stream": True}, {"user": "u"}, {"metadata": {"a": "b"}}, {"store": True}, {"n": 1}],
)
def test_what_shapes_none_is_not(members: dict[str, Any]) -> None:
    """A stream and a plain request share their answers."""
    one, other = asked(), asked(**members)

    assert one is not None
    assert other is not None
    if members != {"n": 1}:
        assert one == other


@pytest.mark.parametrize("changed", [{"model": "x"}, {"tenant": "x"}, {"embedder": "x"}])
def test_what_the_request_does_not_say_is_in_the_namespace(changed: dict[str, str]) -> None:
    """Tenants, resolved models and embedders share nothing."""
    body = chat({"model": "m", "messages": [user("How do I reset it?")]})

    assert question(body, SCOPE) != question(body, replace(SCOPE, **changed))


def test_the_order_of_members_says_nothing() -> None:
    """JSON that is kept as it came is compared by what it says."""
    function = {"name": "f", "parameters": {"type": "object", "title": "t"}}
    turned = {"name": "f", "parameters": {"title": "t", "type": "object"}}

    assert asked(tools=[{"type": "function", "function": function}]) == asked(
        tools=[{"function": turned, "type": "function"}]
    )


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "members",
    [
        {"messages": [user("")]},
        {"messages": [user("x" * 3_000)]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE]}]},
        {"messages": [user("Why?"), {"role": "assistant", "content": "Yes"}, user("and why?")]},
        {
            "messages": [user("a b c"), {"role": "assistant", "content": "Yes"}] * 3
            + [user("reset my old password")]
        },
        {
            "messages": [
                user("reset my old password"),
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c", "content": "done"},
                user("reset my old password"),
            ]
        },
        {"messages": [user("Hi"), {"role": "assistant", "content": "Yes"}]},
        {"n": 2},
        {"seed": 1},
        {"logprobs": True},
        {"temperature": 1.5},
    ],
)
def test_what_has_no_answer_in_other_words(members: dict[str, Any]) -> None:
    """Pictures, tool calls, long conversations, questions that lean on the turns before, and requests
    that want to see chance at work."""
    assert asked(**members) is None
