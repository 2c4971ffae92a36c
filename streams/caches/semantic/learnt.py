"""What a verified decision learnt in one namespace: by itself, before a restart, and in other workers."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import Struct

from streams.caches.semantic.candidates import Candidate
from streams.caches.semantic.features import NAMES, History, Past
from streams.caches.semantic.ledger import Ledger
from streams.caches.semantic.rows import Column, Rows

HISTORIES = 60_000  # about 200 bytes each
SAVED_ROWS = 8_000  # half a fit's worth of kilobytes: 120 bytes each
FORM = "1 " + " ".join(NAMES)  # what was saved in another form says nothing to us


class Part(Struct, array_like=True):
    """What one worker saw. Replaced as a whole by a later one of the same worker."""

    form: str
    worker: str
    seen: int  # requests
    labels: int
    ledger: Ledger
    histories: dict[str, History]
    rows: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Part).decode


class Learnt:
    """Rows and histories are of all workers. The account is of this one alone: each keeps to the error
    rate, and so do all together, without any of them asking another before it serves."""

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self.rows = Rows()
        self.ledger = Ledger()
        self.seen = 0
        self.labels = 0
        self._histories: dict[str, History] = {}
        self._others: dict[str, Part] = {}

    def asked(self) -> None:
        """One more request."""
        self.seen += 1
        self.ledger.asked()

    def past(self, found: Candidate) -> Past:
        return Past(*map(self._history, _names(found)))

    def _history(self, name: str) -> History:
        total = self._histories.get(name) or History()
        for other in self._others.values():
            if (more := other.histories.get(name)) is not None:
                total = total.plus(more)
        return total

    def note(self, found: Candidate, same: bool) -> None:
        """How this candidate's answer did."""
        for name in _names(found):
            history = self._histories.pop(name, None) or History()
            history.note(same, found.similarity)
            self._histories[name] = history
        while len(self._histories) > HISTORIES:
            del self._histories[next(iter(self._histories))]

    def row(self, features: tuple[float, ...], label: int, weight: float) -> None:
        self.rows.add(features, label, weight, float(self.seen))
        self.labels += label >= 0

    @property
    def all_labels(self) -> int:
        return self.labels + sum(other.labels for other in self._others.values())

    def recent(self, window: int) -> tuple[Rows, float]:
        """All rows, each with its age in requests instead of its number, and how many requests the
        newest `window` of them, or half of all, stand for: those have an age below 1."""
        parts = [(self.rows.data, self.seen)]
        parts += [(_column(other.rows), other.seen) for other in self._others.values()]
        total = sum(seen for _, seen in parts)
        share = min(1.0, max(window, total / 2) / max(total, 1))
        aged = []
        for data, seen in parts:
            if len(data):
                copy = data.copy()
                copy[:, -1] = (seen - copy[:, -1]) / max(share * seen, 1.0)
                aged.append(copy)
        found = np.concatenate(aged) if aged else None
        return Rows(found), share * total

    def save(self) -> bytes:
        """What this worker saw, for `merge` after a restart and in other workers."""
        rows = self.rows.data[-SAVED_ROWS:].tobytes()
        return _encode(
            Part(
                FORM, self.worker, self.seen, self.labels, self.ledger, dict(self._histories), rows
            )
        )

    def merge(self, saved: bytes) -> bool:
        """Take in what was saved, here before or elsewhere; the same or an older one of a worker
        changes nothing. False if it cannot be used: of another form, or damaged."""
        try:
            part = _decode(saved)
            if part.form != FORM:
                return False
            rows = _column(part.rows)
        except (msgspec.MsgspecError, ValueError):
            return False
        if part.worker != self.worker:
            known = self._others.get(part.worker)
            if known is None or known.seen < part.seen:
                self._others[part.worker] = part
        elif part.seen > self.seen:
            self.rows, self.seen, self.labels = Rows(rows.copy()), part.seen, part.labels
            self.ledger, self._histories = part.ledger, part.histories
        return True


def _column(rows: bytes) -> Column:
    return np.frombuffer(rows, np.float32).reshape(-1, len(NAMES) + 3)


def _names(found: Candidate) -> tuple[str, str, str]:
    """Under which a candidate's answer, key and rivalry are remembered."""
    group, rival = found.key.group, found.rival.group if found.rival is not None else ""
    return group, f"key {found.key.id}", f"{group} {rival}"
