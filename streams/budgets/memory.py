"""Accounts in this process's memory, kept in a file from one start to the next: for one worker alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from streams.budgets.base import AccountsUnavailable, Charge, Demand, Span, Standing

log = structlog.get_logger()

REMEMBERED = 900.0  # seconds for which a settled request is known


class _Kept(Struct):
    """What stands in the file: both belong together, so a crash neither loses nor doubles spend."""

    offsets: dict[int, int]
    spent: dict[str, tuple[int, float]]


_decode = msgspec.json.Decoder(_Kept).decode


class MemoryAccounts:
    """Accounts of one worker. Reservations are not kept: whoever runs again reserves again."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._kept = _Kept({}, {})
        self._reserved: dict[str, int] = {}
        self._holds: dict[str, list[tuple[str, int]]] = {}
        self._settled: dict[str, float] = {}  # in order of their times
        self._behind: set[int] = set()
        self._changed = False
        if file is not None and file.exists():
            try:
                self._kept = _decode(file.read_bytes())
            except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
                log.warning("accounts_unreadable", file=str(file), error=repr(error))

    async def reserve(self, request_id: str, demands: Sequence[Demand], now: float) -> Standing:
        if self._behind or not self._kept.offsets:
            raise AccountsUnavailable("what was used is not known yet")
        if request_id in self._holds or request_id in self._settled:
            return Standing(self._all_used(demands))
        used = self._all_used(demands)
        for index, demand in enumerate(demands):
            if demand.limit is not None and used[index] + demand.amount > demand.limit:
                return Standing(used, index)
        held = []
        for demand in demands:
            if demand.hold:
                held.append((demand.account, demand.amount))
                self._reserved[demand.account] = (
                    self._reserved.get(demand.account, 0) + demand.amount
                )
            else:
                self._spend(demand.account, demand.amount, demand.until)
        self._holds[request_id] = held
        return Standing(
            tuple(
                0 if each.limit is None else before + each.amount
                for each, before in zip(demands, used, strict=True)
            )
        )

    def _all_used(self, demands: Sequence[Demand]) -> tuple[int, ...]:
        return tuple(0 if each.limit is None else self._used(each) for each in demands)

    def _used(self, demand: Demand) -> int:
        used = self._spent(demand.account) + self._reserved.get(demand.account, 0)
        if demand.previous:
            used += self._spent(demand.previous) * demand.weight // 1000
        return used

    def _spent(self, account: str) -> int:
        return self._kept.spent.get(account, (0, 0.0))[0]

    def _spend(self, account: str, amount: int, until: float) -> None:
        self._kept.spent[account] = (self._spent(account) + amount, until)
        self._changed = True

    async def settle(self, span: Span, charges: Sequence[Charge], now: float) -> bool:
        if self._kept.offsets.get(span.partition) != span.start:
            return False
        for charge in charges:
            if charge.request_id in self._settled:
                continue
            self._settled[charge.request_id] = now
            for account, amount in self._holds.pop(charge.request_id, ()):
                self._release(account, amount)
            for account, amount, until in charge.amounts:
                self._spend(account, amount, until)
        self._kept.offsets[span.partition] = span.end
        if not span.behind:
            self._behind.discard(span.partition)
        elif span.start is None:
            self._behind.add(span.partition)
        self._changed = True
        self._forget(now)
        return True

    def _release(self, account: str, amount: int) -> None:
        left = self._reserved.get(account, 0) - amount
        if left > 0:
            self._reserved[account] = left
        else:
            self._reserved.pop(account, None)

    def _forget(self, now: float) -> None:
        for request_id, at in tuple(self._settled.items()):
            if at > now - REMEMBERED:
                break
            del self._settled[request_id]
        gone = [name for name, (_, until) in self._kept.spent.items() if until < now]
        for name in gone:
            del self._kept.spent[name]

    async def position(self, partition: int) -> int | None:
        return self._kept.offsets.get(partition)

    async def read(self, accounts: Sequence[str]) -> list[tuple[int, int]]:
        return [(self._spent(each), self._reserved.get(each, 0)) for each in accounts]

    def save(self) -> None:
        """Write the file, if anything changed; whoever reads it sees one state or the next, whole."""
        if self._file is None or not self._changed:
            return
        self._changed = False
        draft = self._file.with_suffix(".new")
        try:
            draft.write_bytes(msgspec.json.encode(self._kept))
            os.replace(draft, self._file)
        except OSError as error:
            self._changed = True
            log.warning("accounts_unwritable", file=str(self._file), error=repr(error))
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    async def close(self) -> None:
        self.save()
