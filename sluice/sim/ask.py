"""What is asked of the simulated provider, whatever the dialect."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

Role = Literal["system", "user", "assistant", "tool"]
Schema = dict[str, object]
T = TypeVar("T")
_KEY = re.compile(r"\[sim:([^\]\s]{1,200})\]")
_SCRIPT = re.compile(r"\[(sim(?:-[a-z0-9]{1,20}){1,20})\]")


class Refused(Exception):
    """The provider refuses a request, with an HTTP status; each dialect has its own words for it."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


class Call(Struct, frozen=True):
    """A request as a dialect reads it."""

    body: bytes
    key: str | None = None  # of the header
    model: str = ""  # of the path
    stream: bool = False  # of the path
    before: tuple[Raw, ...] = ()  # items of the conversation that it goes on with


class Turn(Struct, frozen=True):
    """What somebody said; pictures and the like are described in brackets."""

    role: Role
    text: str


class Talk(Struct, frozen=True):
    """What the turns come down to."""

    prompt: str  # the last user message
    words: int  # of all turns
    digest: bytes  # of model and turns
    results: tuple[str, ...]  # of tools, since the model spoke last
    key: str | None  # by which the call is counted
    script: str | None  # in the prompt, for want of one in the model's name
    begun: str | None = None  # the last turn, if it is the model's own: how its answer is to begin


class Tool(Struct, frozen=True):
    """A tool that may be called."""

    name: str
    schema: Schema = {}
    kind: Literal["function", "custom", "shell"] = "function"


class Choice(Struct, frozen=True):
    """Whether tools are to be called; `tool` names the only one."""

    mode: Literal["auto", "none", "required"] = "auto"
    tool: str | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """What is asked for."""

    model: str
    talk: Talk
    stream: bool = False
    include_usage: bool = True
    choices: int = 1
    limit: int | None = None  # of words
    stop: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    choice: Choice = Choice()
    parallel: bool = True
    schema: Schema | None = None  # of the answer
    json: bool = False  # the answer is an object
    thinks: bool = False
    silently: bool = False  # thoughts are counted and signed, not shown
    sealed: bool = True  # their tokens are wanted
    told: dict[str, Raw] = {}  # members of the request that the answer repeats
    body: bytes = b""  # as it came, where the answer is made of nothing else


def talk(model: str, turns: Sequence[Turn], key: str | None = None) -> Talk:
    """`key` is what the caller names; without it a mark `[sim:KEY]` in the last user message counts."""
    prompt = next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
    results: list[str] = []
    for turn in reversed(turns):
        if turn.role == "assistant":
            break
        if turn.role == "tool":
            results.insert(0, turn.text)
    marked, script = _KEY.search(prompt), _SCRIPT.search(prompt)
    whole = "\0".join(text for turn in turns for text in (turn.role, turn.text))
    return Talk(
        prompt=prompt,
        words=max(1, sum(len(turn.text.split()) for turn in turns)),
        digest=hashlib.blake2b(f"{model}\0{whole}".encode(), digest_size=16).digest(),
        results=tuple(results),
        key=key or (marked[1] if marked else None),
        script=script[1] if script else None,
        begun=turns[-1].text if turns and turns[-1].role == "assistant" else None,
    )


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The body, typed; Refused if it is not what it must be."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refused(400, f"Invalid type: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, "We could not parse the JSON body of your request.") from error


def described(media_type: str, data: str) -> str:
    """A picture, a sound or a document in base64, in the words of a turn."""
    try:
        size = len(base64.b64decode(data, validate=True))
    except binascii.Error as error:
        raise Refused(400, f"Invalid base64 data of type {media_type[:100]}.") from error
    return f" [{_kind(media_type)} {media_type} {size}]"


def linked(url: str, kind: str = "image") -> str:
    """The same for a URL, which may hold the data itself."""
    if url.startswith("data:"):
        head, _, data = url[5:].partition(",")
        return described(head.removesuffix(";base64"), data)
    return f" [{kind} {url}]"


def _kind(media_type: str) -> str:
    kind = media_type.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "file"
