"""What single vendors want otherwise, and that nothing else is touched."""

import re
from collections.abc import Callable
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st
from msgspec import Raw

from providers.base import Members
from providers.quirks.adapting import Without, WithoutInMessages, adapted
from providers.quirks.gateway import without_provider_hint
from providers.quirks.headers import conversation_id, own_title
from providers.quirks.hosted import (
    developer_as_system,
    effort_high_or_max,
    max_tokens_by_its_old_name,
    seed_by_its_own_name,
    short_tool_ids,
    temperature_above_zero,
    without_labels,
    without_names,
    without_others_in_messages,
    without_stream_options,
)
from providers.quirks.openai import (
    completion_tokens_for_reasoning,
    effort_of_reasoning,
    encrypted_thoughts_of_reasoning,
    without_effort_where_nothing_reasons,
    without_sampling_for_reasoning,
)
from providers.vendors import VENDORS
from schemas.requests import Request

encode = msgspec.json.encode


def name_of(quirk: Callable[[Members, str], Members]) -> str:
    """The same in every process, as workers that share the tests must agree on their names."""
    if isinstance(quirk, Without | WithoutInMessages):
        return "without_" + "_".join(quirk.fields)
    return getattr(quirk, "__name__", type(quirk).__name__)


QUIRKS = sorted(
    {quirk for row in VENDORS.values() for route in row.routes.values() for quirk in route.quirks},
    key=name_of,
)


def members(**values: Any) -> Members:
    return {name: Raw(encode(value)) for name, value in values.items()}


def plain(found: Members) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(encode(found))
    return decoded


Case = tuple[Callable[[Members, str], Members], str, dict[str, Any], dict[str, Any] | None]
CASES: list[Case] = [
    # The gateway's own member; OpenRouter's is an object.
    (without_provider_hint, "m", {"provider": "openai", "n": 1}, {"n": 1}),
    (without_provider_hint, "m", {"provider": {"order": ["x"]}}, None),
    # Reasoning models and the limit.
    *(
        (completion_tokens_for_reasoning, model, {"max_tokens": 5}, {"max_completion_tokens": 5})
        for model in ("o1", "o3-mini", "gpt-5", "gpt-5-mini", "gpt-5.2", "gpt-5.1-codex")
    ),
    *(
        (completion_tokens_for_reasoning, model, {"max_tokens": 5}, None)
        for model in ("gpt-5-chat-latest", "gpt-50", "gpt-4o", "omni")
    ),
    (
        completion_tokens_for_reasoning,
        "o3",
        {"max_tokens": 5, "max_completion_tokens": 7},
        {"max_completion_tokens": 7},
    ),
    # Effort where Responses have it.
    (effort_of_reasoning, "o3", {"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}),
    (
        effort_of_reasoning,
        "o3",
        {"reasoning": {"effort": "high"}, "reasoning_effort": "low"},
        {"reasoning_effort": "low"},
    ),
    (effort_of_reasoning, "o3", {"reasoning": {"effort": "high", "summary": "auto"}}, None),
    (effort_of_reasoning, "o3", {"reasoning": "high"}, None),
    # Mistral's own word, and what it would refuse.
    (seed_by_its_own_name, "m", {"seed": 5}, {"random_seed": 5}),
    (without_labels, "m", {"user": "u", "store": False, "n": 1}, {"n": 1}),
    (without_labels, "m", {"n": 1}, None),
    (
        without_others_in_messages,
        "m",
        {"messages": [{"role": "assistant", "content": "a", "refusal": None, "annotations": []}]},
        {"messages": [{"role": "assistant", "content": "a"}]},
    ),
    (without_others_in_messages, "m", {"messages": [{"role": "user", "content": "a"}]}, None),
    (without_others_in_messages, "m", {"messages": [1]}, None),
    # A role's older name.
    (
        developer_as_system,
        "m",
        {"messages": [{"role": "developer", "content": "a"}, {"role": "user", "content": "b"}]},
        {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]},
    ),
    (
        developer_as_system,
        "m",
        {"input": [{"type": "message", "role": "developer", "content": "a"}, {"type": "x"}]},
        {"input": [{"type": "message", "role": "system", "content": "a"}, {"type": "x"}]},
    ),
    (developer_as_system, "m", {"messages": [{"role": "user", "content": '"developer"'}]}, None),
    (developer_as_system, "m", {"input": 'the "developer"'}, None),
    (developer_as_system, "m", {"input": [{"content": "developer"}, 1]}, None),
    # Groq's, too.
    (
        without_names,
        "m",
        {"messages": [{"role": "user", "content": "a", "name": "Ada"}, {"role": "user"}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "user"}]},
    ),
    # Effort and encrypted thoughts where there are none.
    *(
        (without_effort_where_nothing_reasons, model, {"reasoning_effort": "low", "n": 1}, {"n": 1})
        for model in ("gpt-4o", "gpt-4.1-mini", "gpt-3.5-turbo", "gpt-5-chat-latest")
    ),
    *(
        (without_effort_where_nothing_reasons, model, {"reasoning_effort": "low"}, None)
        for model in ("gpt-5", "gpt-5.1-chat-latest", "o3", "my-deployment", "gpt-40")
    ),
    (without_effort_where_nothing_reasons, "gpt-4.1", {"reasoning": {"effort": "low"}}, {}),
    (without_effort_where_nothing_reasons, "gpt-4.1", {"reasoning": None}, None),
    (
        encrypted_thoughts_of_reasoning,
        "gpt-4o",
        {"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]},
        {"include": ["message.output_text.logprobs"]},
    ),
    (encrypted_thoughts_of_reasoning, "gpt-4o", {"include": ["file_search_call.results"]}, None),
    (encrypted_thoughts_of_reasoning, "gpt-4o", {"include": None}, None),
    (encrypted_thoughts_of_reasoning, "gpt-5", {"include": ["reasoning.encrypted_content"]}, None),
    # Sampling while a model reasons.
    *(
        (without_sampling_for_reasoning, model, {"temperature": 0.5, "top_p": 1, "n": 1}, {"n": 1})
        for model in ("o3", "gpt-5", "gpt-5-mini", "gpt-5.2-pro")
    ),
    *(
        (without_sampling_for_reasoning, model, {"temperature": 0.5}, None)
        for model in (
            "gpt-4o",
            "gpt-5.2",
            "gpt-5.6-sol",
            "gpt-5-chat-latest",
            "gpt-5.1-chat-latest",
        )
    ),
    (
        without_sampling_for_reasoning,
        "gpt-5.2",
        {"temperature": 0.5, "reasoning_effort": "low"},
        {"reasoning_effort": "low"},
    ),
    (
        without_sampling_for_reasoning,
        "gpt-5.2",
        {"top_p": 0.5, "reasoning": {"effort": "low"}},
        {"reasoning": {"effort": "low"}},
    ),
    (
        without_sampling_for_reasoning,
        "gpt-5.2",
        {"temperature": 0.5, "reasoning": {"effort": "none"}},
        None,
    ),
    (without_sampling_for_reasoning, "o3", {"logprobs": True}, None),
    # DeepSeek's two efforts.
    *(
        (effort_high_or_max, "m", {"reasoning_effort": given}, {"reasoning_effort": sent})
        for given, sent in (("low", "high"), ("medium", "high"), ("xhigh", "max"))
    ),
    *(
        (effort_high_or_max, "m", {"reasoning_effort": given}, None)
        for given in ("high", "max", "none", 5, None)
    ),
    # MiniMax's temperature.
    (temperature_above_zero, "m", {"temperature": 0}, {"temperature": 1.0}),
    (temperature_above_zero, "m", {"temperature": -0.5}, {"temperature": 1.0}),
    *((temperature_above_zero, "m", {"temperature": t}, None) for t in (0.1, None, "hot")),
    # Mistral's names.
    (max_tokens_by_its_old_name, "m", {"max_completion_tokens": 5}, {"max_tokens": 5}),
    (max_tokens_by_its_old_name, "m", {"max_tokens": 5}, None),
    (without_stream_options, "m", {"stream_options": {"include_usage": True}, "n": 1}, {"n": 1}),
]


@pytest.mark.parametrize(("quirk", "model", "given", "expected"), CASES)
def test_quirks(
    quirk: Callable[[Members, str], Members],
    model: str,
    given: dict[str, Any],
    expected: dict[str, Any] | None,
) -> None:
    """What is adapted, and what is handed back as the same object; what was given never changes."""
    before = members(**given)
    found = quirk(before, model)
    assert plain(before) == given
    if expected is None:
        assert found is before
    else:
        assert plain(found) == expected


@pytest.mark.parametrize("quirk", QUIRKS, ids=name_of)
@hypothesis.given(
    values=st.dictionaries(
        st.sampled_from(
            [
                *("max_tokens", "temperature", "reasoning", "reasoning_effort", "messages"),
                *("stream_options", "provider", "top_p", "max_completion_tokens", "include"),
            ]
        ),
        st.one_of(
            st.binary(max_size=20),
            st.recursive(
                st.none() | st.integers() | st.text(max_size=5),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["tool_calls", "id", "effort"]), inner)
                ),
                max_leaves=6,
            ).map(encode),
        ).map(Raw),
    ),
    model=st.sampled_from(["o3", "gpt-5.2", "gpt-4o", "m"]),
)
def test_no_quirk_minds_what_it_is_given(
    quirk: Callable[[Members, str], Members], values: Members, model: str
) -> None:
    """Whatever the members are, a quirk raises nothing: the provider says what is wrong with them."""
    quirk(values, model)


def test_mistrals_tool_ids() -> None:
    """Ids that it would refuse become nine letters and digits, the same for call and result; its own
    stay, and so does everything else."""

    def conversation(one: str, other: str) -> list[dict[str, Any]]:
        return [
            {"role": "user", "content": "x"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": other, "type": "function"},
                ],
            },
            {"role": "tool", "tool_call_id": one, "content": "1"},
            {"role": "tool", "tool_call_id": other, "content": "2"},
        ]

    found = plain(short_tool_ids(members(messages=conversation("call_abc-123", "35bC59XSm")), "m"))
    short = found["messages"][2]["tool_call_id"]
    assert re.fullmatch("[0-9A-Za-z]{9}", short)
    assert found["messages"] == conversation(short, "35bC59XSm")
    other = plain(short_tool_ids(members(messages=conversation("call_other", "35bC59XSm")), "m"))
    assert other["messages"][2]["tool_call_id"] != short
    for given in (conversation("35bC59XSm", "6IgxW8LfZ"), [{"role": "user", "tool_calls": None}]):
        fitting = members(messages=given)
        assert short_tool_ids(fitting, "m") is fitting


def test_what_is_left_out_is_named() -> None:
    """All quirks in a row; the names of what was left out, not of what was renamed or is the gateway's."""
    quirks = VENDORS["openai"].routes["openai_chat"].quirks
    given = members(max_tokens=5, temperature=0.1, top_p=0.5, provider="openai", n=1)
    found, dropped = adapted(given, (without_provider_hint, *quirks), "o3")
    assert plain(found) == {"max_completion_tokens": 5, "n": 1}
    assert dropped == ("temperature", "top_p")
    untouched = members(n=1)
    assert adapted(untouched, quirks, "o3") == (untouched, ())
    assert adapted(untouched, quirks, "o3")[0] is untouched


def test_what_is_left_out_of_messages_is_named() -> None:
    """If it says anything: an SDK sends a message back with members that say nothing."""
    quirks = VENDORS["mistral"].routes["openai_chat"].quirks
    said = {"role": "assistant", "content": "a", "refusal": None, "reasoning_content": "hm"}
    found, dropped = adapted(members(messages=[said], user="u"), quirks, "m")
    assert plain(found) == {"messages": [{"role": "assistant", "content": "a"}]}
    assert dropped == ("user", "messages.reasoning_content")
    _, dropped = adapted(members(messages=[{**said, "reasoning_content": ""}]), quirks, "m")
    assert dropped == ()


def asked(http_headers: dict[str, str] | None = None, **body: Any) -> Request:
    return Request(
        request_id="r1", body=encode(body), user_path="/a", http_headers=http_headers or {}
    )


def test_a_conversation_keeps_its_id() -> None:
    """Later turns have the id of the first, another beginning or another caller has another one, in
    every dialect; the caller's own id stays."""

    def id_of(request: Request) -> str:
        return conversation_id({}, request)["X-Grok-Conv-Id"]

    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    later = [*turns, {"role": "assistant", "content": "a"}, {"role": "user", "content": "more"}]
    first = id_of(asked(model="m", messages=turns))
    assert first == id_of(asked(model="m", messages=later, temperature=1))
    assert first != id_of(asked(model="m2", messages=turns))
    assert first != id_of(asked(model="m", messages=later[1:]))
    assert id_of(asked(model="m", input="x")) == id_of(asked(model="m", input="x"))
    assert id_of(asked(model="m", contents=turns)) == id_of(asked(model="m", contents=later))
    for unknown in (asked(model="m"), Request(request_id="r1", body=b"\xff")):
        assert id_of(unknown) == "sluice-r1"
    own = {"x-grok-conv-id": "mine"}
    assert conversation_id(own, asked(model="m", messages=turns)) is own


def test_a_callers_title_counts() -> None:
    """OpenRouter's two names for a title: the caller's takes the place of the configured one."""
    configured = {"X-OpenRouter-Title": "ours", "HTTP-Referer": "h"}
    assert own_title(configured, asked()) is configured
    assert own_title(configured, asked({"x-title": "theirs"})) == {"HTTP-Referer": "h"}
    both = asked({"x-title": "theirs", "x-openrouter-title": "theirs"})
    assert own_title(configured, both) is configured
