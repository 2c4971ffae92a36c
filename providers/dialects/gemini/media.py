"""Media types, which Gemini wants to be told and other dialects leave out."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

Kind = Literal["image", "audio", "video", "document"]

# https://ai.google.dev/gemini-api/docs/file-input-methods: the formats that models read.
_BY_ENDING = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mpeg": "video/mpeg",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "csv": "text/csv",
    "json": "application/json",
}
# What base64 of a file begins with.
_BY_BEGINNING = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "JVBER": "application/pdf",
}
_DEFAULTS: dict[Kind, str] = {
    "image": "image/jpeg",
    "audio": "audio/wav",
    "video": "video/mp4",
    "document": "application/pdf",
}
_FILMS = ("youtube.com", "youtu.be")  # https://ai.google.dev/gemini-api/docs/video-understanding


def kind_of(media_type: str | None, url: str | None = None) -> Kind:
    """What a media type is of."""
    found = (media_type or (_promised(url) if url else None) or "").lower()
    if found.startswith("image/"):
        return "image"
    if found.startswith("audio/"):
        return "audio"
    if found.startswith("video/") or (not found and url is not None and _is_film(url)):
        return "video"
    return "document"


def guess_url(url: str, kind: Kind) -> str:
    """The media type that a URL's ending promises; the most usual one of its kind if it promises none."""
    return _promised(url) or _DEFAULTS[kind]


def _promised(url: str) -> str | None:
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return _BY_ENDING.get(path.rpartition(".")[2].lower())


def guess_data(data: str, kind: Kind) -> str:
    """The media type of base64 data; the most usual one of its kind if it does not show."""
    for beginning, media_type in _BY_BEGINNING.items():
        if data.startswith(beginning):
            return media_type if kind != "audio" else _DEFAULTS["audio"]
    return _DEFAULTS[kind]


def _is_film(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host.removeprefix("www.").removeprefix("m.") in _FILMS
