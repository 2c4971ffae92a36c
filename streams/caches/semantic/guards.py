"""What no similarity may overrule: the edits that turn a question round and leave its vector alone.

Each guard compares two questions that are the same but for what it looks at: of texts that differ in
many words, one that has a number or a denial more may still be a paraphrase, and whether it is one is
left to what is learnt. A veto is a miss, and costs a call where it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from streams.caches.semantic.lexicon import Lexical
from streams.caches.semantic.words import NEGATIONS, NUMERALS, OPPOSING_PREFIXES, OPPOSITES, listed

Veto = Literal["numbers", "negation", "opposites", "names", "roles"]
ALIKE = 0.6  # share of the other content words that both must have
HALF = 0.5  # beside opposites, which may be phrases: cheapest, most expensive
# Prepositions whose two sides are not the same: from A to B, better than, before and after.
DIRECTED = listed("from to into onto than over under before after versus vs against via")
# Of these the other side stands before them, without one.
COMPARING = listed("than versus vs before after")
POLITE = listed("hi hello hey there please pls thanks thank quick question tell me")
ALTERNATIVES = listed("or and")  # "A or B" is "B or A"


class Guard(Protocol):
    def __call__(self, asked: Lexical, known: Lexical) -> bool: ...


def numbers_differ(asked: Lexical, known: Lexical) -> bool:
    """7 days are not 30 days."""
    return asked.numbers != known.numbers and alike(
        _without_numbers(asked.content), _without_numbers(known.content)
    )


def negation_differs(asked: Lexical, known: Lexical) -> bool:
    """One of them denies what the other one says."""
    return asked.negations != known.negations and alike(
        asked.content - NEGATIONS, known.content - NEGATIONS
    )


def opposites(asked: Lexical, known: Lexical) -> bool:
    """One says open where the other one says close."""
    if _unlike(asked.content, known.content):
        return False
    only_known = known.all - asked.all
    return any(
        _opposed(word, other) and alike(asked.content - {word}, known.content - {other}, HALF)
        for word in asked.all - known.all
        for other in only_known
    )


def names_differ(asked: Lexical, known: Lexical) -> bool:
    """Each speaks of something by name that the other one does not mention."""
    only_asked, only_known = asked.names - known.all, known.names - asked.all
    return (
        bool(only_asked)
        and bool(only_known)
        and alike(asked.content - only_asked, known.content - only_known)
    )


def roles_swapped(asked: Lexical, known: Lexical) -> bool:
    """From Rome to Paris is not from Paris to Rome, though the words are the same."""
    return _exchanged(asked, known) or (
        _turned(asked, known) and alike(asked.content, known.content)
    )


def alike(one: frozenset[str], other: frozenset[str], share: float = ALIKE) -> bool:
    """Whether most words are the same; nothing at all is the same as nothing."""
    return len(one & other) >= share * len(one | other)


def _unlike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether they are too different to be `alike` by HALF, whichever word of each is left aside: known
    before words are compared one by one, which costs much and is in vain for most neighbours."""
    return len(one & other) < HALF * (len(one | other) - 2)


def _without_numbers(words: frozenset[str]) -> frozenset[str]:
    return frozenset(
        word
        for word in words
        if not any(letter.isdigit() for letter in word) and word not in NUMERALS
    )


def _exchanged(asked: Lexical, known: Lexical) -> bool:
    """Word for word the same, politeness aside, but for two that changed places."""
    here = [word for word in asked.words if word not in POLITE]
    there = [word for word in known.words if word not in POLITE]
    if len(here) != len(there):
        return False
    places = [at for at, pair in enumerate(zip(here, there, strict=True)) if pair[0] != pair[1]]
    if len(places) != 2:
        return False
    first, second = places
    crossed = (here[first], here[second]) == (there[second], there[first])
    between = here[first + 1 : second]
    return (
        crossed
        and {here[first], here[second]} <= asked.content
        and bool(between)  # neighbours are adverbs and adjectives: still pending, pending still
        and not (len(between) == 1 and between[0] in ALTERNATIVES)
    )


def _turned(asked: Lexical, known: Lexical) -> bool:
    """What stood behind one preposition stands behind the other, and the other way round."""
    here, there = asked.roles, known.roles
    for preposition, word in here:
        if preposition not in DIRECTED or (preposition, word) in there:
            continue
        for same, other in there:
            if same == preposition and (same, other) not in here and other in asked.all:
                crossed = any((way, other) in here and (way, word) in there for way in DIRECTED)
                if crossed or (preposition in COMPARING and word in known.all):
                    return True
    return False


def _opposed(word: str, other: str) -> bool:
    if other in OPPOSITES.get(word, ()):
        return True
    stem, other_stem = _stem(word), _stem(other)
    if other_stem in OPPOSITES.get(stem, ()) or stem in OPPOSITES.get(other_stem, ()):
        return True
    shorter, longer = sorted((stem, other_stem), key=len)
    return len(shorter) > 2 and any(longer == prefix + shorter for prefix in OPPOSING_PREFIXES)


def _stem(word: str) -> str:
    """Good enough to compare "opened" and "closing" with a list of plain forms."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) > 2:
            stem = word[: -len(ending)]
            if len(stem) > 3 and stem[-1] == stem[-2] and ending in ("ing", "ed"):
                stem = stem[:-1]
            for candidate in (stem, stem + "e"):
                if candidate in OPPOSITES:
                    return candidate
            return stem
    return word


GUARDS: Mapping[Veto, Guard] = {
    "numbers": numbers_differ,
    "negation": negation_differs,
    "opposites": opposites,
    "names": names_differ,
    "roles": roles_swapped,
}


def veto(asked: Lexical, known: Lexical) -> Veto | None:
    """The first guard that says that these two ask for different things."""
    for name, guard in GUARDS.items():
        if guard(asked, known):
            return name
    return None
