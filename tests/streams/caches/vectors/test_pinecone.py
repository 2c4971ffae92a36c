"""Pinecone: what is its own beside the contract."""

from __future__ import annotations

import pytest

from streams.caches.vectors.base import VectorError
from streams.caches.vectors.pinecone import Pinecone
from tests.contracts.pinecone_server import KEY, PineconeServer
from tests.services import free_port
from tests.streams.caches.vectors.samples import at, entry


async def test_what_it_would_refuse_is_not_sent() -> None:
    """Metadata of more than 40 KB."""
    store = Pinecone("index.example.com", KEY)

    with pytest.raises(VectorError, match="too long"):
        await store.add(entry("a", 0.9, answer=b"x" * 40_000))


async def test_a_wrong_key_is_told() -> None:
    """With what Pinecone says, and without the key."""
    server = PineconeServer(free_port())
    await server.start()
    store = Pinecone(server.url, "secret")

    with pytest.raises(VectorError, match=r"401 for /query.*Invalid API key") as caught:
        await store.search("n", at(1.0), 1, 0)

    assert "secret" not in str(caught.value)
    await store.close()
    await server.stop()
