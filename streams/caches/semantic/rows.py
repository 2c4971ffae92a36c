"""What was seen of candidates: their features, what was found, and how likely it was to be looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.caches.semantic.features import COUNT
from streams.caches.semantic.score import Array

CAPACITY = 20_000
Column = NDArray[np.float32]


class Rows:
    """The last CAPACITY of them, in order. 100 bytes each."""

    def __init__(self, data: Column | None = None) -> None:
        # Features, label (1, 0; -1: nobody looked), weight, number of the request.
        self._data = np.empty((0, COUNT + 3), np.float32) if data is None else data
        self._used = len(self._data)

    def __len__(self) -> int:
        return self._used

    @property
    def data(self) -> Column:
        return self._data[: self._used]

    def add(self, features: tuple[float, ...], label: int, weight: float, request: float) -> None:
        if self._used == len(self._data):
            self._grow()
        self._data[self._used] = (*features, label, weight, request)
        self._used += 1

    def _grow(self) -> None:
        """Twice the room, and the older half forgotten where that is too much."""
        kept = self.data[-CAPACITY // 2 :] if self._used >= CAPACITY else self.data
        room = min(max(256, 2 * len(kept)), CAPACITY)
        self._data = np.empty((room, COUNT + 3), np.float32)
        self._data[: len(kept)] = kept
        self._used = len(kept)

    @property
    def features(self) -> Array:
        return self.data[:, :COUNT].astype(np.float64)

    @property
    def labels(self) -> Array:
        return self.data[:, COUNT].astype(np.float64)

    @property
    def weights(self) -> Array:
        return self.data[:, COUNT + 1].astype(np.float64)

    @property
    def requests(self) -> Array:
        return self.data[:, COUNT + 2].astype(np.float64)
