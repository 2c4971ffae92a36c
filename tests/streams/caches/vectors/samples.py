"""Entries with vectors of which everybody sees how near they are."""

from __future__ import annotations

import math

import numpy as np

from streams.caches.vectors.base import Entry, Vector

DIMENSION = 8
FOREVER = 4e9  # epoch seconds


def at(cosine: float) -> Vector:
    """A vector that has this cosine to at(1)."""
    found = np.zeros(DIMENSION, np.float32)
    found[0], found[1] = cosine, math.sqrt(max(0.0, 1 - cosine * cosine))
    return found


def entry(
    entry_id: str,
    cosine: float,
    namespace: str = "n",
    expires: float = FOREVER,
    labels: tuple[str, ...] = (),
    answer: bytes = b"answer \x00\xff",
) -> Entry:
    return Entry(
        entry_id,
        namespace,
        f"group of {entry_id}",
        f"text of {entry_id} ä",
        at(cosine),
        answer,
        expires,
        labels,
    )
