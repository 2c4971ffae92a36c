"""Parts of content for a provider: https://platform.openai.com/docs/api-reference/chat/create."""

from __future__ import annotations

from base64 import b64decode

from providers.canonical.notes import Notes
from providers.canonical.request import Media, Text
from providers.dialects.openai_chat.write import Object, url_of

# Media type -> format, where it is not what stands behind the slash.
_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav", "x-m4a": "m4a"}
_PDF = "application/pdf"


def render_text(part: Text, notes: Notes) -> Object:
    if part.cache is not None:
        notes.harmless("cache_control")
    if part.citations:
        notes.harmless("citations")
    return {"type": "text", "text": part.text}


def render_media(media: Media, notes: Notes) -> Object | None:
    """A part; None if it may be left out."""
    if media.cache is not None:
        notes.harmless("cache_control")
    for name in media.extra:
        notes.harmless(f"messages.{name}")
    match media.kind:
        case "image":
            return _image(media, notes)
        case "audio":
            return _sound(media, notes)
        case "video":
            # OpenAI takes none; https://openrouter.ai/docs/features/multimodal/videos
            return _at_url(media, "video_url", notes)
        case "document":
            return _document(media, notes)


def _image(media: Media, notes: Notes) -> Object | None:
    found = _at_url(media, "image_url", notes)
    if found is not None and media.detail is not None:
        found["image_url"] = {"url": url_of(media), "detail": media.detail}
    return found


def _at_url(media: Media, kind: str, notes: Notes) -> Object | None:
    if media.data is None and media.url is None:
        notes.meaningful("file_id", f"it takes a {media.kind} as data or at a URL only")
        return None
    return {"type": kind, kind: {"url": url_of(media)}}


def _sound(media: Media, notes: Notes) -> Object | None:
    if media.data is None:
        notes.meaningful("audio", "it takes sounds as data only")
        return None
    form = (media.media_type or "audio/wav").partition(";")[0].rpartition("/")[2]
    audio = {"data": media.data, "format": _FORMATS.get(form, form)}
    return {"type": "input_audio", "input_audio": audio}


def _document(media: Media, notes: Notes) -> Object | None:
    """A file may be a PDF: https://platform.openai.com/docs/guides/pdf-files; text is told as such."""
    if (text := _text(media)) is not None:
        title = f"{media.name}:\n\n" if media.name else ""
        return {"type": "text", "text": title + text}
    if media.file_id is not None:
        return {"type": "file", "file": {"file_id": media.file_id}}
    if media.data is None:
        notes.meaningful("turns", "it takes documents as data only, not at a URL")
        return None
    data = f"data:{media.media_type or _PDF};base64,{media.data}"
    # Required beside data.
    return {"type": "file", "file": {"filename": media.name or "document.pdf", "file_data": data}}


def _text(media: Media) -> str | None:
    """The text of a document that is one."""
    if media.text is not None:
        return media.text
    if media.data is None or not (media.media_type or "").startswith("text/"):
        return None
    try:
        return b64decode(media.data, validate=True).decode()
    except ValueError:
        return None
