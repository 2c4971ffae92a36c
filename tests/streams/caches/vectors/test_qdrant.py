"""Qdrant: what its local mode cannot show."""

from __future__ import annotations

import pytest

from streams.caches.vectors.base import All, VectorError
from streams.caches.vectors.qdrant import Qdrant
from tests.services import free_port
from tests.streams.caches.vectors.samples import at, entry


async def test_a_server_that_is_away_is_an_error() -> None:
    """Of every method."""
    store = Qdrant(f"http://127.0.0.1:{free_port()}")

    for attempt in (
        store.search("n", at(1.0), 1, 0),
        store.add(entry("a", 0.5)),
        store.remove(All()),
    ):
        with pytest.raises(VectorError, match="qdrant"):
            await attempt
    await store.close()
