"""Tools and the choice among them, both ways."""

from typing import Any

import pytest
from msgspec.structs import replace

from providers.canonical.request import (
    Custom,
    Function,
    NativeTool,
    Tool,
    ToolChoice,
    WebSearch,
)
from schemas.errors import InvalidRequest
from tests.providers.dialects.openai_responses.support import parsed, raw, rendered

FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
SHELL = {"type": "local_shell"}


def test_kinds() -> None:
    """Functions, custom tools, the search of the web, and what only this dialect runs."""
    chat = parsed(
        tools=[
            {**FUNCTION, "description": "d", "defer_loading": True},
            {"type": "custom", "name": "apply_patch", "format": {"type": "text"}},
            {
                "type": "web_search_preview",
                "filters": {"allowed_domains": ["a.example"]},
                "search_context_size": "high",
                "user_location": {"type": "approximate", "city": "Rome"},
            },
            SHELL,
        ]
    )
    assert chat.tools == (
        Function("f", "d", raw({"type": "object"}), True, extra={"defer_loading": raw(True)}),
        Custom("apply_patch", None, raw({"type": "text"})),
        WebSearch(
            ("a.example",),
            context_size="high",
            user_location=raw({"type": "approximate", "city": "Rome"}),
        ),
        NativeTool("openai_responses", "local_shell", raw(SHELL)),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("tool", "f")),
        ({"type": "custom", "name": "p"}, ToolChoice("tool", "p", custom=True)),
        ({"type": "local_shell"}, ToolChoice("tool", "local_shell")),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "local_shell"}],
            },
            ToolChoice("required", allowed=("f", "local_shell")),
        ),
    ],
)
def test_choices(given: Any, expected: ToolChoice) -> None:
    """Every choice is understood, and written again as it was."""
    tools = [FUNCTION, {"type": "custom", "name": "p"}, SHELL]
    chat = parsed(tools=tools, tool_choice=given)

    assert chat.tool_choice == expected
    assert rendered(chat)[0]["tool_choice"] == given


def test_a_foreign_callers_function_is_not_strict() -> None:
    """Functions are strict here unless they say otherwise, and not strict elsewhere."""
    chat = replace(
        parsed(), dialect="openai_chat", tools=(Function("f"), Function("g", strict=True))
    )

    tools = rendered(chat)[0]["tools"]
    assert [tool["strict"] for tool in tools] == [False, True]


def test_a_grammar_of_chats_form() -> None:
    """A custom tool's grammar stands one level higher than in OpenAI chat."""
    grammar = {"syntax": "lark", "definition": "start: A"}
    tool = Custom("p", None, raw({"type": "grammar", "grammar": grammar}))

    (found,) = rendered(replace(parsed(), dialect="openai_chat", tools=(tool,)))[0]["tools"]
    assert found["format"] == {"type": "grammar", **grammar}


@pytest.mark.parametrize(
    ("tool", "dropped"),
    [
        (WebSearch(max_uses=3), ("max_uses",)),
        (Function("f", cache=raw({})), ("cache_control",)),
        (Function("f", extra={"input_examples": raw([])}), ("input_examples",)),
    ],
)
def test_what_is_harmless_to_lose(tool: Tool, dropped: tuple[str, ...]) -> None:
    """What a tool says that has nothing like it here is named."""
    chat = replace(parsed(), dialect="anthropic", tools=(tool,))
    assert rendered(chat)[1] == dropped


@pytest.mark.parametrize(
    "tool",
    [
        NativeTool("anthropic", "bash_20250124", raw({})),
        WebSearch(blocked_domains=("a.example",)),
    ],
)
def test_what_cannot_be_lost(tool: Tool) -> None:
    """A tool that another provider runs, or a search that may go where it must not, is refused unless
    the caller has it dropped."""
    chat = replace(parsed(), dialect="anthropic", tools=(tool,))
    with pytest.raises(InvalidRequest):
        rendered(chat)
    assert len(rendered(chat, drop=True)[1]) == 1


def test_a_function_and_a_text_tool_of_one_name() -> None:
    """Which of the two is chosen is what the caller said, although a name alone would not tell."""
    function = {"type": "function", "name": "a", "parameters": {"type": "object"}}
    tools = [function, {"type": "custom", "name": "a"}]
    for kind in ("function", "custom"):
        chosen = {"type": kind, "name": "a"}
        assert rendered(parsed(tools=tools, tool_choice=chosen))[0]["tool_choice"] == chosen
