"""Weaviate: what is its own beside the contract."""

from __future__ import annotations

import pytest

from streams.caches.vectors.base import VectorError
from streams.caches.vectors.weaviate import Weaviate
from tests.services import free_port
from tests.streams.caches.vectors.samples import at


async def test_a_server_that_is_away_is_an_error() -> None:
    """Before anything was ever kept."""
    store = Weaviate(f"http://127.0.0.1:{free_port()}", "key")

    with pytest.raises(VectorError, match="weaviate"):
        await store.search("n", at(1.0), 1, 0)
    await store.close()
