"""What an embedder promises."""

from __future__ import annotations

from typing import Protocol

from streams.caches.vectors.base import Vector


class EmbedderError(Exception):
    """There is no vector now; the message says why and names no text."""


class Embedder(Protocol):
    @property
    def identity(self) -> str:
        """Which vectors these are: those of another identity do not compare, so that it belongs into
        the namespace. Known before the first call."""
        ...

    async def embed(self, text: str) -> Vector | None:
        """A vector of unit length; None for a text that this embedder cannot tell from others. May
        take as long as a call, raises EmbedderError, and leaves the deadline to the caller."""
        ...

    async def close(self) -> None: ...
