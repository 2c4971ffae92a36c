"""Images and documents of a caller.

https://platform.claude.com/docs/en/build-with-claude/vision,
https://platform.claude.com/docs/en/build-with-claude/pdf-support
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import Media, Members, Native
from providers.dialects.anthropic.blocks import DIALECT, present


class _Source(Struct):
    type: str
    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[Raw] | None = None


class _Image(Struct):
    source: _Source
    cache_control: Raw = Raw()
    transformations: Raw = Raw()


class _Document(Struct):
    source: _Source
    title: str | None = None
    context: Raw = Raw()
    citations: Raw = Raw()
    cache_control: Raw = Raw()


class _SearchResult(Struct):
    content: list[Raw]
    source: str
    title: str | None = None
    cache_control: Raw = Raw()


class _Piece(Struct):
    type: str
    text: str | None = None


_image = msgspec.json.Decoder(_Image).decode
_document = msgspec.json.Decoder(_Document).decode
_search_result = msgspec.json.Decoder(_SearchResult).decode
_piece = msgspec.json.Decoder(_Piece).decode
_members = msgspec.json.Decoder(Members).decode


def image(raw: Raw) -> Media:
    found = _image(raw)
    source = found.source
    return Media(
        "image",
        data=source.data if source.type == "base64" else None,
        url=source.url,
        file_id=source.file_id,
        media_type=source.media_type,
        cache=present(found.cache_control),
        extra=_given(transformations=found.transformations),
    )


def document(raw: Raw) -> Media | Native:
    found = _document(raw)
    source = found.source
    extra = _given(context=found.context, citations=found.citations)
    text = source.data if source.type == "text" else None
    if source.type == "content":
        text = _joined(source.content)
        if text is None:
            return Native(DIALECT, "document", raw)  # there are pictures in it
        extra["source"] = _members(raw)["source"]
    return Media(
        "document",
        data=source.data if source.type == "base64" else None,
        url=source.url,
        file_id=source.file_id,
        text=text,
        media_type=source.media_type,
        name=found.title,
        cache=present(found.cache_control),
        extra=extra,
    )


def search_result(raw: Raw) -> Media | Native:
    """A document to everybody else: https://platform.claude.com/docs/en/build-with-claude/search-results."""
    found = _search_result(raw)
    text = _joined(found.content)
    if text is None:
        return Native(DIALECT, "search_result", raw)
    name = found.title or found.source
    cache = present(found.cache_control)
    return Media("document", text=text, name=name, cache=cache, extra={"search_result": raw})


def _joined(content: str | list[Raw] | None) -> str | None:
    """The text of all blocks; None if one is no text."""
    if content is None or isinstance(content, str):
        return content
    pieces = [_piece(raw) for raw in content]
    if any(piece.type != "text" or piece.text is None for piece in pieces):
        return None
    return "\n\n".join(piece.text or "" for piece in pieces)


def _given(**members: Raw) -> Members:
    return {name: raw for name, raw in members.items() if present(raw) is not None}
