"""The account of wrong answers."""

from __future__ import annotations

from random import Random

from streams.caches.semantic.ledger import Ledger


def test_requests_pay_in_and_wrong_answers_take_out() -> None:
    """A judged answer costs what it was, whatever was believed of it."""
    ledger = Ledger()
    for _ in range(300):
        ledger.asked()
    assert 2.9 < ledger.balance(0.01) <= 3.0

    ledger.answered(0.9)
    ledger.found(same=False, confidence=0.9, weight=1.0)
    assert 1.9 < ledger.balance(0.01) <= 2.0

    ledger.answered(0.9)
    ledger.found(same=True, confidence=0.9, weight=1.0)
    assert 1.9 < ledger.balance(0.01) <= 2.0
    assert abs(ledger.error_rate - 1 / 300) < 1e-4


def test_the_estimate_is_right_on_average_whatever_the_score_believes() -> None:
    """5 % are wrong and the score believes 0.1 %: a judged fifth of them tells, and the bound holds."""
    random, rates, held = Random(4), [], 0
    for _ in range(200):
        ledger, wrong = Ledger(), 0
        for _ in range(1_000):
            ledger.asked()
            ledger.answered(0.999)
            same = random.random() >= 0.05
            wrong += not same
            if random.random() < 0.2:
                ledger.found(same, 0.999, 5.0)
        rates.append(ledger.wrong / wrong)
        held += ledger.error_bound * ledger.requests >= wrong * 0.97
    assert abs(sum(rates) / len(rates) - 1) < 0.05
    assert held >= 0.85 * 200


def test_old_requests_fade() -> None:
    """What was left over long ago cannot be spent today."""
    ledger = Ledger()
    for _ in range(200_000):
        ledger.asked()

    assert ledger.balance(0.01) < 201


def test_two_accounts_make_one() -> None:
    """For telling how all workers do."""
    one = Ledger(requests=100, served=50, wrong=1, variance=2, judged=10)

    both = one.merged(Ledger(requests=300, served=10, wrong=2, variance=1, judged=5))

    assert (both.requests, both.served, both.wrong, both.variance) == (400, 60, 3, 3)
    assert both.error_rate == 3 / 400
