"""Vectors by a provider's /v1/embeddings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import numpy as np
from msgspec import Struct
from typing_extensions import override

from streams.caches.embedders.base import Embedder, EmbedderError
from streams.caches.semantic.lexicon import normalised
from streams.caches.vectors.base import Vector

Send = Callable[[bytes], Awaitable[bytes]]
"""Sends a body of OpenAI's embeddings to the provider and gives the body of a good answer; raises
EmbedderError for any other."""


class _Item(Struct, frozen=True):
    embedding: list[float]


class _Answer(Struct, frozen=True):
    data: list[_Item]


_decode = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode


class Remote(Embedder):
    """One call a text, in the form that every provider of embeddings is spoken to here."""

    def __init__(self, send: Send, instance: str, model: str) -> None:
        self._send = send
        self._model = model
        self._identity = f"{instance}/{model}"

    @property
    @override
    def identity(self) -> str:
        return self._identity

    @override
    async def embed(self, text: str) -> Vector | None:
        body = {"model": self._model, "input": normalised(text), "encoding_format": "float"}
        try:
            (item,) = _decode(await self._send(_encode(body))).data
        except (msgspec.MsgspecError, ValueError) as error:
            raise EmbedderError(f"{self._identity}: no embedding in its answer: {error}") from error
        vector = np.array(item.embedding, np.float32)
        length = float(np.linalg.norm(vector)) if vector.size else 0.0
        if not np.isfinite(length) or length == 0.0:
            raise EmbedderError(f"{self._identity}: a vector without a direction")
        return vector / np.float32(length)

    @override
    async def close(self) -> None:
        """What sends is not ours."""
