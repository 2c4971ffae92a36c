"""What rules may ask about a request. Read from its body without knowing its dialect's details."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from schemas.requests import Request

Value = str | int | bool | dict[str, str]
FACTS: dict[str, str] = {
    "model": "string: as asked for",
    "user_path": "string: `/a/b/c`",
    "key": "string: the name of the caller's key, empty if it has none",
    "operation": "string: chat, count_tokens or compact",
    "dialect": "string: openai_chat, openai_responses, anthropic, gemini, …",
    "stream": "bool",
    "input_tokens": "int: estimated, four bytes of the body a token, images left out",
    "max_tokens": "int: the caller's limit of the answer, 0 if it gave none",
    "tools": "bool: it brings tools",
    "images": "bool: it brings images",
    "turns": "int: messages in it",
    "metadata": "map of strings: the body's `metadata`",
    "headers": "map of strings: the caller's headers that were passed on, names in lower case",
    "user": "string: the body's `user`, empty if it has none",
    "hour": "int: 0 to 23, UTC",
}
BYTES_A_TOKEN = 4
_IMAGE_MARKS = (b'"image_url"', b'"input_image"', b'"type":"image"', b'"type": "image"', b'"image/')


class _Body(Struct):
    tools: Raw = Raw()
    metadata: dict[str, Raw] | None = None
    user: Raw = Raw()
    max_tokens: Raw = Raw()
    max_completion_tokens: Raw = Raw()
    max_output_tokens: Raw = Raw()
    messages: list[Raw] | None = None
    contents: list[Raw] | None = None
    input: Raw = Raw()


_decode = msgspec.json.Decoder(_Body).decode
_text = msgspec.json.Decoder(str).decode
_number = msgspec.json.Decoder(int).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_EMPTY = frozenset({b"", b"null", b"[]"})


class Facts(dict[str, Value]):
    """The variables of a rule's condition, by their names in `FACTS`. What stands in the body is read when
    it is first asked for: most rules ask little, and a body may be long."""

    __slots__ = ("_found", "body")

    def __init__(self, request: Request, model: str, stream: bool, now: float) -> None:
        super().__init__(
            model=model,
            user_path=request.user_path,
            key=request.client or "",
            operation=request.operation,
            dialect=request.dialect,
            stream=stream,
            headers=request.http_headers,
            hour=int(now % 86_400 // 3_600),
        )
        self.body = request.body
        self._found: _Body | None = None

    def __missing__(self, name: str) -> Value:
        value = self[name] = _READ[name](self)
        return value

    @property
    def found(self) -> _Body:
        """What stands in the body."""
        if self._found is None:
            try:
                self._found = _decode(self.body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._found = _Body()
        return self._found


_READ: dict[str, Callable[[Facts], Value]] = {
    "input_tokens": lambda facts: estimate(facts.body, images=bool(facts["images"])),
    "max_tokens": lambda facts: _limit(facts.found),
    "tools": lambda facts: bytes(facts.found.tools) not in _EMPTY,
    "images": lambda facts: _has_images(facts.body),
    "turns": lambda facts: _turns(facts.found),
    "metadata": lambda facts: _metadata(facts.found),
    "user": lambda facts: _string(facts.found.user),
}


def facts(request: Request, model: str, *, stream: bool, now: float) -> Facts:
    """What rules may ask about this request; `model` as asked for, `now` in epoch seconds."""
    return Facts(request, model, stream, now)


def _has_images(body: bytes) -> bool:
    # The word first: that is one look at a long body instead of five.
    return b"image" in body and any(mark in body for mark in _IMAGE_MARKS)


def estimate(body: bytes, *, images: bool) -> int:
    """Tokens of a body, for choosing among models; images and files are data, not text."""
    size = len(body)
    if images:
        size -= _data_bytes(body)
    return size // BYTES_A_TOKEN


def _data_bytes(body: bytes) -> int:
    """Bytes of base64 in data URLs and `data` members: long runs without a quotation mark."""
    total = at = 0
    while (found := body.find(b'"', at)) >= 0:
        end = body.find(b'"', found + 1)
        if end < 0:
            break
        if end - found > 4096 and b" " not in body[found : found + 512]:
            total += end - found
        at = end + 1
    return total


def _limit(body: _Body) -> int:
    for raw in (body.max_completion_tokens, body.max_output_tokens, body.max_tokens):
        try:
            if bytes(raw) not in _EMPTY:
                return _number(raw)
        except msgspec.DecodeError:
            continue
    return 0


def _turns(body: _Body) -> int:
    given = body.messages or body.contents
    if given is not None:
        return len(given)
    try:
        return len(_list(body.input))
    except msgspec.DecodeError:
        return 1


def _metadata(body: _Body) -> dict[str, str]:
    return {name: _string(value) for name, value in (body.metadata or {}).items()}


def _string(raw: Raw) -> str:
    try:
        return _text(raw) if raw else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
