"""What no similarity may overrule."""

from __future__ import annotations

import pytest

from streams.caches.semantic.guards import GUARDS, veto
from streams.caches.semantic.lexicon import lexical

STOPPED = [
    ("numbers", "How do I get a refund after 7 days?", "How do I get a refund after 30 days?"),
    ("numbers", "Convert five miles to kilometres", "Convert 6 miles to kilometres"),
    ("numbers", "upgrade from version 1.2", "upgrade from version 1.3"),
    ("negation", "Can I cancel my order?", "Can I not cancel my order?"),
    ("negation", "please send me the newsletter", "please don't send me the newsletter"),
    ("negation", "I can pay by card", "i cant pay by card"),
    ("negation", "coffee with milk and sugar", "coffee with no milk and sugar"),
    ("opposites", "How do I enable two factor login?", "How do I disable two factor login?"),
    ("opposites", "the cheapest laptop for students", "the most expensive laptop for students"),
    ("opposites", "I locked my card", "I unlocked my card"),
    ("opposites", "Is the shop opening today?", "Is the shop closing today?"),
    ("opposites", "turn the volume up", "turn the volume down"),
    ("names", "How do I pay with Visa?", "How do I pay with Mastercard?"),
    ("names", "what is the weather in paris", "what is the weather in london"),
    ("names", "How do I install the Foo client?", "How do I install the Bar client?"),
    ("roles", "transfer money from savings to checking", "transfer money from checking to savings"),
    ("roles", "Is Python better than Java?", "Is Java better than Python?"),
    ("roles", "please send it now from berlin to rome", "send it from rome to berlin"),
    ("roles", "does the dog bite the man", "does the man bite the dog"),
]
LET_THROUGH = [
    ("How do I reset my password?", "How can I reset my password?"),
    ("How do I reset my password?", "Please tell me: How do I reset my password?"),
    (
        "Which cards do you take, Visa or Mastercard?",
        "Which cards do you take, Mastercard or Visa?",
    ),
    ("My card isn't working", "My card is broken"),
    ("I ordered my card 2 weeks ago and it is not here", "my new card has still to arrive"),
    ("I don't know why my account is blocked", "why is my account blocked"),
    ("The app reverted my payment", "My payment was reverted by the app"),
    ("Which ATMs accept this card?", "what ATM takes the card?"),
    ("i have no answer to it", "I do not have an answer to it"),
    ("seven days", "7 days"),
]


@pytest.mark.parametrize(("guard", "known", "asked"), STOPPED)
def test_edits_that_turn_a_question_round_are_stopped(guard: str, known: str, asked: str) -> None:
    """In both directions, and inside of a friendly wrap, too."""
    assert veto(lexical(asked), lexical(known)) == guard
    assert veto(lexical(known), lexical(asked)) == guard
    assert veto(lexical(f"Hi, {asked} thanks"), lexical(known)) is not None


@pytest.mark.parametrize(("known", "asked"), LET_THROUGH)
def test_paraphrases_pass(known: str, asked: str) -> None:
    """Other words alone are no veto."""
    assert veto(lexical(asked), lexical(known)) is None
    assert veto(lexical(known), lexical(asked)) is None


def test_every_guard_is_tried() -> None:
    """The table above has each."""
    assert {guard for guard, _, _ in STOPPED} == set(GUARDS)
