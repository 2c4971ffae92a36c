"""A world of questions without an embedder: intents in a plane of made-up vectors."""

from __future__ import annotations

from random import Random

import numpy as np

from streams.caches.semantic.learnt import Learnt
from streams.caches.semantic.verified import Limits, Verified
from streams.caches.vectors.base import Neighbour, Vector

DIMENSION = 32
WORDS = [
    "amber",
    "basil",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "iris",
    "jade",
    "karst",
    "lotus",
    "maple",
    "north",
    "olive",
]


def neighbour(text: str, similarity: float, group: str = "g", entry_id: str = "") -> Neighbour:
    return Neighbour(entry_id or text, group, text, b"", similarity)


def unit(values: np.ndarray) -> Vector:  # type: ignore[type-arg]  # any float
    return (values / np.linalg.norm(values)).astype(np.float32)


class World:
    """Questions of many intents; intents of a pair lie near to each other and are easily confused."""

    def __init__(self, seed: int, intents: int = 24, spread: float = 0.07) -> None:
        self.numbers = np.random.default_rng(seed)
        centres = self.numbers.normal(size=(intents // 2, DIMENSION))
        twins = centres + self.numbers.normal(0, 0.35, centres.shape)
        self.centres = [unit(each) for each in (*centres, *twins)]
        self.spread = spread

    def ask(self) -> tuple[str, int, Vector]:
        intent = int(self.numbers.integers(len(self.centres)))
        vector = unit(self.centres[intent] + self.numbers.normal(0, self.spread, DIMENSION))
        words = [WORDS[at] for at in self.numbers.integers(0, len(WORDS), 5)]
        return " ".join(words), intent, vector


class Run:
    """A cache in this world, with every answer compared as the decision wants it."""

    def __init__(self, decision: Verified, seed: int, noise: float = 0.0) -> None:
        self.decision = decision
        self.random = Random(seed)
        self.noise = noise
        self.vectors = np.empty((4_096, DIMENSION), np.float32)  # as many rows as there are keys
        self.keys: list[tuple[str, str]] = []  # text, group
        self.intents: dict[str, int] = {}
        self.asked = self.served = self.wrong = self.judged = 0

    def ask(self, text: str, intent: int, vector: Vector) -> None:
        self.asked += 1
        neighbours: list[Neighbour] = []
        if self.keys:
            similarities = self.vectors[: len(self.keys)] @ vector
            for at in np.argsort(-similarities)[:16]:
                key_text, group = self.keys[at]
                neighbours.append(Neighbour(str(at), group, key_text, b"", float(similarities[at])))
        verdict = self.decision.decide(text, neighbours)
        same, rival, truth = None, None, False
        if (candidate := verdict.candidate) is not None:
            truth = self.intents[candidate.key.group] == intent
            if verdict.judged:
                same = truth if self.random.random() >= self.noise else not truth
                if not same and candidate.rival is not None:
                    rival = self.intents[candidate.rival.group] == intent
        self.served += verdict.serve
        self.wrong += verdict.serve and not truth
        self.judged += verdict.serve and verdict.judged
        lesson = self.decision.learn(verdict, same, rival)
        if self.decision.due:
            self.decision.refit()
        if lesson.keep:
            group = lesson.group or f"g{len(self.keys)}"
            self.vectors[len(self.keys)] = vector
            self.keys.append((text, group))
            self.intents.setdefault(group, intent)


def verified(seed: int, limits: Limits | None = None, worker: str = "w") -> Verified:
    return Verified(limits or Limits(), Learnt(worker), Random(seed).random)


def run(seed: int, requests: int, limits: Limits | None = None, noise: float = 0.0) -> Run:
    world = World(seed)
    found = Run(verified(seed, limits), seed, noise)
    for _ in range(requests):
        found.ask(*world.ask())
    return found
