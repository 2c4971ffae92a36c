"""Kept answers are forgotten when the log says so."""

from schemas.control import Purge
from streams.caches.base import CacheUnavailable
from streams.caches.entry import Entry, Selection
from streams.caches.purging import RETRIES, Purging


class Flaky:
    """A Cache that is away at first."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked: list[Selection] = []

    async def get(self, *keys: str) -> tuple[Entry | None, ...]:
        return (None,) * len(keys)

    async def put(self, *entries: Entry) -> None:
        return

    async def purge(self, which: Selection) -> int:
        self.asked.append(which)
        if len(self.asked) <= self.failures:
            raise CacheUnavailable("away")
        return 1

    async def close(self) -> None:
        return


async def test_an_outage_delays_a_purge() -> None:
    """It is tried again until the store is back, with what was asked."""
    cache = Flaky(3)
    purging = Purging(cache, pause=0.0)
    purging.purge(Purge(5.0, tag="a", user_path="/b"))
    await purging.tasks.drain(None)

    assert cache.asked == [Selection(tag="a", user_path="/b", before=5.0)] * 4


async def test_it_ends() -> None:
    """A store that stays away is given up, and a worker that stops does not wait for it."""
    cache = Flaky(RETRIES)
    purging = Purging(cache, pause=0.0)
    purging.purge(Purge(5.0))
    await purging.tasks.drain(None)
    assert len(cache.asked) == RETRIES

    purging = Purging(Flaky(RETRIES), pause=1000.0)
    purging.purge(Purge(5.0))
    await purging.close()
    assert len(purging.tasks) == 0
