"""Public questions in the order of their arrival, and pairs that differ in what matters.

Two requests of a stream may share an answer if and only if their class is the same. Where the data come
from and under which licences stands beside them: $SHARED_DIR/semantic/README.md.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from streams.caches.embedders.local import Local

SHARED = Path(os.environ.get("SHARED_DIR") or Path(__file__).parents[2] / "shared") / "semantic"
Asked = tuple[str, str]  # text, class
Pair = tuple[str, str]  # what is kept, what is asked


def banking77(folder: Path, seed: int) -> list[Asked]:
    found = []
    for part in ("train", "test"):
        path = folder / f"banking77_{part}.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            found += [(row["text"], row["category"]) for row in csv.DictReader(file)]
    random.Random(seed).shuffle(found)
    return found


def clinc150(folder: Path, seed: int) -> list[Asked]:
    """What is out of scope has nothing in common: each is a class of its own."""
    parts = _json(folder / "clinc150_data_full.json.gz")
    found = [
        (text, intent if intent != "oos" else f"oos:{text}")
        for part in parts.values()
        for text, intent in part
    ]
    random.Random(seed).shuffle(found)
    return found


def mixb(folder: Path, seed: int) -> list[Asked]:
    """Its order is given, and that of seed 0."""
    found = [(text, intent) for text, intent in _json(folder / "stream_mixb.json.gz")]
    if seed:
        random.Random(seed).shuffle(found)
    return found


STREAMS: Mapping[str, Callable[[Path, int], list[Asked]]] = {
    "banking77": banking77,
    "clinc150": clinc150,
    "mixb": mixb,
}


def _json(path: Path) -> Any:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


class Vectors:
    """Of texts, made once and kept in a file; a row of NaN for what the model cannot read."""

    def __init__(self, model: Path, file: Path | None = None) -> None:
        self._local = Local(model)
        self._file = file
        self._known: dict[str, np.ndarray] = {}
        if file is not None and file.exists():
            with np.load(file) as kept:
                if str(kept["identity"]) == self._local.identity:
                    self._known = dict(zip(kept["texts"].tolist(), kept["vectors"], strict=True))

    def make(self, texts: Iterable[str], said: Callable[[float], None] = lambda part: None) -> None:
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        for number, text in enumerate(missing):
            self._known[text] = self._vector(text)
            said((number + 1) / len(missing))
        if missing and self._file is not None:
            texts_, vectors = np.array(list(self._known)), np.array(list(self._known.values()))
            np.savez(self._file, identity=self._local.identity, texts=texts_, vectors=vectors)

    def _vector(self, text: str) -> np.ndarray:
        found = self._local.vector(text)
        return found if found is not None else np.full(384, np.nan, np.float32)

    def of(self, text: str) -> np.ndarray | None:
        if (found := self._known.get(text)) is None:
            found = self._known[text] = self._vector(text)
        return None if np.isnan(found[0]) else found


OPPOSITES = [
    *(("enable", "disable"), ("open", "close"), ("buy", "sell"), ("increase", "decrease")),
    *(("add", "remove"), ("start", "stop"), ("activate", "deactivate"), ("import", "export")),
    *(("upload", "download"), ("send", "receive"), ("deposit", "withdraw"), ("lock", "unlock")),
]
NAMES = [
    ["Python", "Java", "Go", "Rust"],
    ["Paris", "London", "Berlin", "Tokyo"],
    ["iPhone", "Android", "Windows", "Linux"],
    ["USD", "EUR", "GBP", "JPY"],
    ["Visa", "Mastercard", "Amex", "PayPal"],
    ["Monday", "Friday", "Sunday", "Tuesday"],
]
WITH_NUMBER = [
    "How do I get a refund after {} days?",
    "Which phone is best under {} dollars?",
    "What changed in version {} of the API?",
    "Convert {} miles to kilometres",
    "What is the tax on an income of {}?",
]
WITH_NAME = [
    "How do I install the {} client?",
    "How do I pay with {}?",
    "Is the office open on {}?",
    "What is the population of {}?",
    "How do I back up my data on {}?",
]
WITH_VERB = [
    "How do I {} two factor login?",
    "How do I {} the account?",
    "How can I {} a payment?",
    "How do I {} a user in the group?",
]
WITH_ORDER = [
    ("transfer money from {a} to {b}", "transfer money from {b} to {a}"),
    ("Is {a} better than {b}?", "Is {b} better than {a}?"),
    ("How do I convert {a} to {b}?", "How do I convert {b} to {a}?"),
]
DENIED = [
    *((r"\bcan i\b", "can i not"), (r"\bdo i\b", "do i not"), (r"\bi want\b", "i don't want")),
    *((r"\bi can\b", "i can't"), (r"\bplease\b", "please don't"), (r"\bi am\b", "i am not")),
    *((r"\bi have\b", "i haven't"), (r"\bis it\b", "is it not")),
]
WRAPS = ["Please tell me: {}", "{} thanks", "Hi, {}", "Quick question - {}", "{}?!"]


def pairs(real: Iterable[str], count: int, seed: int) -> dict[str, list[Pair]]:
    """Of each kind; all but `benign` must not be served."""
    chance = random.Random(seed)
    found: dict[str, list[Pair]] = {
        kind: [] for kind in ("number", "name", "opposite", "order", "negation", "benign")
    }
    for _ in range(count):
        one, other = chance.sample(range(2, 2030), 2)
        form = chance.choice(WITH_NUMBER).format
        found["number"].append((form(one), form(other)))
        a, b = chance.sample(chance.choice(NAMES), 2)
        form = chance.choice(WITH_NAME).format
        found["name"].append((form(a), form(b)))
        form = chance.choice(WITH_VERB).format
        found["opposite"].append(tuple(map(form, chance.choice(OPPOSITES))))  # type: ignore[arg-type]
        there, back = chance.choice(WITH_ORDER)
        found["order"].append((there.format(a=a, b=b), back.format(a=a, b=b)))
    texts = [text for text in dict.fromkeys(real) if 4 <= len(text.split()) <= 18]
    chance.shuffle(texts)
    for text in texts:
        lowered = text.lower()
        edits = (re.sub(pattern, new, lowered, count=1) for pattern, new in DENIED)
        denied = next((edit for edit in edits if edit != lowered), None)
        if denied is not None and len(found["negation"]) < count:
            found["negation"].append((text, denied))
        if len(found["benign"]) < count:
            found["benign"].append((text, chance.choice(WRAPS).format(text)))
    return found
