"""Requests as the simulated provider reads them, refused as OpenAI refuses them."""

from __future__ import annotations

import hashlib
import re

import msgspec
from msgspec import Raw, Struct

from schemas.errors import InvalidRequest

_MARK = re.compile(r"\[sim:([^\]\s]{1,200})\]")
_MAX_CHOICES = 128


class _Function(Struct):
    name: str = "function"


class _Tool(Struct):
    function: _Function | None = None


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Message(Struct):
    role: str
    content: Raw = Raw(b"null")


class _Body(Struct):
    model: str | None = None
    messages: list[_Message] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[_Tool] | None = None
    metadata: dict[str, str] | None = None


class Ask(Struct, frozen=True):
    """What is asked for."""

    model: str
    prompt: str  # the last user message
    words: int  # of all messages
    digest: bytes  # of model and messages
    stream: bool
    include_usage: bool
    choices: int
    limit: int | None  # of words
    tool: str
    key: str | None  # by which the call is counted


class _Part(Struct):
    text: str = ""


_decode = msgspec.json.Decoder(_Body).decode
_content = msgspec.json.Decoder(str | list[_Part] | None).decode


def read(body: bytes, key: str | None) -> Ask:
    """The request in a body; InvalidRequest if OpenAI would refuse it.

    `key` is what the caller's header names; without it `metadata.sim_key` counts, then a mark
    `[sim:KEY]` in the last user message.
    """
    try:
        asked = _decode(body)
        texts = [(message.role, _text(message.content)) for message in asked.messages or ()]
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"Invalid type: {error}.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest("We could not parse the JSON body of your request.") from error
    _check(asked)
    prompt = next((text for role, text in reversed(texts) if role == "user"), "")
    marked = _MARK.search(prompt)
    whole = "\0".join(text for pair in texts for text in pair)
    return Ask(
        model=asked.model or "",
        prompt=prompt,
        words=max(1, sum(len(text.split()) for _, text in texts)),
        digest=hashlib.blake2b(f"{asked.model}\0{whole}".encode(), digest_size=16).digest(),
        stream=bool(asked.stream),
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
        choices=asked.n or 1,
        limit=asked.max_completion_tokens or asked.max_tokens,
        tool=_tool(asked),
        key=key or (asked.metadata or {}).get("sim_key") or (marked[1] if marked else None),
    )


def _check(asked: _Body) -> None:
    if not asked.model:
        raise InvalidRequest("you must provide a model parameter")
    if asked.messages is None:
        raise InvalidRequest("Missing required parameter: 'messages'.", param="messages")
    if not asked.messages:
        raise InvalidRequest("Invalid 'messages': empty array.", param="messages")
    if asked.stream_options is not None and not asked.stream:
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise InvalidRequest(text, param="stream_options")
    if asked.n is not None and not 1 <= asked.n <= _MAX_CHOICES:
        raise InvalidRequest(f"Invalid 'n': must be 1 to {_MAX_CHOICES}.", param="n")


def _text(content: Raw) -> str:
    found = _content(content)
    if found is None or isinstance(found, str):
        return found or ""
    return "".join(part.text for part in found)


def _tool(asked: _Body) -> str:
    for tool in asked.tools or ():
        if tool.function is not None:
            return tool.function.name
    return "function"
