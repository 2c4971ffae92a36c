"""OpenAI's embeddings: https://platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.notes import Notes
from providers.canonical.request import Members
from providers.dialects.openai_chat.usage import parse_usage
from providers.embeddings.middle import Asked, Embedded, packed, unpacked
from schemas.errors import InvalidRequest, UpstreamError
from schemas.usage import Usage

_members = msgspec.json.Decoder(Members).decode
_input = msgspec.json.Decoder(str | list[str]).decode
_dimensions = msgspec.json.Decoder(int | None).decode
_format = msgspec.json.Decoder(str | None).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode
_ABSENT = b"null"
_USED = frozenset({"model", "input", "dimensions", "encoding_format"})


class _Vector(Struct):
    embedding: Raw
    index: int


class _Embedded(Struct):
    data: list[_Vector]
    model: str | None = None
    usage: Raw = Raw()


class _Item(Struct):
    index: int
    embedding: Raw
    object: str = "embedding"


class _Usage(Struct):
    prompt_tokens: int
    total_tokens: int


class _Body(Struct):
    data: list[_Item]
    model: str
    usage: _Usage
    object: str = "list"


_embedded = msgspec.json.Decoder(_Embedded).decode


def parse(body: bytes, notes: Notes) -> Asked:
    """What a caller asks; InvalidRequest names what cannot be understood or passed on."""
    try:
        members = _members(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no request for embeddings: {error}.") from error
    for name in members.keys() - _USED:
        notes.harmless(name)  # `user`, and what only one provider knows
    try:
        given = _input(members.get("input", _ABSENT))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(
            "`input` must be a string or a list of strings: this model's provider takes no tokens.",
            param="input",
        ) from error
    texts = (given,) if isinstance(given, str) else tuple(given)
    if not texts:
        raise InvalidRequest("`input` must not be empty.", param="input")
    return Asked(texts, _limit(members), _is_base64(members))


def _limit(members: Members) -> int | None:
    try:
        found: int | None = _dimensions(members.get("dimensions", _ABSENT))
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest("`dimensions` must be an integer.", param="dimensions") from error
    return found


def _is_base64(members: Members) -> bool:
    try:
        found: str | None = _format(members.get("encoding_format", _ABSENT))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = ""
    if found not in (None, "float", "base64"):
        raise InvalidRequest("`encoding_format` must be float or base64.", param="encoding_format")
    return found == "base64"


def named(body: bytes, model: str) -> bytes:
    """The body with the provider's name of the model; the same bytes if it is there already."""
    try:
        members = _members(body)
        if _text(members.get("model", Raw(b'""'))) == model:
            return body
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no request for embeddings: {error}.") from error
    return _encode({**members, "model": Raw(_encode(model))})


def render(asked: Asked, model: str) -> Members:
    found: dict[str, object] = {
        "model": model,
        "input": asked.texts,
        "encoding_format": "float",
    }
    if asked.dimensions is not None:
        found["dimensions"] = asked.dimensions
    return {name: Raw(_encode(value)) for name, value in found.items()}


def read(body: bytes) -> Embedded:
    """msgspec's DecodeError if the answer is none."""
    found = _embedded(body)
    in_order = sorted(found.data, key=lambda vector: vector.index)
    usage = parse_usage(found.usage) if found.usage else None
    return Embedded(tuple(unpacked(vector.embedding) for vector in in_order), usage, found.model)


def usage_of(body: bytes) -> tuple[Usage | None, str | None]:
    """Counts and model of an answer that passes through, as far as they can be read."""
    try:
        found = _embedded(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    return (parse_usage(found.usage) if found.usage else None), found.model


def write(embedded: Embedded, asked: Asked, model: str) -> bytes:
    if len(embedded.vectors) != len(asked.texts):
        raise UpstreamError("The provider sent another number of vectors than there are texts.")
    used = embedded.usage.input_tokens if embedded.usage else 0
    items = [
        _Item(index, packed(vector) if asked.base64 else vector)
        for index, vector in enumerate(embedded.vectors)
    ]
    return _encode(_Body(items, embedded.model or model, _Usage(used, used)))
