"""Vectors by a model that `fastembed` fetches once and keeps (`pip install fastembed`)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from streams.caches.embedders.base import Embedder, EmbedderError
from streams.caches.semantic.lexicon import normalised
from streams.caches.vectors.base import Vector

if TYPE_CHECKING:
    from fastembed import TextEmbedding

LONGEST = 1_000  # characters, about 250 pieces: most of these models look no further


class Fetched(Embedder):
    """How a model's pieces become one vector, fastembed knows of each."""

    def __init__(self, name: str, folder: Path) -> None:
        """Fetches what is not in `folder` yet, which may take minutes: call it before there is anybody
        to serve."""
        try:
            from fastembed import TextEmbedding
        except ImportError as error:
            raise EmbedderError(f"local: {name} is no folder; pip install fastembed") from error
        try:
            self._model: TextEmbedding = TextEmbedding(name, cache_dir=str(folder), threads=1)
        except Exception as error:  # of any of the libraries by which it fetches
            mend = f"where it cannot fetch, name a folder, or bring {folder} along"
            raise EmbedderError(f"local: fastembed cannot have {name}: {error} ({mend})") from error
        self._identity = f"fastembed/{name}"
        self._thread = ThreadPoolExecutor(1, "embedder")

    @property
    @override
    def identity(self) -> str:
        return self._identity

    @override
    async def embed(self, text: str) -> Vector | None:
        if len(text) > LONGEST:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._vector, normalised(text))

    def _vector(self, text: str) -> Vector:
        (found,) = self._model.embed([text])
        return np.asarray(found / max(float(np.linalg.norm(found)), 1e-12), np.float32)

    @override
    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
