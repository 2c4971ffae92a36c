"""Ends a worker that stands still while the log has records for it."""

from __future__ import annotations

import asyncio
import faulthandler
import sys
from collections.abc import Callable
from typing import Protocol

import structlog

from schemas.clock import Clock
from streams.config import StreamsConfig

log = structlog.get_logger()

LOOK = 1.0  # seconds between two looks


class Watched(Protocol):
    """What is asked of the consumer."""

    deliveries: int
    flow_active: bool

    def unadopted(self) -> bool: ...
    def waiting(self) -> int: ...


class Stalled(Exception):
    """The consumer stands still while the log has records."""


async def watch(
    consumer: Watched, reachable: Callable[[], bool], config: StreamsConfig, clock: Clock
) -> None:
    """Return never; Stalled when the log has records that are not held back, can be reached, and
    nothing is delivered for `stall_timeout`."""
    seen, since = -1, clock.monotonic()
    while True:
        await asyncio.sleep(LOOK)
        now = clock.monotonic()
        waiting = consumer.unadopted() or (consumer.waiting() > 0 and consumer.flow_active)
        if consumer.deliveries != seen or not waiting or not reachable():
            seen, since = consumer.deliveries, now
        elif now - since > config.stall_timeout:
            log.critical("consumer_stalled", lag=consumer.waiting(), seconds=round(now - since))
            faulthandler.dump_traceback(file=sys.stderr)
            raise Stalled(Stalled.__doc__)
