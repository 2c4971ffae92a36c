"""What goes to a provider for callers of other dialects."""

from typing import Any

import pytest
from msgspec.structs import replace

from providers.canonical.request import (
    ChatRequest,
    Citation,
    Media,
    Native,
    Part,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from schemas.errors import InvalidRequest
from tests.providers.dialects.openai_responses.support import parsed, raw, rendered


def chat(*turns: Turn, **changes: Any) -> ChatRequest:
    """A request of a caller that speaks OpenAI chat."""
    made = ChatRequest(dialect="openai_chat", model="m", turns=turns or (user(Text("hi")),))
    return replace(made, **changes)


def user(*parts: Part) -> Turn:
    return Turn("user", parts)


def only(found: tuple[dict[str, Any], tuple[str, ...]]) -> Any:
    (item,) = found[0]["input"]
    return item


def test_nothing_depends_on_what_the_provider_keeps() -> None:
    """Nothing is stored there, and thoughts come back encrypted."""
    body, dropped = rendered(chat())

    assert body == {
        "model": "gpt-5",
        "input": [{"type": "message", "role": "user", "content": "hi"}],
        "stream": False,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert dropped == ()


@pytest.mark.parametrize(
    ("changes", "dropped"),
    [
        ({"seed": 1}, "seed"),
        ({"top_k": 1}, "top_k"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"prediction": raw({})}, "prediction"),
        ({"store": True}, "store"),
        ({"service_tier": "gold"}, "service_tier"),
        ({"extra": {"verbosity_level": raw(1)}}, "verbosity_level"),
    ],
)
def test_harmless_losses(changes: dict[str, Any], dropped: str) -> None:
    """What leaves the answer as it is goes, and is named."""
    assert rendered(chat(**changes))[1] == (dropped,)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"stop": ("x",)}, "stop"),
        ({"n": 2}, "n"),
        ({"logit_bias": raw({"5": 100})}, "logit_bias"),
        ({"modalities": ("text", "audio")}, "modalities"),
    ],
)
def test_losses_that_change_the_answer(changes: dict[str, Any], param: str) -> None:
    """What changes the answer is refused, unless the caller has it dropped."""
    with pytest.raises(InvalidRequest) as raised:
        rendered(chat(**changes))
    assert raised.value.param == param
    assert rendered(chat(**changes), drop=True)[1] == (param,)


@pytest.mark.parametrize(
    ("said", "told"), [("standard_only", "default"), ("standard", "default"), ("flex", "flex")]
)
def test_service_tiers(said: str, told: str) -> None:
    """Other dialects' words for the usual tier are `default` here."""
    body, dropped = rendered(chat(service_tier=said))
    assert (body["service_tier"], dropped) == (told, ())


def test_a_text_keeps_its_title() -> None:
    """A document of plain text is told as text, with its title in front."""
    document = Media("document", text="abc", name="Notes")
    (item,) = rendered(chat(turns=(Turn("user", (document, Text("q"))),)))[0]["input"]
    assert [part["text"] for part in item["content"]] == ["Notes:\n\nabc", "q"]


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 1},
        {"logit_bias": raw({})},
        {"frequency_penalty": 0.0},
        {"modalities": ("text",)},
        {"store": False},
    ],
)
def test_defaults_are_no_loss(changes: dict[str, Any]) -> None:
    """What says nothing beyond the default is no loss."""
    assert rendered(chat(**changes))[1] == ()


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        (Thinking(effort="low"), {"effort": "low"}),
        (Thinking(enabled=False), {"effort": "none"}),
        (Thinking(enabled=True, budget=20_000), {"effort": "high"}),
        (Thinking(enabled=True, adaptive=True, visible=True), {"summary": "auto"}),
        (Thinking(enabled=True), None),
    ],
)
def test_thinking(thinking: Thinking, expected: dict[str, str] | None) -> None:
    """A budget becomes an effort, visible thoughts a summary."""
    assert rendered(chat(thinking=thinking))[0].get("reasoning") == expected


def test_log_probabilities() -> None:
    """They are asked for by `include`."""
    body, _ = rendered(chat(logprobs=True, top_logprobs=2))
    assert body["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert body["top_logprobs"] == 2


def test_thoughts_go_where_they_come_from() -> None:
    """Encrypted thoughts of this dialect go back; those of others are left out, and so is what has no
    encrypted content, whose id would be looked for in vain."""
    mine = Reasoning("sum", True, "gAAA", "openai_responses", "rs_1")
    theirs = Reasoning("t", token="sig", origin="anthropic")
    found, dropped = rendered(chat(Turn("assistant", (theirs, mine, Reasoning("t", id="x")))))

    assert found["input"] == [
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "sum"}],
            "id": "rs_1",
            "encrypted_content": "gAAA",
        }
    ]
    assert dropped == ("reasoning",)


def test_calls_and_results() -> None:
    """A call's foreign token is named as lost; an error result and parts are written."""
    call = ToolCall("c", "f", "{}", token="sig", cache=raw({}))
    result = ToolResult("c", (Text("a"), Media("image", url="https://x/a")), "f", is_error=True)
    found, dropped = rendered(chat(Turn("assistant", (call,)), Turn("tool", (result,))))

    assert found["input"] == [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [
                {"type": "input_text", "text": "a"},
                {"type": "input_image", "image_url": "https://x/a"},
            ],
        },
    ]
    assert set(dropped) == {"cache_control", "thought_signature", "is_error"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            Media("document", "AAEC", media_type="text/csv"),
            {
                "type": "input_file",
                "file_data": "data:text/csv;base64,AAEC",
                "filename": "document.csv",
            },
        ),
        (
            Media("document", url="https://x/a", name="a"),
            {"type": "input_file", "file_url": "https://x/a", "filename": "a"},
        ),
        (Media("document", file_id="file-1"), {"type": "input_file", "file_id": "file-1"}),
        (Media("document", text="plain"), {"type": "input_text", "text": "plain"}),
        (Media("image", file_id="file-1"), {"type": "input_image", "file_id": "file-1"}),
        (
            Media("audio", "AAEC", media_type="audio/mpeg"),
            {"type": "input_audio", "input_audio": {"data": "AAEC", "format": "mp3"}},
        ),
    ],
)
def test_media(part: Media, expected: dict[str, Any]) -> None:
    """Documents of data have a name, which is required; plain text is text."""
    assert only(rendered(chat(user(part))))["content"] == [expected]


@pytest.mark.parametrize(
    "part",
    [
        Media("video", "AAEC"),
        Media("audio", url="https://x/a"),
        Media("document", file_id="file_011CN"),
    ],
)
def test_media_that_cannot_be_told(part: Media) -> None:
    """Films, sounds elsewhere and files of another provider are refused."""
    with pytest.raises(InvalidRequest):
        rendered(chat(user(part)))


def test_the_models_own_words() -> None:
    """Citations of others become annotations; what the model drew is a picture of its own."""
    text = Text(
        "abc", citations=(Citation("u", "t", start=0, end=2), Citation(title="notes", dialect="x"))
    )
    native = Native("anthropic", "server_tool_use", raw({}))
    picture = Media("image", "AAEC", media_type="image/png")
    found, dropped = rendered(chat(Turn("assistant", (text, native, picture), name="bob")))

    message, drawn = found["input"]
    assert message["content"][0]["annotations"] == [
        {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 2},
        {"type": "file_citation", "file_id": "", "filename": "notes", "index": 0},
    ]
    assert drawn["type"] == "image_generation_call"
    assert dropped == ("name", "server_tool_use")


def test_system_turns_stay_where_they_are() -> None:
    """A foreign caller's system and developer messages are items."""
    found, _ = rendered(
        chat(Turn("system", (Text("a"),)), user(Text("b")), Turn("developer", (Text("c"),)))
    )
    assert [item["role"] for item in found["input"]] == ["system", "user", "developer"]


def test_own_extras_come_back() -> None:
    """A caller of this dialect has its unknown members passed on, where they stood."""
    body, dropped = rendered(parsed(reasoning={"mode": "pro"}, new=1, truncation="auto"))
    assert body["reasoning"] == {"mode": "pro"}
    assert (body["new"], body["truncation"], dropped) == (1, "auto", ())
