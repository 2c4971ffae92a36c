"""Accounts, as the budget stage and the ledger see them: what is spent and what is reserved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class AccountsUnavailable(Exception):
    """Nobody can say now what is spent."""


class Demand(Struct, frozen=True):
    """What a request wants of an account before it may run. Amounts are nano-dollars, tokens, or pieces."""

    account: str
    amount: int
    limit: int | None  # None: it is counted, and never too much
    until: float  # epoch seconds after which the account may be forgotten
    hold: bool = True  # reserved until the request is settled; False: spent at once
    previous: str = ""  # the account of the window before, for one that slides
    weight: int = 0  # how much of that still counts, in thousandths


class Standing(Struct, frozen=True):
    """What became of a request's demands, and what is used of the account of each, with what the request
    itself has reserved; 0 of one without a limit."""

    used: tuple[int, ...]
    refused: int | None = None  # index of the first demand that cannot be met: nothing is reserved


class Charge(Struct, frozen=True):
    """What a finished request has used: its reservations end, and these amounts are spent."""

    request_id: str
    amounts: Sequence[tuple[str, int, float]] = ()  # account, amount, until


class Span(Struct, frozen=True):
    """A piece of a partition of `llm.exchanges` that is charged at once."""

    partition: int
    start: int | None  # what the accounts must remember; None: nothing
    end: int
    behind: bool = False  # it does not reach to the end: accounts that were empty are not known yet


class Accounts(Protocol):
    """Of all workers together, if they share a store. AccountsUnavailable from each, and from `reserve`
    also while it is not known what was used: before the first settling, and after the store was lost."""

    async def reserve(self, request_id: str, demands: Sequence[Demand], now: float) -> Standing:
        """Reserve all, or nothing and say why not. A request that has reserved, or is settled, may go on:
        it is asked again after a crash."""
        ...

    async def settle(self, span: Span, charges: Sequence[Charge], now: float) -> bool:
        """Charge what stands there, and remember its end; False, and nothing is charged, unless the
        offset that is remembered is its start."""
        ...

    async def position(self, partition: int) -> int | None:
        """The offset up to which a partition is charged; None: not at all."""
        ...

    async def read(self, accounts: Sequence[str]) -> list[tuple[int, int]]:
        """Spent and reserved, by account."""
        ...

    async def close(self) -> None: ...
