"""Parts of an answer as a Gemini caller gets them."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from providers.canonical.request import Media, Reasoning
from providers.dialects.gemini.base64s import sealed
from providers.dialects.gemini.media import guess_data, guess_url

_encode = msgspec.json.Encoder().encode


def text_part(text: str, token: str | None = None) -> bytes:
    if token is None:
        return b'{"text": ' + _encode(text) + b"}"
    return _encode({"text": text, "thoughtSignature": token})


def thought_part(text: str) -> bytes:
    return b'{"text": ' + _encode(text) + b',"thought": true}'


def token_part(part: Reasoning) -> bytes:
    """A thought with its token. One of Gemini's own that stands alone came with a text; another
    dialect's has no text at all if there is none to see, so that it is told apart when it comes back."""
    if part.token is None:
        return thought_part(part.text)
    signature = sealed(part.token, part.origin, part.id)
    if part.redacted and part.origin == "gemini":
        return text_part("", signature)
    found: dict[str, object] = {"thought": True, "thoughtSignature": signature}
    if not part.redacted:
        found["text"] = part.text
    return _encode(found)


def call_part(id: str, name: str, args: Raw, token: str | None) -> bytes:  # noqa: A002  # its name
    found: dict[str, object] = {"functionCall": {"id": id, "name": name, "args": args}}
    if token is not None:
        found["thoughtSignature"] = token
    return _encode(found)


def media_part(media: Media) -> bytes:
    if media.data is not None:
        kind = media.media_type or guess_data(media.data, media.kind)
        found: dict[str, object] = {"inlineData": {"mimeType": kind, "data": media.data}}
    else:
        url = media.url or media.file_id or ""
        kind = media.media_type or guess_url(url, media.kind)
        found = {"fileData": {"mimeType": kind, "fileUri": url}}
    if media.token is not None:
        found["thoughtSignature"] = media.token
    return _encode(found)
