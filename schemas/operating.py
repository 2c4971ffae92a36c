"""What operators ask of the log over HTTP; `sluice` hands the one who answers to the ingress.

Answers are JSON as the command line prints it with `--json`. Everything raises a GatewayError: NotFound,
InvalidRequest, LogUnavailable.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Letters(Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letters are meant; what is not given does not matter. Times are ages (`2h`), dates, or
    RFC 3339."""

    letters: tuple[str, ...] = ()  # their numbers, or the ids of their requests
    reason: str | None = None
    since: str | None = None
    until: str | None = None


class Redrive(Letters, frozen=True, forbid_unknown_fields=True):
    """These are produced again."""

    all: bool = False
    force: bool = False  # also those whose provider may have been paid
    dry_run: bool = False


class Rerun(
    Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}
):
    """Recorded requests are run again on another model."""

    model: str
    since: str | None = None
    until: str | None = None
    filters: tuple[str, ...] = ()  # FIELD=PATTERN
    limit: int = 100
    source: str = "log"
    concurrency: int = 4
    timeout: float = 600.0  # seconds for each
    user_path: str = "/sluice/replay"
    drop_params: bool = False
    dry_run: bool = False


class DeadLetters(Protocol):
    """`llm.dead-letters`."""

    async def overview(self, wanted: Letters, limit: int) -> bytes: ...
    async def show(self, name: str) -> bytes: ...
    async def redrive(self, wanted: Redrive) -> bytes: ...


class Requests(Protocol):
    """Single requests, by their id or their client's `X-Request-ID`."""

    async def show(self, name: str, since: str | None, *, bodies: bool) -> bytes: ...

    async def cancel(self, name: str, since: str | None, wait: float) -> bytes:
        """Waits so many seconds for the end."""
        ...


class Replays(Protocol):
    """Runs of recorded traffic, of this process."""

    async def begin(self, wanted: Rerun) -> tuple[str, bytes]:
        """The name of the run, and how it stands."""
        ...

    def overview(self) -> bytes: ...
    def show(self, name: str) -> bytes: ...
    async def end(self, name: str) -> bytes: ...


class Operations(Struct, frozen=True):
    """All that operators can ask."""

    dead_letters: DeadLetters
    requests: Requests
    replays: Replays
