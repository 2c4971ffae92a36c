"""Parts of a message's content, to the canonical middle and from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from providers.canonical.notes import Notes
from providers.canonical.request import Citation, Media, Refusal, Text
from providers.dialects.openai_responses.carrier import DIALECT
from providers.dialects.openai_responses.decode import decoded, given, invalid

Kind = Literal["image", "document"]
Content = str | list[Raw]
Object = dict[str, object]


class _Audio(Struct):
    data: str
    format: str


class _Part(Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    detail: str | None = None
    input_audio: _Audio | None = None
    annotations: list[Raw] | None = None
    prompt_cache_breakpoint: Raw = Raw()


class _Annotation(Struct):
    type: str | None = None
    url: str | None = None
    title: str | None = None
    filename: str | None = None
    start_index: int | None = None
    end_index: int | None = None


_part = msgspec.json.Decoder(_Part)
_annotation = msgspec.json.Decoder(_Annotation)
_TEXT = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_EPHEMERAL = Raw(b'{"type":"ephemeral"}')
_BREAKPOINT = Raw(b'{"mode":"explicit"}')
_AUDIO = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}
_EXTENSIONS = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/html": "html",
}


def parse_parts(content: Content, where: str) -> Iterator[Text | Media | Refusal]:
    """The parts of a message or of a tool's output."""
    if isinstance(content, str):
        yield Text(content)
        return
    for index, raw in enumerate(content):
        place = f"{where}[{index}]"
        yield _parsed(decoded(_part, raw, place), place)


def _parsed(part: _Part, place: str) -> Text | Media | Refusal:
    cache = _EPHEMERAL if given(part.prompt_cache_breakpoint) else None
    if part.type in _TEXT:
        if part.text is None:
            raise invalid(f"{place}.text", "is required")
        return Text(part.text, cache, tuple(citation(raw) for raw in part.annotations or ()))
    if part.type == "refusal":
        return Refusal(part.refusal or "")
    if part.type == "input_image":
        return _media("image", part, part.image_url, cache, place)
    if part.type == "input_file":
        return _media("document", part, part.file_data or part.file_url, cache, place)
    if part.type == "input_audio" and part.input_audio is not None:
        kind = (
            "audio/mpeg" if part.input_audio.format == "mp3" else f"audio/{part.input_audio.format}"
        )
        return Media("audio", data=part.input_audio.data, media_type=kind)
    raise invalid(f"{place}.type", f"there is no part `{part.type}`")


def _media(found: Kind, part: _Part, source: str | None, cache: Raw | None, place: str) -> Media:
    name, detail = part.filename, part.detail
    if source is None and part.file_id is None:
        raise invalid(place, "holds neither data, a URL nor a file id")
    if source is None:
        return Media(found, file_id=part.file_id, name=name, detail=detail, cache=cache)
    media_type, data = split_data_url(source)
    if data is not None:
        return Media(found, data, media_type=media_type, name=name, detail=detail, cache=cache)
    if source == part.file_data:  # bare base64, which some callers send
        return Media(found, source, name=name, detail=detail, cache=cache)
    return Media(found, url=source, name=name, detail=detail, cache=cache)


def split_data_url(url: str) -> tuple[str | None, str | None]:
    """Media type and base64 of a data URL; None for both if it is another URL."""
    if not url.startswith("data:"):
        return None, None
    head, comma, data = url[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        return None, None
    return head.removesuffix(";base64").partition(";")[0] or None, data


def citation(raw: Raw) -> Citation:
    """A citation for an annotation of any kind."""
    try:
        found = _annotation.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return Citation(dialect=DIALECT, raw=raw)
    return Citation(
        found.url,
        found.title or found.filename,
        start=found.start_index,
        end=found.end_index,
        dialect=DIALECT,
        raw=raw,
    )


def annotation(cited: Citation, length: int) -> Object | Raw:
    """An annotation of a text of `length` characters."""
    if cited.dialect == DIALECT and cited.raw:
        return cited.raw
    if cited.url is not None:
        return {
            "type": "url_citation",
            "url": cited.url,
            "title": cited.title or "",
            "start_index": cited.start or 0,
            "end_index": length if cited.end is None else cited.end,
        }
    # A document of the request has no id: its title names it.
    return {"type": "file_citation", "file_id": "", "filename": cited.title or "", "index": 0}


def input_part(part: Text | Media, notes: Notes, own: bool) -> Object:
    """A part of what is not the model's own. `own`: the caller speaks this dialect, too."""
    if isinstance(part, Text):
        found: Object = {"type": "input_text", "text": part.text}
    else:
        found = _medium(part, notes, own)
    if part.cache is not None:
        if own:
            found["prompt_cache_breakpoint"] = _BREAKPOINT
        else:
            notes.harmless("cache_control")
    return found


def _medium(part: Media, notes: Notes, own: bool) -> Object:
    for name in part.extra:
        notes.harmless(name)
    if part.kind == "image":
        return _image(part, notes, own)
    if part.kind == "audio":
        return _audio(part, notes)
    if part.kind == "document" and part.text is None:
        return _document(part, notes, own)
    if part.kind == "video":
        notes.meaningful("video")
    title = f"{part.name}:\n\n" if part.name and not own else ""
    return {"type": "input_text", "text": title + (part.text or "")}


def _image(part: Media, notes: Notes, own: bool) -> Object:
    found: Object = {"type": "input_image"}
    if part.file_id is not None:
        _known_file(part, notes, own)
        found["file_id"] = part.file_id
    else:
        found["image_url"] = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
    if part.detail is not None:
        found["detail"] = part.detail
    return found


def _audio(part: Media, notes: Notes) -> Object:
    kind = part.media_type or "audio/wav"
    if part.data is None:
        notes.meaningful("audio", "its API takes no sound by URL or id")
    return {
        "type": "input_audio",
        "input_audio": {
            "data": part.data or "",
            "format": _AUDIO.get(kind, kind.rpartition("/")[2]),
        },
    }


def _document(part: Media, notes: Notes, own: bool) -> Object:
    found: Object = {"type": "input_file"}
    if part.file_id is not None:
        _known_file(part, notes, own)
        found["file_id"] = part.file_id
    elif part.url is not None:
        found["file_url"] = part.url
    elif part.media_type is None:
        found["file_data"] = part.data
    else:
        found["file_data"] = f"data:{part.media_type};base64,{part.data}"
    if (name := _file_name(part, own)) is not None:
        found["filename"] = name
    if part.detail is not None:
        found["detail"] = part.detail
    return found


def _file_name(part: Media, own: bool) -> str | None:
    """Data without a name is refused."""
    if part.name is not None or part.data is None or own:
        return part.name
    return "document." + _EXTENSIONS.get(part.media_type or "", "pdf")


def _known_file(part: Media, notes: Notes, own: bool) -> None:
    """A file's id means something to the provider that has it: OpenAI's chat shares its files."""
    if not own and not (part.file_id or "").startswith("file-"):
        notes.meaningful("file_id", "the file is known to another provider only")
