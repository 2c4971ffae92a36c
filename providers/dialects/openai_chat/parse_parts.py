"""Parts of a caller's content: https://platform.openai.com/docs/api-reference/chat/create."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Raw, Struct

from providers.canonical.decode import decoded, given, invalid, members, others
from providers.canonical.request import Media, Members, Native, Reasoning, Refusal, Text
from providers.dialects.openai_chat.details import DIALECT, THINKING_PART, in_field

Content = str | list[Raw] | None
Said = Text | Media | Refusal | Reasoning | Native


class _ImageUrl(Struct):
    url: str
    detail: str | None = None


class _Audio(Struct):
    data: str
    format: str | None = None


class _File(Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Thought(Struct):
    text: str = ""


class Part(Struct):
    """A part; which members it has is a matter of its type."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | _ImageUrl | None = None
    video_url: str | _ImageUrl | None = None
    document_url: str | None = None  # https://docs.mistral.ai/capabilities/document_ai
    document_name: str | None = None
    input_audio: str | _Audio | None = None
    file: _File | None = None
    thinking: str | list[_Thought] | None = None
    closed: bool | None = None  # Mistral's, of thinking
    cache_control: Raw = Raw()


_part = msgspec.json.Decoder(Part)
_KNOWN = frozenset(Part.__struct_fields__)
_AUDIO = {"mp3": "audio/mpeg"}  # format -> media type, where it is not audio/<format>


def parse_content(content: Content, where: str, extra: Members) -> Iterator[Said]:
    """The parts of a message; `extra` gets what has no place in them."""
    if content is None:
        return
    if isinstance(content, str):
        yield Text(content)
        return
    for index, raw in enumerate(content):
        place = f"{where}[{index}]"
        part = decoded(_part, raw, place)
        extra.update(others(decoded(members, raw, place), _KNOWN, "content."))
        made = _PARTS.get(part.type)
        yield Native(DIALECT, part.type, raw) if made is None else made(part, place)


def _text(part: Part, place: str) -> Text:
    if part.text is None:
        raise invalid(f"{place}.text", "is required")
    return Text(part.text, given(part.cache_control))


def _refusal(part: Part, place: str) -> Refusal:
    return Refusal(part.refusal or "")


def _image(part: Part, place: str) -> Media:
    return _at_url(part, part.image_url, place)


def _video(part: Part, place: str) -> Media:
    return _at_url(part, part.video_url, place)


def _at_url(part: Part, given_url: str | _ImageUrl | None, place: str) -> Media:
    if given_url is None:
        raise invalid(f"{place}.{part.type}", "is required")
    found = _ImageUrl(given_url) if isinstance(given_url, str) else given_url
    media_type, data = split_data_url(found.url)
    return Media(
        "image" if part.type == "image_url" else "video",
        data,
        None if data is not None else found.url,
        media_type=media_type,
        detail=found.detail,
        cache=given(part.cache_control),
    )


def _sound(part: Part, place: str) -> Media:
    """The data is base64; imitators take a data URL or another one, too."""
    if part.input_audio is None:
        raise invalid(f"{place}.input_audio", "is required")
    found = _Audio(part.input_audio) if isinstance(part.input_audio, str) else part.input_audio
    media_type, data = split_data_url(found.data)
    if media_type is None and found.format is not None:
        media_type = _AUDIO.get(found.format, f"audio/{found.format}")
    url = None
    if data is None:
        is_url = found.data.startswith(("http://", "https://"))
        url, data = (found.data, None) if is_url else (None, found.data)
    return Media("audio", data, url, media_type=media_type, cache=given(part.cache_control))


def _file(part: Part, place: str) -> Media:
    """A document as data, which imitators take as a URL, too, or by its id."""
    if (file := part.file) is None or (file.file_data is None and file.file_id is None):
        raise invalid(f"{place}.file", "needs file_data or file_id")
    cache = given(part.cache_control)
    if file.file_data is None:
        return Media("document", file_id=file.file_id, name=file.filename, cache=cache)
    return _document(file.file_data, file.filename, cache)


def _document_url(part: Part, place: str) -> Media:
    if part.document_url is None:
        raise invalid(f"{place}.document_url", "is required")
    return _document(part.document_url, part.document_name, given(part.cache_control))


def _document(source: str, name: str | None, cache: Raw | None) -> Media:
    media_type, data = split_data_url(source)
    if data is not None:
        return Media("document", data, media_type=media_type, name=name, cache=cache)
    if source.startswith(("http://", "https://", "data:")):
        return Media("document", url=source, name=name, cache=cache)
    return Media("document", source, media_type=media_type, name=name, cache=cache)


def _thinking(part: Part, place: str) -> Reasoning:
    return in_field(thinking_text(part.thinking), THINKING_PART)


def thinking_text(thinking: str | list[_Thought] | None) -> str:
    """The text of Mistral's `thinking` part."""
    if isinstance(thinking, list):
        return "".join(piece.text for piece in thinking)
    return thinking or ""


def split_data_url(url: str) -> tuple[str | None, str | None]:
    """Media type and base64 of a data URL; None for both if it is another URL."""
    if not url.startswith("data:"):
        return None, None
    head, comma, data = url[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        return None, None
    return head.removesuffix(";base64").partition(";")[0] or None, data


_PARTS: dict[str, Callable[[Part, str], Text | Media | Refusal | Reasoning]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "video_url": _video,
    "input_audio": _sound,
    "file": _file,
    "document_url": _document_url,
    "thinking": _thinking,
}
