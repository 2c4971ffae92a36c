"""How a question is read."""

from __future__ import annotations

import pytest

from streams.caches.semantic.lexicon import lexical, normalised


def test_what_looks_the_same_is_the_same() -> None:
    """Compatibility forms, curly apostrophes and white space have one form."""
    assert normalised("  I can\u2019t\n\tﬁnd \U0001d4ec ") == "I can't find c"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("refund after 7 days", ("7",)),
        ("refund after seven days", ("7",)),
        ("under 15,000 or 3.50", ("15000", "3.5")),
        ("a limit of 5 thousand", ("5000",)),
        ("upgrade to v1.2.3", ("1.2.3",)),
        ("is the iphone14 better", ("14",)),
        ("one of them", ()),
    ],
)
def test_numbers_are_read_by_value(text: str, numbers: tuple[str, ...]) -> None:
    """Digits, words, thousands and versions."""
    assert lexical(text).numbers == numbers


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("I can't pay", 1),
        ("I cannot pay", 1),
        ("i cant pay and it wont work", 2),
        ("why is there no answer", 1),
        ("I don't know why my card is blocked", 0),
        ("how do I not know what it costs", 1),
        ("never without it", 2),
    ],
)
def test_denials_are_counted(text: str, count: int) -> None:
    """In every spelling, but not the asker's own not knowing."""
    assert lexical(text).negations == count


def test_names_are_what_is_written_as_one() -> None:
    """Capitals inside a sentence, known names in lower case, identifiers; no first words, no "I"."""
    assert lexical("Please tell me: How do I pay with Visa in paris via foo_bar?").names == {
        "visa",
        "paris",
        "foo_bar",
    }
    assert lexical("Which ATMs take it?").names == {"atm"}


def test_roles_are_what_prepositions_speak_of() -> None:
    """The content word behind each."""
    assert lexical("from the city Rome to Paris").roles == (("from", "city"), ("to", "paris"))
