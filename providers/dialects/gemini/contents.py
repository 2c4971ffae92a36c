"""What a Gemini caller has said so far: `contents` and `systemInstruction` as turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from providers.canonical.request import (
    Media,
    Members,
    Native,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from providers.dialects.gemini.base64s import standard, unsealed
from providers.dialects.gemini.calls import Calls
from providers.dialects.gemini.fields import Fields
from providers.dialects.gemini.media import kind_of
from providers.dialects.gemini.results import object_of, read_result
from schemas.errors import InvalidRequest

_ROLES: dict[str, Role] = {
    "user": "user",
    "model": "assistant",
    "function": "user",  # of the first API; its contents hold results only
    "tool": "user",
    "system": "system",
}


def parse_turns(body: Fields) -> tuple[Turn, ...]:
    """The system's turn, if there is one, then those of the conversation."""
    calls = Calls()
    turns = []
    if (system := body.object("systemInstruction")) is not None:
        system.take("role")  # means nothing there
        turns.append(Turn("system", tuple(_parts(system, calls))))
    for content in body.objects("contents"):
        for turn in _turns(content, calls):
            if turns and turn.role == "assistant" == turns[-1].role:
                turns[-1] = Turn("assistant", _joined(turns[-1].parts, turn.parts))
            else:
                turns.append(turn)
    if not any(turn.role != "system" for turn in turns):
        raise InvalidRequest("`contents` must hold at least one content.", param="contents")
    return tuple(turns)


def _joined(before: tuple[Part, ...], after: tuple[Part, ...]) -> tuple[Part, ...]:
    """One answer that its caller collected from a stream: each chunk is a content of its own there.

    What was one part is one again, as other dialects need it: a signature is of the whole thought.
    """
    if not before or not after:
        return before or after
    match before[-1], after[0]:
        case Text(token=None) as left, Text() as right:
            middle: Part = Text(left.text + right.text, token=right.token)
        case Reasoning(token=None) as left, Reasoning(redacted=False) as right:
            middle = replace(right, text=left.text + right.text)
        case left, Text(text="", token=None):
            middle = left
        case _:
            return before + after
    return (*before[:-1], middle, *after[1:])


def _turns(content: Fields, calls: Calls) -> Iterator[Turn]:
    """One content, its results in turns of their own."""
    given = content.text("role") or "user"
    role = _ROLES.get(given)
    if role is None:
        path = content.at("role")
        raise InvalidRequest(f"`{path}`: valid roles are user and model.", param=path)
    parts: list[Part] = []
    for part in _parts(content, calls):
        if isinstance(part, ToolResult):
            if parts:
                yield Turn(role, tuple(parts))
                parts = []
            yield Turn("tool", (part,))
        else:
            parts.append(part)
    if parts:
        yield Turn(role, tuple(parts))


def _parts(content: Fields, calls: Calls) -> Iterator[Part]:
    for index, raw in enumerate(content.raws("parts")):
        yield _part(Fields(raw, f"{content.at('parts')}[{index}]"), raw, calls)


def _part(part: Fields, raw: Raw, calls: Calls) -> Part:
    for name, read in _KINDS.items():
        if name in part:
            return read(part, calls)
    thought = part.flag("thought")
    signature = part.text("thoughtSignature")
    text = part.text("text")
    if thought:
        return _reasoning(text, signature)
    if text is None and signature is None:
        kind = next(iter(part.rest()), "")
        if not kind:
            raise InvalidRequest(f"`{part.path}` holds nothing.", param=part.path)
        return Native("gemini", kind, Raw(bytes(raw)))
    if signature is not None and (token := unsealed(signature)).origin != "gemini":
        # A foreign token never stands on text: it is a thought of which the caller lost the flag.
        return Reasoning(text or "", True, token.token, token.origin, token.id, text is None)
    return Text(text or "", token=signature)


def _reasoning(text: str | None, signature: str | None) -> Reasoning:
    """A part without any text, not even an empty one, is a token only."""
    if signature is None:
        return Reasoning(text or "", summary=True)
    token = unsealed(signature)
    return Reasoning(
        text or "", text is not None, token.token, token.origin, token.id, text is None
    )


def _call(part: Fields, calls: Calls) -> ToolCall:
    given = part.object("functionCall")
    assert given is not None
    name = _named(given)
    args = given.take("args")
    if args is not None and object_of(_utf8(args, given.at("args"))) is None:
        raise InvalidRequest(f"`{given.at('args')}` must be an object.", param=given.at("args"))
    return ToolCall(
        calls.called(name, given.text("id")),
        name,
        "{}" if args is None else bytes(args).decode(),
        token=part.text("thoughtSignature"),
    )


def _result(part: Fields, calls: Calls) -> ToolResult:
    given = part.object("functionResponse")
    assert given is not None
    name = _named(given)
    found: list[Text | Media] = []
    is_error = False
    if (response := given.take("response")) is not None:
        try:
            text, is_error = read_result(response)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            path = given.at("response")
            raise InvalidRequest(f"`{path}` must be an object.", param=path) from error
        if text is not None:
            found.append(Text(text))
    for inner in given.objects("parts"):
        media = _media(inner, calls)
        found.append(media)
    return ToolResult(calls.answered(name, given.text("id")), tuple(found), name, is_error)


def _media(part: Fields, calls: Calls) -> Media:
    if (blob := part.object("inlineData")) is not None:
        data, media_type = standard(blob.text("data") or ""), blob.text("mimeType")
        url, name = None, blob.text("displayName")
    elif (file := part.object("fileData")) is not None:
        url, media_type = file.text("fileUri") or "", file.text("mimeType")
        data, name = None, file.text("displayName")
    else:
        raise InvalidRequest(f"`{part.path}` holds neither data nor a file.", param=part.path)
    token = part.text("thoughtSignature")
    extra: Members = part.rest()
    return Media(
        kind_of(media_type, url),
        data=data,
        url=url,
        media_type=media_type,
        name=name,
        extra=extra,
        token=token,
    )


_KINDS: dict[str, Callable[[Fields, Calls], Part]] = {
    "functionCall": _call,
    "functionResponse": _result,
    "inlineData": _media,
    "fileData": _media,
}


def _named(given: Fields) -> str:
    name = given.text("name")
    if not name:
        raise InvalidRequest(f"`{given.at('name')}` is required.", param=given.at("name"))
    return name


def _utf8(raw: Raw, path: str) -> str:
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"`{path}` is not UTF-8.", param=path) from error
