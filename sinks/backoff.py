"""Growing pauses between attempts, so that what is away is not hammered when it comes back."""

from __future__ import annotations

import asyncio
import random

FIRST = 0.1  # seconds
MOST = 5.0


class Backoff:
    """Doubles from FIRST to MOST; each pause is somewhere in the upper half of its step."""

    def __init__(self) -> None:
        self.attempts = 0

    def next(self, at_least: float = 0.0) -> float:
        """The next pause in seconds."""
        step = min(MOST, FIRST * 2.0**self.attempts)
        self.attempts = min(self.attempts + 1, 16)
        return max(at_least, step * random.uniform(0.5, 1.0))


async def stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Wait that long, but not longer than until `stop` is set; whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
