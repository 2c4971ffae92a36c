"""Images and documents for a provider.

https://platform.claude.com/docs/en/build-with-claude/vision,
https://platform.claude.com/docs/en/build-with-claude/pdf-support
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from providers.canonical.notes import Notes
from providers.canonical.request import Media
from providers.dialects.anthropic.write_blocks import Block

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
# How the base64 of an image begins, for callers that do not say what it is.
_SIGNATURES = (
    ("iVBOR", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
)
_PDF = "application/pdf"
_TEXT_TYPES = (
    "application/json",
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/javascript",
)
_MEMBERS = ("context", "citations", "transformations")
_FILE = "file_"  # https://platform.claude.com/docs/en/build-with-claude/files


def render_media(media: Media, notes: Notes) -> Block | None:
    """A block; None if it could not be said and may be left out."""
    if "search_result" in media.extra:
        return {"raw": media.extra["search_result"]}
    if media.kind not in _SOURCES:
        notes.meaningful("turns", f"its models do not take {media.kind}")
        return None
    source = _SOURCES[media.kind](media, notes)
    if source is None:
        return None
    block: Block = {"type": media.kind, "source": source}
    if media.kind == "document" and media.name is not None:
        block["title"] = media.name
    if media.cache is not None:
        block["cache_control"] = media.cache
    block.update((name, raw) for name, raw in media.extra.items() if name in _MEMBERS)
    return block


def _image(media: Media, notes: Notes) -> object | None:
    if media.detail in ("low", "high"):
        notes.harmless("detail")
    if media.data is None:
        return _elsewhere(media, notes)
    kind = media.media_type
    if kind not in _IMAGES:
        kind = next((found for begin, found in _SIGNATURES if media.data.startswith(begin)), None)
    if kind is None:
        notes.meaningful("turns", f"it takes images of the types {', '.join(_IMAGES)} only")
        return None
    return {"type": "base64", "media_type": kind, "data": media.data}


def _document(media: Media, notes: Notes) -> object | None:
    if "source" in media.extra:
        return media.extra["source"]
    if media.text is not None:
        return _plain(media.text)
    if media.data is None:
        return _elsewhere(media, notes)
    if media.media_type == _PDF or media.data.startswith("JVBERi0"):  # "%PDF-"
        return {"type": "base64", "media_type": _PDF, "data": media.data}
    if (text := _text_of(media)) is not None:
        return _plain(text)
    notes.meaningful("turns", "it takes documents of the type PDF and of plain text only")
    return None


def _plain(text: str) -> Block:
    return {"type": "text", "media_type": "text/plain", "data": text}


def _text_of(media: Media) -> str | None:
    kind = (media.media_type or "").partition(";")[0].strip()
    if not kind.startswith("text/") and kind not in _TEXT_TYPES:
        return None
    try:
        return base64.b64decode(media.data or "", validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _elsewhere(media: Media, notes: Notes) -> object | None:
    """What the provider fetches itself."""
    if media.url is not None:
        return {"type": "url", "url": media.url}
    if media.file_id is not None and media.file_id.startswith(_FILE):
        return {"type": "file", "file_id": media.file_id}
    notes.meaningful("turns", "it knows no file of this id")
    return None


_SOURCES: dict[str, Callable[[Media, Notes], object | None]] = {
    "image": _image,
    "document": _document,
}
