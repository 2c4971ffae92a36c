"""The rows for files that the gateway keeps and batches that it runs."""

from __future__ import annotations

from sluice.settings.kinds import choice, duration, integer
from sluice.settings.setting import Group, Setting
from streams.batches.config import RUNNERS, BatchConfig, Runner

_BATCHES = BatchConfig()

RUNNER = Setting[Runner](
    name="BATCH_RUNNER",
    kind=choice(RUNNERS),
    default=_BATCHES.runner,
    summary="Who keeps files and runs batches for which nobody is named: `auto` is the provider that "
    "has them, and the gateway where none has; `sluice` is the gateway; `provider` never is. The "
    "gateway needs `SPOOL_DIR` for it.",
)
IN_FLIGHT = Setting(
    name="BATCH_MAX_IN_FLIGHT",
    kind=integer(1, 100_000),
    default=_BATCHES.in_flight,
    summary="Requests of one batch that are in the log at once.",
)
MAX_REQUESTS = Setting(
    name="BATCH_MAX_REQUESTS",
    kind=integer(1, 100_000_000),
    default=_BATCHES.max_requests,
    summary="Requests that a batch may have which the gateway runs.",
)
CANCEL_TIMEOUT = Setting(
    name="BATCH_CANCEL_TIMEOUT",
    kind=duration(1, 86_400),
    default=_BATCHES.cancel_grace,
    summary="How long a batch that is cancelled or expires waits for the outcomes of requests that are "
    "in the log.",
)
RETENTION_DAYS = Setting(
    name="FILES_RETENTION_DAYS",
    kind=integer(0, 36_500),
    default=30,
    summary="Days that the gateway keeps files and what is known of batches; 0 is for ever.",
)
GROUP = Group(
    "Files and batches", (RUNNER, IN_FLIGHT, MAX_REQUESTS, CANCEL_TIMEOUT, RETENTION_DAYS)
)
