"""Embeddings, text by text: what a request asks for in pieces, and their vectors put together again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import Members
from schemas.errors import UpstreamError
from schemas.identity import Question


class _Vector(Struct):
    index: int
    embedding: Raw


class _Answer(Struct):
    data: list[_Vector]


class _Item(Struct):
    index: int
    embedding: Raw
    object: str = "embedding"


_answer = msgspec.json.Decoder(_Answer).decode
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def texts(question: Question) -> list[object]:
    """What is to be embedded, one by one; a list of numbers is one text, in tokens."""
    given = question.members.get("input")
    if not isinstance(given, list):
        return [given]
    return [given] if given and isinstance(given[0], int) else given


def keys(question: Question, models: tuple[str, ...]) -> list[str]:
    """The names of the vectors."""
    return [question.of(input=text).key(models) for text in texts(question)]


def asking(body: bytes, wanted: Sequence[object]) -> bytes:
    """A request for some of the texts only."""
    return _encode({**_members(body), "input": wanted})


def vectors(body: bytes, count: int) -> list[Raw]:
    """Those of an answer, in order; UpstreamError if it has another number of them."""
    try:
        found = _answer(body).data
    except _UNREADABLE as error:
        raise UpstreamError(f"The vectors cannot be read: {error}.") from error
    if sorted(vector.index for vector in found) != list(range(count)):
        raise UpstreamError("The provider sent another number of vectors than there are texts.")
    return [vector.embedding for vector in sorted(found, key=lambda vector: vector.index)]


def together(found: Sequence[Raw], rest: Mapping[str, object]) -> bytes:
    """An answer with these vectors; `rest`: what else stands in it."""
    data = [_Item(index, vector) for index, vector in enumerate(found)]
    return _encode({"object": "list", **rest, "data": data})


def rest_of(body: bytes) -> Mapping[str, object]:
    """What stands in an answer beside its vectors."""
    try:
        found = _members(body)
    except _UNREADABLE as error:
        raise UpstreamError(f"The answer cannot be read: {error}.") from error
    return {name: value for name, value in found.items() if name != "data"}


def nothing_used(model: str) -> Mapping[str, object]:
    """The same of an answer for which nobody was asked."""
    return {"model": model, "usage": {"prompt_tokens": 0, "total_tokens": 0}}
