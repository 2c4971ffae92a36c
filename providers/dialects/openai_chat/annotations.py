"""Annotations of a message's text: https://platform.openai.com/docs/guides/tools-web-search."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import Citation
from providers.dialects.openai_chat.details import DIALECT


class _Url(Struct):
    url: str | None = None
    title: str | None = None
    content: str | None = None  # https://openrouter.ai/docs/features/web-search
    start_index: int | None = None
    end_index: int | None = None


class _File(Struct):
    name: str | None = None


class _Annotation(Struct):
    type: str | None = None
    url_citation: _Url | None = None
    file: _File | None = None  # what OpenRouter read of a file; goes back with the conversation


class _Result(Struct):
    url: str | None = None
    title: str | None = None
    snippet: str | None = None


_annotation = msgspec.json.Decoder(_Annotation).decode
_result = msgspec.json.Decoder(str | _Result).decode


def citation(raw: Raw) -> Citation:
    """A citation for an annotation of any kind."""
    try:
        found = _annotation(raw)
    except (msgspec.DecodeError, RecursionError):
        return Citation(dialect=DIALECT, raw=raw)
    if (url := found.url_citation) is None:
        title = found.file.name if found.file else None
        return Citation(title=title, dialect=DIALECT, raw=raw)
    return Citation(url.url, url.title, url.content, url.start_index, url.end_index, DIALECT, raw)


def source(raw: Raw) -> Citation | None:
    """A source that stands beside the answer: https://docs.perplexity.ai/api-reference."""
    try:
        found = _result(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    if isinstance(found, str):
        return Citation(found)
    return Citation(found.url, found.title, found.snippet) if found.url else None


def annotation(cited: Citation, base: int, length: int) -> object:
    """An annotation of a text of `length` characters, behind `base` others of the message."""
    if cited.dialect == DIALECT and cited.raw and not base:
        return cited.raw
    url: dict[str, object] = {
        "url": cited.url or "",
        "title": cited.title or "",
        "start_index": base + (cited.start or 0),
        "end_index": base + (length if cited.end is None else cited.end),
    }
    if cited.cited_text:
        url["content"] = cited.cited_text
    return {"type": "url_citation", "url_citation": url}
