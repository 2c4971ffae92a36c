"""The words of a question, as far as guards and features look at them. English; other languages keep
their numbers, their capitals and their order."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from msgspec import Struct

from streams.caches.semantic.words import (
    AUXILIARIES,
    CONTRACTED,
    IDLE_NEGATIONS,
    NAMES,
    NEGATIONS,
    NUMERALS,
    QUESTION_WORDS,
    ROLES,
    STOP_WORDS,
)

# 1,000 and 3.50; v2; 5k; words with what identifiers have inside and behind them: C++, C#, node.js.
_TOKEN = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)*|[^\W\d_](?:[\w.#+@/]*[\w#+])?")
_NUMBER = re.compile(r"\d+(?:[.]\d+)*")
_IDENTIFIER = re.compile(r"[^\W\d_]+[\d_.#+@/][\w.#+@/]*")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u02bc`", "'"))
_POSSESSIVE = re.compile(r"'s\b")
_MULTIPLES = {"k": 1_000, "m": 1_000_000, "mio": 1_000_000, "million": 1_000_000, "thousand": 1_000}
_END_OF_SENTENCE = frozenset(".!?:;-\u2013\u2014\n\"'(")


class Lexical(Struct, frozen=True, gc=False):
    """What is kept in memory of one text; made again from the text when it is needed."""

    words: tuple[str, ...]  # in order, lower case, contractions written out
    all: frozenset[str]
    content: frozenset[str]  # without stop words
    numbers: tuple[str, ...]  # sorted
    negations: int
    names: frozenset[str]  # capitalised inside a sentence, known proper names, identifiers
    question: str  # the first question word
    roles: tuple[tuple[str, str], ...]  # preposition and the content word that follows it
    trigrams: frozenset[str]


def normalised(text: str) -> str:
    """One form for what looks the same: compatibility forms, apostrophes, white space."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).split())


@lru_cache(maxsize=20_000)  # about 1.5 KB each: a neighbour is looked at again and again
def lexical(text: str) -> Lexical:
    """The words of a text. Pure, and remembered for those that were asked for last."""
    plain = _POSSESSIVE.sub("", normalised(text))
    words = _written_out(plain)
    joined = " ".join(words)
    content = [word for word in words if word not in STOP_WORDS]
    return Lexical(
        words=tuple(words),
        all=frozenset(words),
        content=frozenset(content),
        numbers=tuple(sorted(_numbers(words))),
        negations=_negations(words),
        names=frozenset(_names(plain, words)),
        question=next((word for word in words if word in QUESTION_WORDS), ""),
        roles=tuple(_roles(words)),
        trigrams=frozenset(joined[at : at + 3] for at in range(len(joined) - 2)),
    )


def _written_out(plain: str) -> list[str]:
    """Lower case; "can't", "cant" and "cannot" become two words."""
    lowered = plain.lower().replace("can't", "can not").replace("won't", "will not")
    lowered = re.sub(r"n?'t\b", " not", lowered).replace("cannot", "can not")
    lowered = re.sub(r"'(?:m|re|ve|ll|d)\b", "", lowered)
    found: list[str] = []
    for word in _TOKEN.findall(lowered):
        found.extend(CONTRACTED.get(word, (word.replace(",", ""),)))
    return found


def _numbers(words: list[str]) -> list[str]:
    """Numbers by value: 5k is 5000, 3.50 is 3.5, seven is 7."""
    found: list[str] = []
    for at, word in enumerate(words):
        spoken = NUMERALS.get(word)
        if spoken is None and not _NUMBER.fullmatch(word):
            found.extend(_NUMBER.findall(word))  # inside of an identifier
            continue
        unit = words[at + 1] if at + 1 < len(words) else ""
        found.append(_value(spoken or word, _MULTIPLES.get(unit, 1)))
    return found


def _value(digits: str, times: int) -> str:
    try:
        return f"{float(digits) * times:.10g}"
    except ValueError:  # a version: 1.2.3
        return digits


def _negations(words: list[str]) -> int:
    """How often something is denied; "I don't know why" denies nothing of what is asked."""
    count = 0
    for at, word in enumerate(words):
        if word in NEGATIONS:
            following = words[at + 1] if at + 1 < len(words) else ""
            idle = word == "not" and following in IDLE_NEGATIONS and words[at - 1] in AUXILIARIES
            count += not idle
    return count


def _names(plain: str, words: list[str]) -> set[str]:
    found = {word for word in words if word in NAMES or _IDENTIFIER.fullmatch(word)}
    for match in re.finditer(r"[^\W\d_][\w.#+@/-]*", plain):
        word = match.group().rstrip(".-/")
        before = plain[: match.start()].rstrip()
        if not before or before[-1] in _END_OF_SENTENCE:
            continue
        lowered = word.lower()
        if word[0].isupper() and lowered not in STOP_WORDS and len(word) > 1:
            # ATMs are ATM: a small s behind capitals.
            found.add(lowered[:-1] if word[:-1].isupper() and word.endswith("s") else lowered)
    return found


def _roles(words: list[str]) -> list[tuple[str, str]]:
    """What each preposition speaks of: in "from Rome to Paris" from Rome, to Paris."""
    found: list[tuple[str, str]] = []
    waiting: list[str] = []
    for word in words:
        if word in ROLES:
            waiting.append(word)
        elif word not in STOP_WORDS:
            found.extend((preposition, word) for preposition in waiting)
            waiting = []
    return found
