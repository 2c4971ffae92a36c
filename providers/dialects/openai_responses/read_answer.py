"""A provider's whole Response to an Answer."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from providers.canonical.answer import Answer, AnswerPart, Choice, Finish
from providers.canonical.request import Media, Native, Reasoning, Refusal, Text, ToolCall
from providers.dialects.openai_responses.answer import CALLS, UNFINISHED, incomplete_reason
from providers.dialects.openai_responses.carrier import DIALECT
from providers.dialects.openai_responses.failures import failure
from providers.dialects.openai_responses.parts import citation
from providers.dialects.openai_responses.usage import parse_usage
from schemas.errors import StreamTruncated, UpstreamError


class Part(Struct, gc=False):
    """A part of a message, of thoughts or of their summary."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    annotations: list[Raw] | None = None
    logprobs: list[Raw] | None = None


class Item(Struct, gc=False):
    """What is read of an output item."""

    type: str
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    # Of other kinds in the items of the provider's own tools.
    arguments: Raw = Raw()
    input: Raw = Raw()
    content: Raw = Raw()
    summary: Raw = Raw()
    encrypted_content: str | None = None
    result: Raw = Raw()
    output_format: str | None = None


class Details(Struct):
    reason: str | None = None


class Response(Struct):
    """What is read of a Response."""

    id: str = ""
    model: str = ""
    created_at: float | None = None
    status: str | None = None
    error: Raw = Raw()
    incomplete_details: Details | None = None
    output: list[Raw] | None = None
    usage: Raw = Raw()
    service_tier: str | None = None

    @property
    def created(self) -> int | None:
        return None if self.created_at is None else int(self.created_at)

    def finish(self, *, called: bool) -> Finish:
        """Why it ended."""
        if self.status == "incomplete":
            native = self.incomplete_details.reason if self.incomplete_details else None
            return Finish(incomplete_reason(native), native)
        return Finish("tool_calls" if called else "stop", self.status)


_item = msgspec.json.Decoder(Item).decode
_response = msgspec.json.Decoder(Response).decode
_parts = msgspec.json.Decoder(list[Part] | None).decode
_text = msgspec.json.Decoder(str | None).decode
_encode = msgspec.json.Encoder().encode


def read_response(raw: bytes | Raw) -> Response:
    """UpstreamError if it is none."""
    try:
        return _response(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamError(f"The provider's answer is no Response: {error}.") from error


def read_item(raw: Raw) -> Item:
    """UpstreamError if it is no output item."""
    try:
        return _item(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamError(
            f"The provider sent an output item that cannot be read: {error}."
        ) from error


def read_answer(body: bytes) -> Answer:
    """GatewayError if the body holds an error or is no whole answer."""
    _check(body)
    found = read_response(body)
    if found.status == "failed" or (found.error and bytes(found.error) != b"null"):
        raise failure(body)[0]
    if found.status in UNFINISHED:
        raise UpstreamError(f"The provider's answer is {found.status}.")
    parts: list[AnswerPart] = []
    logprobs: list[Raw] = []
    called = False
    for raw in found.output or ():
        item = read_item(raw)
        called = called or item.type in CALLS
        parts.extend(item_parts(item, raw))
        logprobs.extend(_logprobs(item))
    choice = Choice(
        0,
        tuple(parts),
        found.finish(called=called),
        chat_logprobs(logprobs) if logprobs else None,
    )
    usage = parse_usage(found.usage) if found.usage else None
    return Answer(found.id, found.model, (choice,), usage, found.service_tier, found.created)


def _check(body: bytes) -> None:
    """The body is JSON to its end, in UTF-8."""
    try:
        if not body.isascii():
            body.decode()
        msgspec.json.decode(body, type=Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not body.strip() or str(error) == "Input data was truncated":
            raise StreamTruncated from error
        raise UpstreamError(f"The provider's answer is not valid JSON: {error}.") from error


def item_parts(item: Item, raw: Raw) -> Iterator[AnswerPart]:
    """An output item as parts of an answer."""
    if item.type == "message":
        yield from _said(item)
    elif item.type in CALLS:
        yield called(item)
    elif item.type == "reasoning":
        yield from thoughts(item)
    elif (picture := drawn(item)) is not None:
        yield picture
    else:
        yield Native(DIALECT, item.type, raw)


def _said(item: Item) -> Iterator[Text | Refusal]:
    for part in parts_of(item.content):
        if part.type == "refusal":
            yield Refusal(part.refusal or "")
        else:
            cited = tuple(citation(raw) for raw in part.annotations or ())
            yield Text(part.text or "", citations=cited)


def called(item: Item) -> ToolCall:
    """A call of a caller's tool."""
    custom = item.type == "custom_tool_call"
    return ToolCall(
        item.call_id or item.id or "",
        item.name or "",
        string(item.input if custom else item.arguments),
        custom,
        item_id=item.id,
    )


def thoughts(item: Item) -> list[Reasoning]:
    """A summary, the thoughts themselves or both; the token stands at the last of them."""
    summary = joined(item.summary)
    text = joined(item.content)
    token, origin = item.encrypted_content, DIALECT if item.encrypted_content is not None else None
    parts = [Reasoning(summary, True)] if summary else []
    if text or not summary:
        parts.append(Reasoning(text))
    redacted = token is not None and not parts[-1].text
    parts[-1] = msgspec.structs.replace(
        parts[-1], token=token, origin=origin, id=item.id, redacted=redacted
    )
    return parts


def drawn(item: Item) -> Media | None:
    """The picture of an image generation, if there is one."""
    if item.type != "image_generation_call" or not (data := string(item.result)):
        return None
    return Media("image", data, media_type=f"image/{item.output_format or 'png'}")


def parts_of(content: Raw) -> list[Part]:
    """The parts of a message, of thoughts or of their summary."""
    if not content:
        return []
    try:
        return _parts(content) or []
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamError(f"The provider sent content that cannot be read: {error}.") from error


def joined(content: Raw) -> str:
    return "\n\n".join(part.text or "" for part in parts_of(content))


def string(value: Raw) -> str:
    """A text; JSON of another kind as it was written."""
    if not value:
        return ""
    try:
        return _text(value) or ""
    except (msgspec.DecodeError, RecursionError):
        return bytes(value).decode(errors="replace")


def _logprobs(item: Item) -> Iterator[Raw]:
    if item.type == "message":
        for part in parts_of(item.content):
            yield from part.logprobs or ()


def chat_logprobs(found: list[Raw]) -> Raw:
    """As OpenAI chat writes them."""
    return Raw(_encode({"content": found}))
