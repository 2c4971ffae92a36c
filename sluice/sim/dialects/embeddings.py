"""Embeddings, as OpenAI and Gemini have them; equal texts have equal vectors in both.

https://platform.openai.com/docs/api-reference/embeddings, https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct

import msgspec
from msgspec import Struct
from typing_extensions import override

from sluice.sim.answers import Answer
from sluice.sim.ask import Ask, Call, Refused, Turn, decoded, talk
from sluice.sim.base import encode
from sluice.sim.dialects import openai_errors
from sluice.sim.dialects.gemini import Gemini

_DIMENSIONS = 8
_MAX_DIMENSIONS = 4096


def vector(text: str, dimensions: int) -> list[float]:
    """A unit vector of what the text is hashed to, in numbers that 32 bits hold exactly."""
    data = hashlib.shake_128(text.encode()).digest(dimensions)
    length = math.sqrt(sum((byte + 1) ** 2 for byte in data))
    rounded = struct.pack(f"<{dimensions}f", *((byte + 1) / length for byte in data))
    return list(struct.unpack(f"<{dimensions}f", rounded))


class _Body(Struct):
    model: str | None = None
    input: str | list[str | int | list[int]] | None = None
    dimensions: int | None = None
    encoding_format: str = "float"


_body = msgspec.json.Decoder(_Body)


class Embeddings:
    headers = openai_errors.HEADERS

    def read(self, call: Call) -> Ask:
        asked = decoded(_body, call.body)
        if not asked.model:
            raise Refused(400, "you must provide a model parameter")
        if not asked.input:
            raise Refused(400, "'input' must not be empty.", "input")
        _check(asked.dimensions)
        turns = [Turn("user", text) for text in _texts(asked)]
        return Ask(model=asked.model, talk=talk(asked.model, turns, call.key), body=call.body)

    def plain(self, ask: Ask, said: Answer) -> bytes:
        asked = decoded(_body, ask.body)
        data = []
        for index, text in enumerate(_texts(asked)):
            found = vector(text, asked.dimensions or _DIMENSIONS)
            wanted = _packed(found) if asked.encoding_format == "base64" else found
            data.append({"object": "embedding", "index": index, "embedding": wanted})
        usage = {"prompt_tokens": said.prompt_tokens, "total_tokens": said.prompt_tokens}
        return encode({"object": "list", "data": data, "model": ask.model, "usage": usage})

    def failed(self, ask: Ask) -> bytes:
        return openai_errors.in_band()

    def error(self, refused: Refused) -> bytes:
        return openai_errors.error(refused)


def _texts(asked: _Body) -> list[str]:
    """Tokens are words of digits here."""
    given = asked.input or []
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [" ".join(map(str, given))]
    return [one if isinstance(one, str) else str(one) for one in given]


def _packed(found: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(found)}f", *found)).decode()


class _Part(Struct):
    text: str = ""


class _Content(Struct):
    parts: list[_Part] = []


class _Embed(Struct, rename="camel"):
    content: _Content
    output_dimensionality: int | None = None


class _EmbedAll(Struct):
    requests: list[_Embed] = []


_embed = msgspec.json.Decoder(_Embed)
_embed_all = msgspec.json.Decoder(_EmbedAll)


class GeminiEmbeddings(Gemini):
    """One content, or a batch of them."""

    def __init__(self, batch: bool) -> None:
        self._batch = batch

    @override
    def read(self, call: Call) -> Ask:
        requests = self._requests(call.body)
        if not requests:
            raise Refused(400, "* BatchEmbedContentsRequest.requests: requests is not specified")
        for request in requests:
            _check(request.output_dimensionality)
        turns = [Turn("user", _text(request)) for request in requests]
        return Ask(model=call.model, talk=talk(call.model, turns, call.key), body=call.body)

    @override
    def plain(self, ask: Ask, said: Answer) -> bytes:
        found = [
            {"values": vector(_text(request), request.output_dimensionality or _DIMENSIONS)}
            for request in self._requests(ask.body)
        ]
        return encode({"embeddings": found} if self._batch else {"embedding": found[0]})

    def _requests(self, body: bytes) -> list[_Embed]:
        if self._batch:
            return decoded(_embed_all, body).requests
        return [decoded(_embed, body)]


def _text(request: _Embed) -> str:
    return "".join(part.text for part in request.content.parts)


def _check(dimensions: int | None) -> None:
    if dimensions is not None and not 0 < dimensions <= _MAX_DIMENSIONS:
        raise Refused(400, f"'dimensions' must be 1 to {_MAX_DIMENSIONS}.", "dimensions")
