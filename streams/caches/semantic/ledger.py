"""The account of wrong answers: what may be spent, what was, and how sure that is."""

from __future__ import annotations

import math

from msgspec import Struct

WINDOW = 20_000.0  # requests: older ones fade away
DOUBT = 1.65  # standard deviations kept back: an upper bound at 95 % of one side


class Ledger(Struct, array_like=True):
    """Each request pays in the error rate that is allowed, each served answer takes out what it was
    expected to be wrong, and a judged one corrects that to what it was.

    A judgement counts as many times as there were answers like it that nobody looked at (one over
    the probability of being judged), so that `wrong` is right on average whatever the score believed.
    """

    requests: float = 0.0
    served: float = 0.0
    wrong: float = 0.0  # estimated
    variance: float = 0.0  # of that estimate
    judged: float = 0.0

    def asked(self) -> None:
        """One more request, whatever becomes of it."""
        keep = 1.0 - 1.0 / WINDOW
        self.requests = self.requests * keep + 1.0
        self.served *= keep
        self.wrong *= keep
        self.judged *= keep
        self.variance *= keep * keep

    def answered(self, confidence: float) -> None:
        """A kept answer was served that is right with this probability."""
        self.served += 1.0
        self.wrong += 1.0 - confidence

    def found(self, same: bool, confidence: float, weight: float) -> None:
        """A served answer was judged; it was chosen with probability 1 / weight."""
        surprise = (0.0 if same else 1.0) - (1.0 - confidence)
        self.judged += 1.0
        self.wrong += weight * surprise
        self.variance += weight * max(weight - 1.0, 0.0) * surprise * surprise

    def balance(self, allowed: float) -> float:
        """Wrong answers that may still be given if `allowed` of all requests may get one."""
        return allowed * self.requests - self.wrong - DOUBT * math.sqrt(self.variance)

    @property
    def error_rate(self) -> float:
        """Estimated share of wrong answers among requests."""
        return max(self.wrong, 0.0) / max(self.requests, 1.0)

    @property
    def error_bound(self) -> float:
        """The estimate and what it may be off by."""
        return (max(self.wrong, 0.0) + DOUBT * math.sqrt(self.variance)) / max(self.requests, 1.0)

    def merged(self, other: Ledger) -> Ledger:
        """Both accounts as one."""
        return Ledger(
            self.requests + other.requests,
            self.served + other.served,
            self.wrong + other.wrong,
            self.variance + other.variance,
            self.judged + other.judged,
        )
