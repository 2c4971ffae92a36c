"""Streams as the completions that they amount to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from sinks.fold import fold

FILES = ("openai", "openrouter", "huggingface", "mistral", "zai")
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def chunk(*choices: dict[str, Any], **top: Any) -> dict[str, Any]:
    return HEAD | top | {"choices": list(choices)}


def piece(index: int = 0, finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish_reason}


def text_of(*chunks: dict[str, Any], end: str = "data: [DONE]\n\n") -> str:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + end


def folded(*chunks: dict[str, Any], end: str = "data: [DONE]\n\n") -> Any:
    found = fold(text_of(*chunks, end=end))
    assert found is not None
    return json.loads(found)


def streams(shared_dir: Path, name: str) -> list[str]:
    lines = (shared_dir / "recordings" / f"{name}.jsonl").read_bytes().splitlines()
    answers = (json.loads(line)["response"] for line in lines)
    return [each for each in answers if isinstance(each, str) and "chat.completion.chunk" in each]


def chunks_of(text: str) -> list[dict[str, Any]]:
    lines = (line[6:] for line in text.splitlines() if line.startswith("data: {"))
    return [json.loads(line) for line in lines]


def test_recorded_openai_streams_fold_as_the_official_sdk_folds_them(shared_dir: Path) -> None:
    """The folded object of every recorded OpenAI stream equals the SDK's final completion."""
    texts = streams(shared_dir, "openai")
    assert len(texts) > 10
    for text in texts:
        state = ChatCompletionStreamState()
        for each in chunks_of(text):
            state.handle_chunk(ChatCompletionChunk.model_validate(each))
        expected = state.get_final_completion().model_dump(mode="json", exclude_unset=True)
        expected.pop("obfuscation", None)  # padding of the last chunk
        for choice in expected["choices"]:
            choice["message"].pop("parsed", None)
            for call in choice["message"].get("tool_calls") or ():
                call.pop("index", None)  # where the piece belonged; no completion has it
                call["function"].pop("parsed_arguments", None)
        # The SDK forgets the usage when a chunk without any follows (moderation results).
        expected["usage"] = [each for each in chunks_of(text) if each.get("usage")][-1]["usage"]
        found = json.loads(fold(text) or b"")
        assert _without_nulls(found) == _without_nulls(expected)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", FILES)
def test_recorded_streams_lose_nothing(shared_dir: Path, name: str) -> None:
    """Of every recorded stream the whole text, the reasons, the usage and the unknown fields are kept."""
    texts = streams(shared_dir, name)
    assert texts
    for text in texts:
        chunks = chunks_of(text)
        found = json.loads(fold(text) or b"")
        assert found["object"] == "chat.completion"
        deltas = [choice.get("delta", {}) for each in chunks for choice in each["choices"]]
        message = found["choices"][0]["message"]
        for field in ("content", "reasoning", "reasoning_content", "refusal"):
            assert _text_in(message.get(field)) == "".join(_text_in(d.get(field)) for d in deltas)
        assert message["role"] == "assistant"
        usages = [each["usage"] for each in chunks if each.get("usage")]
        assert found.get("usage") == (usages[-1] if usages else None)
        reasons = [
            c["finish_reason"] for each in chunks for c in each["choices"] if c.get("finish_reason")
        ]
        assert found["choices"][0]["finish_reason"] == (reasons[-1] if reasons else None)
        unknown = {key for each in chunks for key in each} - {"obfuscation"}
        assert unknown <= found.keys()


def _text_in(value: Any) -> str:
    """The text of a field that is a string, or a list of typed parts."""
    if isinstance(value, list):
        return "".join(_text_in(part.get("text") or part.get("thinking")) for part in value)
    return value or ""


def test_tool_calls_are_put_together_by_index() -> None:
    """Arguments arrive in pieces, of several calls in turn; ids, types and names come once or repeatedly."""
    found = folded(
        chunk(piece(role="assistant", content=None)),
        chunk(piece(tool_calls=[
            {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
            {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{"}},
        ])),
        chunk(piece(tool_calls=[{"index": 0, "function": {"arguments": '{"x":'}}])),
        chunk(piece(tool_calls=[{"index": 1, "id": "b", "function": {"name": "g", "arguments": "}"}}])),
        chunk(piece(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}])),
        chunk(piece(finish_reason="tool_calls")),
    )  # fmt: skip

    assert found["choices"] == [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "a",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"x":1}'},
                    },
                    {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
        }
    ]


def test_calls_without_an_index_begin_with_their_ids() -> None:
    """Compatible providers leave the index out, or give all calls the same one."""
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    for index in ({}, {"index": 0}):
        found = folded(
            chunk(piece(tool_calls=[call | index | {"id": "a"}])),
            chunk(piece(tool_calls=[call | index | {"id": "b"}])),
        )
        calls = found["choices"][0]["message"]["tool_calls"]
        assert [(each["id"], each["function"]["arguments"]) for each in calls] == [
            ("a", "{}"),
            ("b", "{}"),
        ]


def test_several_choices_in_any_order() -> None:
    """All answers of a request with `n` are kept, each with its own reason, sorted by index."""
    found = folded(
        chunk(piece(1, role="assistant", content="b")),
        chunk(piece(0, role="assistant", content="a")),
        chunk(piece(1, content="B"), piece(0, content="A")),
        chunk(piece(0, "stop")),
        chunk(piece(1, "length")),
    )

    assert [
        (c["index"], c["message"]["content"], c["finish_reason"]) for c in found["choices"]
    ] == [
        (0, "aA", "stop"),
        (1, "bB", "length"),
    ]


def test_logprobs_refusals_audio_and_unknown_fields() -> None:
    """Lists grow, texts of whatever name grow, everything unknown keeps its last value that is not null."""
    token = {"token": "x", "logprob": -0.1, "bytes": [120], "top_logprobs": []}
    found = folded(
        chunk(piece(refusal="I ", audio={"id": "au", "data": "AA", "transcript": "t"}), new="old"),
        chunk(piece(refusal="can't", audio={"id": "au", "data": "BB"}, thoughts="hm"), new="new"),
        chunk(piece(thoughts="!") | {"logprobs": {"content": [token], "refusal": None}}),
        chunk(
            piece() | {"logprobs": {"content": [token]}, "native_finish_reason": "END"}, new=None
        ),
        chunk(x_groq={"usage": {"total_time": 0.1}}, obfuscation="xyz"),
    )

    choice = found["choices"][0]
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": "I can't",
        "thoughts": "hm!",
        "audio": {"id": "au", "data": "AABB", "transcript": "t"},
    }
    assert choice["logprobs"] == {"content": [token, token], "refusal": None}
    assert choice["native_finish_reason"] == "END"
    assert found["new"] == "new"
    assert found["x_groq"] == {"usage": {"total_time": 0.1}}
    assert "obfuscation" not in found


def test_content_in_typed_parts() -> None:
    """Mistral's thinking models stream lists of parts between texts; parts that follow each other join."""
    thinking = lambda text: [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]  # noqa: E731  # three uses
    found = folded(
        chunk(piece(role="assistant", content="")),
        chunk(piece(content=thinking("Let "))),
        chunk(piece(content=thinking("me see"))),
        chunk(piece(content="It ")),
        chunk(piece(content="is")),
    )

    assert found["choices"][0]["message"]["content"] == [
        *thinking("Let me see"),
        {"type": "text", "text": "It is"},
    ]


def test_reasoning_details_are_joined_by_index() -> None:
    """OpenRouter's details have an index, which stays, and a type and a format, which do not repeat."""
    detail = {"type": "reasoning.text", "format": "f", "index": 0}
    found = folded(
        chunk(piece(reasoning_details=[])),
        chunk(piece(reasoning_details=[detail | {"text": "a"}])),
        chunk(piece(reasoning_details=[detail | {"text": "b"}])),
    )

    assert found["choices"][0]["message"]["reasoning_details"] == [detail | {"text": "ab"}]


@pytest.mark.parametrize(
    "end", ["", "data: ", 'data: {"id":"c1","choi', ": ping\n", "data: [DONE]"], ids=repr
)
def test_a_cut_stream_gives_what_had_arrived(end: str) -> None:
    """Without an end the completion has the text so far and no reason."""
    found = folded(chunk(piece(content="Hel")), chunk(piece(content="lo")), end=end)

    assert found["choices"][0]["message"]["content"] == "Hello"
    assert found["choices"][0]["finish_reason"] is None


def test_an_error_in_the_stream_stays_visible() -> None:
    """The gateway's in-band error, which has no choices, stands beside what had arrived."""
    error = {"error": {"message": "cut", "type": "provider_error", "param": None, "code": "x"}}
    found = folded(chunk(piece(content="Hel")), error, end="")

    assert found["error"] == error["error"]
    assert found["choices"][0]["message"]["content"] == "Hel"


def test_every_way_of_writing_events() -> None:
    """CRLF, comments, event names, missing spaces and data on several lines mean the same."""
    plain = text_of(chunk(piece(content="ä")), chunk(piece(content="b", finish_reason="stop")))
    pretty = json.dumps(chunk(piece(content="ä")), indent=1).replace("\n", "\ndata: ")
    variants = [
        plain.replace("\n", "\r\n"),
        plain.replace("data: ", "data:"),
        plain.replace("data: ", ": ping\nevent: x\ndata: "),
        ": ping\n" + plain,
        plain.replace("data: " + json.dumps(chunk(piece(content="ä"))), "data: " + pretty),
    ]

    assert {fold(each) for each in variants} == {fold(plain)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "data: [DONE]\n\n",
        "data: oops\n\n",
        text_of(chunk(piece(content="a"))) + "data: {oops\n\n",
        text_of(chunk(piece(content="a"))) + "data: 7\n\n",
        text_of({"type": "response.created", "response": {}}),
        text_of(chunk({"index": 0, "text": "legacy"}, object="text_completion")),
        text_of(chunk(piece(content="a"), choices=7)).replace('"choices": [', '"choices": 7, "x": ['),
        text_of(chunk({"index": "a", "delta": {}}, piece())),
        text_of(chunk({"index": 0, "delta": "text"})),
        text_of(chunk(piece(tool_calls=["x"]))),
        'data: {"choices":[{"delta":{"a":' + "[" * 2000 + "\n\n",
        text_of({"error": {"message": "at once"}}),
    ],
)  # fmt: skip
def test_what_is_no_chat_stream_is_left_as_it_is(text: str) -> None:
    """Anything that does not fit is not folded, and nothing is raised."""
    assert fold(text) is None
