"""Vectors by a provider."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from streams.caches.embedders.base import EmbedderError
from streams.caches.embedders.remote import Remote


def remote(answer: object, sent: list[object] | None = None) -> Remote:
    async def send(body: bytes) -> bytes:
        if sent is not None:
            sent.append(msgspec.json.decode(body))
        return msgspec.json.encode(answer)

    return Remote(send, "east", "m")


async def test_it_asks_as_openai_has_it() -> None:
    """And makes the vector one of unit length."""
    sent: list[object] = []
    embedder = remote({"object": "list", "data": [{"index": 0, "embedding": [3, 4]}]}, sent)

    vector = await embedder.embed("  What\u2019s up ")

    assert sent == [{"model": "m", "input": "What's up", "encoding_format": "float"}]
    assert vector is not None
    assert np.allclose(vector, [0.6, 0.8])
    assert embedder.identity == "east/m"
    await embedder.close()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": []},
        {"data": [{"embedding": "x"}]},
        {"data": [{"embedding": [0, 0]}]},
        {"data": [{"embedding": []}]},
    ],
)
async def test_an_answer_that_is_none_is_an_error(answer: object) -> None:
    """Without the text in it."""
    with pytest.raises(EmbedderError, match="east/m") as caught:
        await remote(answer).embed("secret")

    assert "secret" not in str(caught.value)
