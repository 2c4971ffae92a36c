"""In which order candidates are asked. Pure: what is random is drawn from the request's id."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from providers.base import Target
from streams.routing.config import Strategy


class Candidate(Struct, frozen=True):
    """Who may answer, and what a strategy knows of it."""

    target: Target
    weight: float = 1.0
    latency: float | None = None  # seconds; None: not measured yet
    price: float | None = None  # of this request, estimated, in USD; None: unknown


Order = Callable[[Sequence[Candidate], str], list[Candidate]]


def ordered(strategy: Strategy, candidates: Sequence[Candidate], seed: str) -> list[Candidate]:
    """The candidates, best first. `seed`: the request's id, or what must stay with one candidate."""
    return _ORDERS[strategy](candidates, seed)


def _priority(candidates: Sequence[Candidate], seed: str) -> list[Candidate]:
    return list(candidates)


def _weighted(candidates: Sequence[Candidate], seed: str) -> list[Candidate]:
    """Each first as often as its weight says: Efraimidis and Spirakis, weighted sampling without
    replacement, with rendezvous hashing as the source of chance. Weight 0: only when all others fail."""

    def key(candidate: Candidate) -> float:
        if candidate.weight <= 0:
            return math.inf
        return -math.log(_chance(seed, candidate)) / candidate.weight

    return sorted(candidates, key=key)


def _least_latency(candidates: Sequence[Candidate], seed: str) -> list[Candidate]:
    """By time to the first token; who was not measured yet comes first, so that it is."""
    return sorted(candidates, key=lambda one: -1.0 if one.latency is None else one.latency)


def _least_cost(candidates: Sequence[Candidate], seed: str) -> list[Candidate]:
    """By price; what it is unknown comes last."""
    return sorted(candidates, key=lambda one: math.inf if one.price is None else one.price)


def _chance(seed: str, candidate: Candidate) -> float:
    """A number in (0, 1), always the same for the same two."""
    text = f"{seed}\0{candidate.target.instance}\0{candidate.target.model}".encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / (2**64 + 1)


_ORDERS: dict[Strategy, Order] = {
    "priority": _priority,
    "weighted": _weighted,
    "least_latency": _least_latency,
    "least_cost": _least_cost,
    # The same draw for the same seed; when a candidate goes, only its own seeds move.
    "consistent": _weighted,
}
