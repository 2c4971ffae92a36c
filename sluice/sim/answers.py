"""What the simulated provider says, as OpenAI writes it: a plain body, or the events of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from sluice.sim.ask import Ask
from sluice.sim.script import Script

CREATED = 1_735_689_600  # no clock: equal requests get equal bytes
DONE = b"data: [DONE]\n\n"
_WORDS = (
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
)
_PIECE = re.compile(r"\s*\S+|\s+$")
_LARGE = 1 << 20  # characters: beyond it pieces are larger than words,
_LARGE_PIECE = 1 << 16  # for nobody wants a million events of eight bytes
_encode = msgspec.json.Encoder().encode


class Answer(Struct, frozen=True):
    """What is said, whole and in pieces. The pieces joined are the content."""

    content: str
    pieces: list[str]
    finish_reason: str
    tool: str | None = None  # the content is the arguments of a call of it
    prompt_tokens: int = 0
    completion_tokens: int = 0


def answer(ask: Ask, script: Script) -> Answer:
    """The answer; a token is a word."""
    content = _content(ask, script)
    if script.says == "bytes" or len(content) > _LARGE:
        starts = range(0, len(content), _LARGE_PIECE)
        pieces = [content[start : start + _LARGE_PIECE] for start in starts]
    else:
        pieces = _PIECE.findall(content)
    reason = "tool_calls" if script.says == "tool" else "stop"
    if ask.limit is not None and ask.limit < len(pieces) and script.says != "tool":
        pieces, reason = pieces[: ask.limit], "length"
        content = "".join(pieces)
    tool = ask.tool if script.says == "tool" else None
    return Answer(content, pieces, reason, tool, ask.words, len(content.split()) * ask.choices)


def plain(ask: Ask, said: Answer) -> bytes:
    """The body of a plain answer."""
    message: dict[str, object] = {"role": "assistant", "content": said.content, "refusal": None}
    if said.tool is not None:
        message |= {"content": None, "tool_calls": [_call(said.tool, said.content)]}
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": said.finish_reason}
        for index in range(ask.choices)
    ]
    return _encode(
        {
            "id": _id(ask),
            "object": "chat.completion",
            "created": CREATED,
            "model": ask.model,
            "choices": choices,
            "usage": _usage(said),
            "system_fingerprint": "sluice-sim",
        }
    )


def opening(ask: Ask, said: Answer) -> Iterator[bytes]:
    """The events that bring no content: each choice's role, and the name of a tool."""
    delta: dict[str, object] = {"role": "assistant", "content": "", "refusal": None}
    if said.tool is not None:
        delta = {
            "role": "assistant",
            "content": None,
            "tool_calls": [_call(said.tool, "", index=0)],
        }
    for index in range(ask.choices):
        yield _event(ask, [_choice(index, delta)])


def events(ask: Ask, said: Answer) -> Iterator[bytes]:
    """One chunk a piece: an event for each choice."""
    # The frame is written once; of an event only the piece is encoded.
    frames = []
    for index in range(ask.choices):
        delta: dict[str, object] = {"content": Raw(b"@")}
        if said.tool is not None:
            delta = {"tool_calls": [{"index": 0, "function": {"arguments": Raw(b"@")}}]}
        frames.append(_event(ask, [_choice(index, delta)]).rsplit(b"@", 1))
    for piece in said.pieces:
        text = _encode(piece)
        yield b"".join(before + text + after for before, after in frames)


def closing(ask: Ask, said: Answer) -> Iterator[bytes]:
    """Finish reasons, and usage if it was asked for; not `[DONE]`."""
    for index in range(ask.choices):
        yield _event(ask, [_choice(index, {}, said.finish_reason)])
    if ask.include_usage:
        yield _event(ask, [], {"usage": _usage(said)})


def _content(ask: Ask, script: Script) -> str:
    size = script.size
    if script.says == "lorem":
        return " ".join(_WORDS[i % len(_WORDS)] for i in range(size))
    if script.says == "bytes":
        return ("sluices " * (size // 8 + 1))[:size]
    if script.says == "json":
        return _encode({f"member_{i}": i for i in range(size)}).decode().replace(",", ", ")
    if script.says == "tool":
        return '{"simulated": true}'
    return ask.prompt


def _id(ask: Ask) -> str:
    return f"chatcmpl-sim{ask.digest.hex()}"


def _call(name: str, arguments: str, **index: int) -> dict[str, object]:
    function = {"name": name, "arguments": arguments}
    return {**index, "id": "call_sim", "type": "function", "function": function}


def _choice(
    index: int, delta: dict[str, object], finish_reason: str | None = None
) -> dict[str, object]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _event(
    ask: Ask, choices: list[dict[str, object]], more: dict[str, object] | None = None
) -> bytes:
    body: dict[str, object] = {
        "id": _id(ask),
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": ask.model,
        "system_fingerprint": "sluice-sim",
        "choices": choices,
        **(more or {}),
    }
    return b"data: " + _encode(body) + b"\n\n"


def _usage(said: Answer) -> dict[str, object]:
    return {
        "prompt_tokens": said.prompt_tokens,
        "completion_tokens": said.completion_tokens,
        "total_tokens": said.prompt_tokens + said.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
