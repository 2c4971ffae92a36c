"""What a store must do to be a sink, and the two ways in which it may say no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from schemas.kept import Kept
from sinks.document import Document


class Backpressure(Exception):
    """The store cannot take anything now: the same batch comes again, after `retry_after` seconds at least."""

    def __init__(self, retry_after: float, reason: str) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.reason = reason


class Refused(Exception):
    """The store took the batch except for these documents, and never will take them: id -> reason."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__(f"{len(reasons)} documents refused: {next(iter(reasons.values()), '')}")
        self.reasons = dict(reasons)


class Sink(Protocol):
    """One store of exchanges. All methods are called by one task, one at a time."""

    async def open(self) -> None:
        """Connect, make tables and indexes. May be called again after Backpressure."""
        ...

    async def write(self, batch: Sequence[Document]) -> None:
        """Return when all documents are durable.

        Inserts by id and never overwrites, neither what is stored nor what stands earlier in the
        batch: the first record of an id is the outcome. Batches come again after a crash. Raises
        Backpressure if the whole batch must come again, Refused if all but some are durable. It is
        never cancelled, so it must end by itself, within some seconds.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; also after a failed open()."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A sink that also keeps answers for those who asked for them."""

    async def keep(self, batch: Sequence[Kept]) -> None:
        """Return when all are durable. Inserts by request id and never overwrites, what was deleted
        neither. What the store cannot hold is passed over: the exchange has it. May raise
        Backpressure."""
        ...


@runtime_checkable
class Expiring(Protocol):
    """A sink that must be told to delete what is older than the retention."""

    async def expire(self) -> bool:
        """Delete one slice; whether there may be more. May raise Backpressure."""
        ...
