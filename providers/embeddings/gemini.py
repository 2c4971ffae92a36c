"""Gemini's embeddings, one text or several at once: https://ai.google.dev/api/embeddings."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.notes import Notes
from providers.canonical.request import Members
from providers.dialects.gemini.fields import Fields
from providers.dialects.gemini.native import named as renamed
from providers.dialects.gemini.usage import parse_usage, write_usage
from providers.embeddings.middle import Asked, Embedded
from schemas.errors import InvalidRequest, UpstreamError
from schemas.usage import Usage

_members = msgspec.json.Decoder(Members).decode
_list = msgspec.json.Decoder(list[Members]).decode
_encode = msgspec.json.Encoder().encode
SINGLE, BATCH = ":embedContent", ":batchEmbedContents"


class _Values(Struct):
    values: Raw = Raw(b"[]")


class _Embedded(Struct, rename="camel"):
    embedding: _Values | None = None
    embeddings: list[_Values] | None = None
    usage_metadata: Raw = Raw()


_embedded = msgspec.json.Decoder(_Embedded).decode


def verb(body: bytes) -> str:
    """What follows the model in the URL: the shape of the body says which of the two was called."""
    try:
        return BATCH if "requests" in _members(body) else SINGLE
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no request for embeddings: {error}.") from error


def named(body: bytes, model: str) -> bytes:
    """The body with the provider's name of the model in all of its requests; the same bytes if it is
    there already."""
    try:
        members = _members(body)
        if "requests" not in members:
            changed = renamed(members, model)
            return body if changed is None else _encode(changed)
        requests = _list(members["requests"])
        found = [renamed(request, model) for request in requests]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no request for embeddings: {error}.") from error
    if not any(found):
        return body
    batch = [new or old for new, old in zip(found, requests, strict=True)]
    return _encode({**members, "requests": Raw(_encode(batch))})


def parse(body: bytes, notes: Notes) -> Asked:
    """What a caller asks; InvalidRequest names what cannot be understood or passed on."""
    given = Fields(body)
    single = "requests" not in given
    requests = [given] if single else list(given.objects("requests"))
    if not requests:
        raise InvalidRequest("`requests` must not be empty.", param="requests")
    found = [_one(request, notes) for request in requests]
    if len({dimensions for _, dimensions in found}) > 1:
        raise InvalidRequest(
            "`outputDimensionality` must be the same in all requests for this model's provider.",
            param="requests",
        )
    return Asked(tuple(text for text, _ in found), found[0][1], single=single)


def _one(request: Fields, notes: Notes) -> tuple[str, int | None]:
    content = request.object("content")
    if content is None:
        raise InvalidRequest(f"`{request.at('content')}` is required.", param=request.at("content"))
    text = "".join(_text(part) for part in content.objects("parts"))
    config = request.object("embedContentConfig")
    found = None
    for fields in (request, config):
        if fields is None:
            continue
        if (given := fields.integer("outputDimensionality")) is not None:
            found = given
        if fields.text("taskType") is not None:
            # The vectors of one task are no use for another.
            notes.meaningful("taskType")
        fields.take("model")
        for name in fields.rest():
            notes.harmless(name)  # `title` of a document, `autoTruncate`
    return text, found


def _text(part: Fields) -> str:
    text = part.text("text")
    if text is None:
        raise InvalidRequest(
            f"`{part.path}` must be text: this model's provider embeds nothing else.",
            param=part.path,
        )
    return text


def render(asked: Asked, model: str) -> Members:
    """As a batch, whatever the number of texts."""
    requests = []
    for text in asked.texts:
        request: dict[str, object] = {
            "model": f"models/{model}",
            "content": {"parts": [{"text": text}]},
        }
        if asked.dimensions is not None:
            request["outputDimensionality"] = asked.dimensions
        requests.append(request)
    return {"requests": Raw(_encode(requests))}


def read(body: bytes) -> Embedded:
    """msgspec's DecodeError if the answer is none."""
    found = _embedded(body)
    if found.embedding is None and found.embeddings is None:
        raise UpstreamError("The provider's answer holds no vector.")
    vectors = found.embeddings if found.embedding is None else [found.embedding]
    usage = parse_usage(found.usage_metadata) if found.usage_metadata else None
    return Embedded(tuple(vector.values for vector in vectors or ()), usage)


def usage_of(body: bytes) -> tuple[Usage | None, str | None]:
    """Counts of an answer that passes through, as far as they can be read; it names no model."""
    try:
        found = _embedded(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None
    return (parse_usage(found.usage_metadata) if found.usage_metadata else None), None


def write(embedded: Embedded, asked: Asked, model: str) -> bytes:
    if len(embedded.vectors) != len(asked.texts):
        raise UpstreamError("The provider sent another number of vectors than there are texts.")
    values = [{"values": vector} for vector in embedded.vectors]
    body: dict[str, object] = {"embedding": values[0]} if asked.single else {"embeddings": values}
    if embedded.usage is not None:
        body["usageMetadata"] = write_usage(embedded.usage)
    return _encode(body)
