"""What a store of vectors promises. All that has to do with similarity is the cosine, from -1 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Vector = NDArray[np.float32]  # of unit length


class Entry(Struct, frozen=True):
    """One question whose answer is kept. `group` is shared by all questions of one answer."""

    id: str
    namespace: str
    group: str
    text: str
    vector: Vector
    answer: bytes  # the answer or what it is found by: a store does not look into it
    expires: float  # epoch seconds
    labels: tuple[str, ...] = ()  # what it can be removed by: "model:gpt-5", "user-path:/a"


class Neighbour(Struct, frozen=True):
    """An entry that is near to a question."""

    id: str
    group: str
    text: str
    answer: bytes
    similarity: float  # cosine


class ById(Struct, frozen=True):
    """These entries of one namespace."""

    namespace: str
    ids: tuple[str, ...]


class ByLabel(Struct, frozen=True):
    """All entries that have this label."""

    label: str


class ByNamespace(Struct, frozen=True):
    """All entries of one namespace."""

    namespace: str


class Expired(Struct, frozen=True):
    """All entries that expired before this time, in epoch seconds."""

    before: float


class All(Struct, frozen=True):
    """Everything that this store keeps for us."""


Selection = ById | ByLabel | ByNamespace | Expired | All


class VectorError(Exception):
    """A store could not do what it was asked; the message says which one and why."""


class VectorStore(Protocol):
    """Keeps questions and finds the nearest ones.

    Opened by its first use. Any method may raise VectorError, and takes as long as its store: the
    caller sets a deadline by `asyncio.timeout`. Used by one event loop.
    """

    async def search(
        self, namespace: str, vector: Vector, count: int, now: float
    ) -> Sequence[Neighbour]:
        """The `count` nearest of this namespace that have not expired, the nearest first. What
        cannot be read, expired or is of another namespace takes no place among them."""
        ...

    async def add(self, entry: Entry) -> None:
        """Keep it; one of the same id is replaced. It may be found a moment later only."""
        ...

    async def remove(self, selection: Selection) -> None:
        """Forget what is selected; nothing is no mistake."""
        ...

    async def close(self) -> None: ...
