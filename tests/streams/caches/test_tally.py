"""What the caches did, over restarts."""

from __future__ import annotations

from pathlib import Path

from schemas.control import CacheReport, SemanticReport
from streams.caches.tally import Tally

COUNTED = CacheReport("w", {"exact": 2, "miss": 1}, 3, 4, 0.5, 1.5)
ACCOUNT = SemanticReport("verified", requests=10.0, served=4.0, same=3, calls=2, cost=0.25)


async def test_counts_go_on_after_a_restart(tmp_path: Path) -> None:
    """Comparisons and costs are added up; the account itself comes back with what was learnt."""
    tally = Tally(tmp_path / "counts.json", "w")
    assert tally.before == CacheReport("w")
    tally.counted, tally.semantic = lambda: COUNTED, lambda: ACCOUNT
    await tally.close()

    again = Tally(tmp_path / "counts.json", "w")
    assert again.before.results == COUNTED.results
    assert again.before.cost == 0.5
    again.semantic = lambda: ACCOUNT
    found = again.report().semantic
    assert found is not None
    assert (found.same, found.calls, found.cost, found.requests) == (6, 4, 0.5, 10.0)


def test_a_damaged_file_is_a_new_beginning(tmp_path: Path) -> None:
    """It is no reason not to start."""
    (tmp_path / "counts.json").write_bytes(b"{")
    assert Tally(tmp_path / "counts.json", "w").before == CacheReport("w")
