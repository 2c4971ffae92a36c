"""A stream of questions through the semantic cache as it is, with a judge that knows the truth."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from bench.questions import Asked, Pair, Vectors
from streams.caches.semantic.decision import Decision
from streams.caches.semantic.learnt import Learnt
from streams.caches.semantic.verified import Limits, Verified
from streams.caches.vectors.base import ById, Entry
from streams.caches.vectors.embedded import Embedded

NAMESPACE = "n"
NEIGHBOURS = 24
FOREVER = 4e9


def exact(text: str) -> str:
    """What the exact cache finds: case, white space and a closing sign aside."""
    return re.sub(r"\s+", " ", text.strip().lower()).rstrip("?!. ")


@dataclass
class Replay:
    """What became of each request, and the cache as it is at the end."""

    decision: Decision
    noise: float = 0.0  # share of wrong judgements
    seed: int = 0
    hits: list[bool] = field(default_factory=list)  # exact ones included
    wrong: list[bool] = field(default_factory=list)
    judged: int = 0
    served: int = 0
    store: Embedded = field(default_factory=lambda: Embedded(None, 1_000_000, 1 << 30))
    classes: dict[str, str] = field(default_factory=dict)  # of answers
    intents: dict[str, str] = field(default_factory=dict)  # of questions
    _seen: set[str] = field(default_factory=set)

    async def run(
        self,
        stream: list[Asked],
        vectors: Vectors,
        said: Callable[[float], None] = lambda part: None,
    ) -> Replay:
        chance = random.Random(self.seed)
        for number, (text, intent) in enumerate(stream):
            self.intents[text] = intent
            hit = exact(text) in self._seen
            wrong = False
            if not hit:
                hit, wrong = await self._ask(f"{number}", text, intent, vectors.of(text), chance)
                if not hit:
                    self._seen.add(exact(text))
            self.hits.append(hit)
            self.wrong.append(wrong)
            if number % 200 == 0 or number == len(stream) - 1:
                said((number + 1) / len(stream))
        return self

    async def _ask(
        self, name: str, text: str, intent: str, vector: np.ndarray | None, chance: random.Random
    ) -> tuple[bool, bool]:
        if vector is None:
            return False, False
        neighbours = await self.store.search(NAMESPACE, vector, NEIGHBOURS, 0.0)
        verdict = self.decision.decide(text, neighbours)
        same, rival, truth = None, None, False
        if (found := verdict.candidate) is not None:
            truth = self.classes[found.key.group] == intent
            if verdict.judged:
                same = self._judged(truth, chance)
                if not same and found.rival is not None:
                    rival = self._judged(self.classes[found.rival.group] == intent, chance)
        self.served += verdict.serve
        self.judged += verdict.serve and verdict.judged
        lesson = self.decision.learn(verdict, same, rival)
        if isinstance(self.decision, Verified) and self.decision.due:
            self.decision.refit()
        if lesson.drop is not None:
            await self.store.remove(ById(NAMESPACE, (lesson.drop,)))
        if lesson.keep:
            group = lesson.group or name
            self.classes.setdefault(group, intent)
            await self.store.add(Entry(name, NAMESPACE, group, text, vector, b"", FOREVER))
        return verdict.serve, verdict.serve and not truth

    def _judged(self, truth: bool, chance: random.Random) -> bool:
        return truth if chance.random() >= self.noise else not truth

    def rates(self) -> dict[str, float]:
        """Of all requests."""
        half = len(self.hits) // 2
        return {
            "hits": float(np.mean(self.hits)),
            "wrong": float(np.mean(self.wrong)),
            "hits, second half": float(np.mean(self.hits[half:])),
            "wrong, second half": float(np.mean(self.wrong[half:])),
            "wrong of hits": sum(self.wrong) / max(sum(self.hits), 1),
            "hits compared": self.judged / max(self.served, 1),
        }

    async def served_of(self, pairs: Iterable[Pair], vectors: Vectors) -> float:
        """Share of pairs of which the second gets the answer of the first, in the cache as it is: by
        the first itself or by another question of its class."""
        served = total = 0
        for number, (kept, asked) in enumerate(pairs):
            first, second = vectors.of(kept), vectors.of(asked)
            total += 1
            if first is None or second is None:
                continue
            name = f"pair {number}"
            await self.store.add(Entry(name, NAMESPACE, name, kept, first, b"", FOREVER))
            neighbours = await self.store.search(NAMESPACE, second, NEIGHBOURS, 0.0)
            verdict = self.decision.decide(asked, neighbours)
            if verdict.serve and verdict.candidate is not None:
                group = verdict.candidate.key.group
                served += group == name or self.classes[group] == self.intents.get(kept)
            await self.store.remove(ById(NAMESPACE, (name,)))
        return served / max(total, 1)


def verified(seed: int, rate: float = 0.01) -> Verified:
    limits = Limits(max_error_rate=rate)
    return Verified(limits, Learnt("bench"), random.Random(seed).random)
