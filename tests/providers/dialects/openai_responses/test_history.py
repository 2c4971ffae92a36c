"""How input items become turns."""

from typing import Any

from providers.canonical.request import (
    Citation,
    Media,
    Native,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from tests.providers.dialects.openai_responses.support import parsed, raw

CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "id": "fc_1"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}
THOUGHTS = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def turns(*items: dict[str, Any]) -> tuple[Turn, ...]:
    return parsed(input=list(items)).turns


def part(content: dict[str, Any]) -> Part:
    (turn,) = turns({"role": "user", "content": [content]})
    (found,) = turn.parts
    return found


def test_one_turn_between_two_of_the_callers() -> None:
    """Thoughts, a message and its calls are one turn of the assistant's; each result is its own."""
    found = turns(
        THOUGHTS, said("Let me see.", id="msg_1"), CALL, {**CALL, "call_id": "c2"}, OUTPUT
    )

    assert found == (
        Turn(
            "assistant",
            (
                Reasoning("", False, "gAAA", "openai_responses", "rs_1", True),
                Text("Let me see."),
                ToolCall("c1", "f", "{}", item_id="fc_1"),
                ToolCall("c2", "f", "{}", item_id="fc_1"),
            ),
            id="msg_1",
        ),
        Turn("tool", (ToolResult("c1", (Text("sunny"),)),)),
    )


def test_messages_after_each_other_are_turns() -> None:
    """Two messages of the assistant's stay two; after a call they do not part it from its result."""
    assert [len(turn.parts) for turn in turns(said("a"), said("b"))] == [1, 1]
    assert [len(turn.parts) for turn in turns(said("a"), THOUGHTS, said("b"))] == [1, 2]
    assert [len(turn.parts) for turn in turns(said("a"), CALL, said("b"), OUTPUT)] == [3, 1]


def test_phase_and_refusal() -> None:
    """A message's phase is kept; a refusal is no text."""
    content = [{"type": "refusal", "refusal": "No."}]
    (turn,) = turns({"role": "assistant", "content": content, "phase": "commentary"})

    assert turn.parts == (Refusal("No."),)
    assert turn.extra == {"phase": raw("commentary")}


def test_content_parts() -> None:
    """Images, files and sounds by data, URL or id."""
    data = "data:image/png;base64,AAEC"
    assert part({"type": "input_image", "image_url": data, "detail": "low"}) == Media(
        "image", "AAEC", media_type="image/png", detail="low"
    )
    assert part({"type": "input_image", "image_url": "https://x/a"}) == Media(
        "image", url="https://x/a"
    )
    assert part({"type": "input_image", "file_id": "file-1"}) == Media("image", file_id="file-1")
    assert part({"type": "input_image", "image_url": "data:,x"}) == Media("image", url="data:,x")
    pdf = {"type": "input_file", "filename": "a.pdf"}
    assert part({**pdf, "file_data": "data:application/pdf;base64,AAEC"}) == Media(
        "document", "AAEC", media_type="application/pdf", name="a.pdf"
    )
    assert part({**pdf, "file_data": "AAEC"}) == Media("document", "AAEC", name="a.pdf")
    assert part({"type": "input_file", "file_url": "https://x/a"}) == Media(
        "document", url="https://x/a"
    )
    sound = {"data": "AAEC", "format": "mp3"}
    assert part({"type": "input_audio", "input_audio": sound}) == Media(
        "audio", "AAEC", media_type="audio/mpeg"
    )


def test_citations_and_breakpoints() -> None:
    """Annotations come back with their raw form; a breakpoint of the cache is one of Anthropic's."""
    cited = {"type": "url_citation", "url": "u", "title": "t", "start_index": 1, "end_index": 2}
    content = [{"type": "output_text", "text": "abc", "annotations": [cited, 5]}]
    (turn,) = turns({"role": "assistant", "content": content})
    (text,) = turn.parts

    assert isinstance(text, Text)
    first, second = text.citations
    assert first == Citation("u", "t", None, 1, 2, "openai_responses", raw(cited))
    assert second.raw == raw(5)
    found = part(
        {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}
    )
    assert found == Text("x", raw({"type": "ephemeral"}))


def test_results_of_parts() -> None:
    """A result may be a text or parts; a custom tool's is known as one."""
    content = [{"type": "input_text", "text": "see"}, {"type": "input_file", "file_id": "file-1"}]
    (turn,) = turns({"type": "custom_tool_call_output", "call_id": "c", "output": content})

    assert turn.parts == (
        ToolResult("c", (Text("see"), Media("document", file_id="file-1")), custom=True),
    )


def test_summary_and_thoughts() -> None:
    """Paragraphs of a summary are one text, the thoughts themselves another; the token is the last's."""
    (turn,) = turns(
        {
            **THOUGHTS,
            "summary": [
                {"type": "summary_text", "text": "a"},
                {"type": "summary_text", "text": "b"},
            ],
            "content": [{"type": "reasoning_text", "text": "c"}],
        }
    )
    assert turn.parts == (
        Reasoning("a\n\nb", True),
        Reasoning("c", False, "gAAA", "openai_responses", "rs_1"),
    )


def test_items_of_other_tools() -> None:
    """Items that only this dialect knows are kept as they are, in the turn of who makes them."""
    shell = {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"]}}
    output = {"type": "local_shell_call_output", "id": "c", "output": "x"}
    extra = {"type": "additional_tools", "role": "developer", "tools": []}
    approval = {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}
    found = turns(shell, output, extra, approval)

    assert [turn.role for turn in found] == ["assistant", "tool", "developer", "tool"]
    for turn, item in zip(found, (shell, output, extra, approval), strict=True):
        assert turn.parts == (Native("openai_responses", str(item["type"]), raw(item)),)


def test_the_output_of_such_a_tool() -> None:
    """It goes where its call goes: alone it would answer a call that a provider was not told of."""
    shell = {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"]}}
    output = {"type": "function_call_output", "call_id": "c", "output": "x"}
    call, result = turns(shell, output)

    assert isinstance(call.parts[0], Native)
    assert (result.role, result.parts) == (
        "tool",
        (Native("openai_responses", "function_call_output", raw(output)),),
    )


def test_pictures() -> None:
    """A picture that the model drew is a picture; one that failed is only kept."""
    drawn = {"type": "image_generation_call", "id": "ig_1", "status": "completed"}
    (turn,) = turns({**drawn, "result": "AAEC", "output_format": "webp"}, {**drawn, "result": None})

    picture, failed = turn.parts
    assert picture == Media("image", "AAEC", media_type="image/webp")
    assert isinstance(failed, Native)


def test_token_of_a_call_that_is_missing() -> None:
    """A call's token stays in the conversation if the caller has left out the call."""
    sealed = "gemini:call=c9:sig"
    (turn, _) = turns({**THOUGHTS, "encrypted_content": sealed}, {"role": "user", "content": "x"})

    assert turn.parts == (Reasoning("", False, "sig", "gemini", redacted=True),)


def test_namespace_is_named() -> None:
    """A call's namespace has no place in the middle; it will be named as dropped."""
    assert parsed(input=[{**CALL, "namespace": "n"}]).extra == {"input.namespace": raw("n")}
