"""What a caller's members become in the middle."""

from typing import Any

import pytest

from providers.canonical.request import Format, Text, Thinking, Turn
from schemas.errors import InvalidRequest
from tests.providers.dialects.openai_responses.support import parsed, raw, rendered

SCHEMA = {"type": "object", "properties": {}}


def test_instructions_are_not_a_system_message() -> None:
    """Instructions are the first turn, and go out as instructions; a system message stays a message."""
    chat = parsed(instructions="Be brief.", input=[{"role": "system", "content": "Rules."}])

    assert chat.turns == (Turn("system", (Text("Be brief."),)), Turn("system", (Text("Rules."),)))
    body, _ = rendered(chat)
    assert body["instructions"] == "Be brief."
    assert body["input"] == [{"type": "message", "role": "system", "content": "Rules."}]
    assert (
        "instructions" not in rendered(parsed(input=[{"role": "system", "content": "Rules."}]))[0]
    )


def test_options() -> None:
    """Every option that the middle knows arrives there."""
    chat = parsed(
        max_output_tokens=5,
        temperature=0.5,
        top_p=0.25,
        include=["message.output_text.logprobs"],
        top_logprobs=3,
        parallel_tool_calls=False,
        service_tier="flex",
        user="u",
        safety_identifier="s",
        prompt_cache_key="k",
        metadata={"a": "b"},
        store=False,
        stream=True,
        text={"verbosity": "low"},
    )

    assert (chat.max_tokens, chat.temperature, chat.top_p) == (5, 0.5, 0.25)
    assert (chat.logprobs, chat.top_logprobs) == (True, 3)
    assert (chat.parallel_tool_calls, chat.service_tier, chat.store) == (False, "flex", False)
    assert (chat.user, chat.safety_identifier, chat.prompt_cache_key) == ("u", "s", "k")
    assert chat.metadata == raw({"a": "b"})
    assert chat.stream
    assert chat.verbosity == "low"
    assert chat.extra == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "text"}, Format("text")),
        ({"type": "json_object"}, Format("json")),
    ],
)
def test_formats(given: dict[str, Any], expected: Format) -> None:
    """Formats without a schema are told apart."""
    assert parsed(text={"format": given}).format == expected


def test_schema() -> None:
    """A schema comes with its name, strictness and description."""
    given = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
    found = parsed(text={"format": {**given, "description": "d"}}).format

    assert found is not None
    assert (found.kind, found.name, found.strict, found.description) == ("schema", "n", True, "d")
    assert found.schema == raw(SCHEMA)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"effort": "high"}, Thinking(effort="high")),
        ({"effort": "none"}, Thinking(enabled=False, effort="none")),
        ({"summary": "auto"}, Thinking(visible=True, summary="auto")),
        ({"generate_summary": "concise"}, Thinking(visible=True, summary="concise")),
        ({}, Thinking()),
    ],
)
def test_reasoning(given: dict[str, Any], expected: Thinking) -> None:
    """Effort and summary are what is said of thinking; a summary makes it visible."""
    assert parsed(reasoning=given).thinking == expected


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"truncation": "disabled", "background": True, "stream_options": {}}, set()),
        ({"include": ["reasoning.encrypted_content"]}, set()),
        ({"include": ["file_search_call.results"]}, {"include"}),
        ({"truncation": "auto", "max_tool_calls": 3}, {"truncation", "max_tool_calls"}),
        ({"reasoning": {"mode": "pro"}, "text": {"new": 1}}, {"reasoning.mode", "text.new"}),
        ({"tools": [{"type": "custom", "name": "n", "async": True}]}, {"tools.async"}),
        ({"new": {"a": 1}, "gone": None}, {"new"}),
    ],
)
def test_what_has_no_field_is_kept(given: dict[str, Any], named: set[str]) -> None:
    """What says more than the default and has no field is kept under the caller's name for it."""
    assert parsed(given).extra.keys() == named


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
        ({"input": 5}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"role": "alien", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "new"}]}]}, "input[0].content[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input[0].content[0].text",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
            "input[0].content[0]",
        ),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0]"),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": 5}]},
            "input[0].output",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"name": "f"}]}, "tools[0]"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"text": {"format": {"type": "poem"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"metadata": {"a": 1}}, None),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_mistakes_name_their_place(given: dict[str, Any], param: str | None) -> None:
    """What cannot be understood is the caller's mistake, and the error says where it is."""
    with pytest.raises(InvalidRequest) as raised:
        parsed(given)
    if param is not None:
        assert raised.value.param == param


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"model":"m","input":"\xff"}', b"[" * 100_000]
)
def test_bodies_that_are_none(body: bytes) -> None:
    """What is no JSON object in UTF-8 is the caller's mistake."""
    with pytest.raises(InvalidRequest):
        parsed(body)
