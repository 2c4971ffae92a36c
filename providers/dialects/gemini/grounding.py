"""Citations: https://ai.google.dev/api/generate-content#GroundingMetadata.

Google counts bytes of UTF-8 in an answer's text, the middle counts characters in a text part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import Citation

_encode = msgspec.json.Encoder().encode


class Source(Struct, rename="camel"):
    """A web page, a place on the map or a piece of a file."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None


class Chunk(Struct, rename="camel"):
    web: Source | None = None
    retrieved_context: Source | None = None
    maps: Source | None = None


class Segment(Struct, rename="camel"):
    start_index: int = 0
    end_index: int | None = None
    text: str | None = None


class Support(Struct, rename="camel"):
    segment: Segment | None = None
    grounding_chunk_indices: list[int] = []


class Grounding(Struct, rename="camel"):
    grounding_chunks: list[Chunk] = []
    grounding_supports: list[Support] = []


class Cited(Struct, rename="camel"):
    """Of `citationMetadata`: text that stands elsewhere word by word."""

    start_index: int = 0
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None


class CitedSources(Struct, rename="camel"):
    citation_sources: list[Cited] = []  # Gemini's API
    citations: list[Cited] = []  # Vertex AI


def read_citations(
    grounding: Grounding | None, cited: CitedSources | None, text: str
) -> Iterator[Citation]:
    """The citations of an answer's text."""
    data = text.encode(errors="replace")
    if grounding is not None:
        sources = [_source(chunk) for chunk in grounding.grounding_chunks]
        for support in grounding.grounding_supports:
            start, end = _place(support.segment or Segment(), data, text)
            for index in support.grounding_chunk_indices:
                if 0 <= index < len(sources):
                    yield _citation(sources[index], start, end)
        if not grounding.grounding_supports:
            yield from (_citation(source, None, None) for source in sources)
    if cited is not None:
        for found in (*cited.citation_sources, *cited.citations):
            start, end = _place(Segment(found.start_index, found.end_index), data, text)
            yield _citation(Source(found.uri, found.title), start, end)


def _source(chunk: Chunk) -> Source:
    return chunk.web or chunk.retrieved_context or chunk.maps or Source()


def _citation(source: Source, start: int | None, end: int | None) -> Citation:
    return Citation(source.uri, source.title, source.text, start, end, dialect="gemini")


def _place(segment: Segment, data: bytes, text: str) -> tuple[int | None, int | None]:
    """Characters from and to; unknown if the bytes say something else than the segment's text."""
    start, end = segment.start_index, segment.end_index
    if end is not None and 0 <= start <= end <= len(data):
        try:
            found = data[start:end].decode()
            if segment.text in (None, found):
                first = len(data[:start].decode())
                return first, first + len(found)
        except UnicodeDecodeError:
            pass
    if segment.text and (first := text.find(segment.text)) >= 0:
        return first, first + len(segment.text)
    return None, None


class Placed(Struct, frozen=True):
    """A citation and the text part that it belongs to: how many bytes stand before it."""

    citation: Citation
    text: str
    before: int = 0
    part: int = 0  # index among the candidate's parts


def write_grounding(placed: Iterable[Placed]) -> Raw | None:
    """A `groundingMetadata` member, None if there is nothing to say."""
    chunks: dict[tuple[str | None, str | None, str | None], int] = {}
    supports: dict[tuple[int, int, int], list[int]] = {}
    segments: dict[tuple[int, int, int], dict[str, object]] = {}
    for found in placed:
        cited = found.citation
        index = chunks.setdefault((cited.url, cited.title, cited.cited_text), len(chunks))
        if cited.start is None or cited.end is None or not found.text:
            continue
        key = (found.part, *_bytes(found, cited.start, cited.end))
        segments.setdefault(key, _segment(found, key))
        supports.setdefault(key, []).append(index)
    if not chunks:
        return None
    written: dict[str, object] = {"groundingChunks": [_written(*source) for source in chunks]}
    if supports:
        written["groundingSupports"] = [
            {"segment": segments[key], "groundingChunkIndices": indices}
            for key, indices in supports.items()
        ]
    return Raw(_encode(written))


def _bytes(found: Placed, start: int, end: int) -> tuple[int, int]:
    first = found.before + len(found.text[:start].encode(errors="replace"))
    return first, first + len(found.text[start:end].encode(errors="replace"))


def _segment(found: Placed, key: tuple[int, int, int]) -> dict[str, object]:
    cited = found.citation
    segment: dict[str, object] = {"endIndex": key[2], "text": found.text[cited.start : cited.end]}
    if key[1]:
        segment["startIndex"] = key[1]  # a 0 is left out, as protobuf does
    if key[0]:
        segment["partIndex"] = key[0]
    return segment


def _written(url: str | None, title: str | None, text: str | None) -> dict[str, object]:
    members: Sequence[tuple[str, str | None]] = (("uri", url), ("title", title), ("text", text))
    source = {name: value for name, value in members if value is not None}
    if url is not None:
        source.pop("text", None)  # a web page's has no place
        return {"web": source}
    return {"retrievedContext": source}
