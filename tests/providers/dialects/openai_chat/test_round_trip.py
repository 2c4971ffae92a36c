"""Recorded conversations of every OpenAI-compatible vendor, through the middle and back."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw, Struct
from msgspec.structs import asdict, replace

from providers.canonical.answer import Answer
from providers.canonical.request import Media, Reasoning, Turn
from schemas.errors import InvalidRequest
from schemas.requests import Dialect
from schemas.usage import Usage
from tests.providers.pairs import (
    chat,
    events_of,
    parse,
    plain,
    read,
    read_stream,
    render,
    streamed,
    told,
)
from tests.recordings import Recording, chat_recordings

DIALECT: Dialect = "openai_chat"
# What only imitators of OpenAI know, or a provider that stores; nothing that is said.
LEFT_OUT = {
    *("cache_control", "messages.prefix", "tools.eager_input_streaming", "service_tier"),
    *("provider", "preset", "usage", "moderation", "reasoning_format", "clear_thinking"),
    *("thinking.clear_thinking",),
}


@pytest.fixture(scope="module")
def recordings(shared_dir: Path) -> list[Recording]:
    found = list(chat_recordings(shared_dir))
    vendors = {recording.key.partition(":")[0] for recording in found}
    assert vendors >= {
        *("openai", "groq", "mistral", "openrouter", "zai", "deepseek", "cerebras"),
        *("huggingface", "ollama"),
    }
    return found


def test_requests(recordings: list[Recording]) -> None:
    """Read and written again, every recorded request asks for the same; what is left out is named."""
    seen = 0
    for recording in recordings:
        asked = parse(bytes_of(recording), DIALECT)
        if re.search(r'"(document_url|file_data)":"http', bytes_of(recording).decode()):
            with pytest.raises(InvalidRequest, match="documents as data only"):
                render(asked, DIALECT)
            continue
        body, dropped = render(asked, DIALECT)
        assert set(dropped) <= LEFT_OUT, recording.key
        again = parse(body, DIALECT)
        assert [bare(turn) for turn in again.turns] == [bare(turn) for turn in asked.turns]
        for name in ("tools", "tool_choice", "format", "max_tokens", "stop", "n"):
            if name != "tool_choice" or asked.tools:
                assert meaning(getattr(again, name)) == meaning(getattr(asked, name)), recording.key
        if asked.thinking is not None and asked.thinking.effort is not None:
            assert again.thinking is not None
            assert again.thinking.effort == asked.thinking.effort
        seen += 1
    assert seen >= 175


def bytes_of(recording: Recording) -> bytes:
    return msgspec.json.encode(recording.request)


def bare(turn: Turn) -> object:
    """A turn without marks for the cache and members of imitators; system and developer are one."""
    role = "system" if turn.role == "developer" else turn.role
    return role, meaning(turn.parts)


def meaning(value: Any) -> Any:
    if isinstance(value, Raw):
        return plain(value)
    if isinstance(value, Media):
        value = replace(value, name=value.name or "document.pdf")  # which is required there
    if isinstance(value, Struct):
        left = {"cache", "extra", "citations"}
        return [(name, meaning(each)) for name, each in asdict(value).items() if name not in left]
    return [meaning(each) for each in value] if isinstance(value, tuple) else value


def said(answer: Answer) -> list[object]:
    """What an answer says, whichever field its thoughts stand in."""
    return [
        (
            choice.index,
            [
                ("thought", part.text) if isinstance(part, Reasoning) else part
                for part in choice.parts
                if not (isinstance(part, Reasoning) and part.redacted)
            ],
            choice.finish,
            choice.logprobs,
        )
        for choice in answer.choices
    ]


def counts(answer: Answer) -> Usage | None:
    """What was used. A cost that a provider tells is told to nobody who is answered in other words."""
    return answer.usage and replace(answer.usage, reported_cost=None)


def test_answers(recordings: list[Recording]) -> None:
    """Every recorded answer, told to a caller of its own dialect and read again, is the same: text,
    thoughts, calls, citations, reasons and counts; whole ones also as a stream, streams also whole."""
    asked = chat(stream=True, include_usage=True)
    seen = 0
    for recording in recordings:
        if recording.status != 200 or b'"error":{' in recording.body():
            continue
        body = recording.body()
        if recording.streamed:
            answer = read_stream(body, DIALECT, asked)
            events = list(events_of(body, DIALECT, asked))
            cut = read_stream(streamed(events, DIALECT, asked), DIALECT, asked)
            assert said(cut) == said(answer), recording.key
            assert counts(cut) == counts(answer), recording.key
        else:
            answer = read(body, DIALECT)
        again = read(told(answer, DIALECT, asked), DIALECT)
        assert said(again) == said(answer), recording.key
        assert counts(again) == counts(answer), recording.key
        assert answer.model, recording.key
        seen += 1
    assert seen >= 165
