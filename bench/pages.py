"""How long the server takes for what the dashboard's pages ask, with 100,000 exchanges in the store."""

from __future__ import annotations

import statistics
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.history import fill
from bench.load import QUIET
from bench.processes import Meter
from bench.product import Product
from bench.provider import Provider
from bench.scenarios import Plan, Row
from bench.waiting import say

EXCHANGES = 100_000
LIMIT = 1.0  # seconds
_ALL = "?cache_mode=all&days=365"
# As ingress/dashboard/pages/ asks, over the whole year.
PAGES = {
    "overview": [f"usage/{name}{_ALL}" for name in ("summary", "daily", "providers", "daily")],
    "usage": [
        *(f"usage/{name}{_ALL}" for name in ("daily", "models", "providers", "user-paths", "keys")),
        f"usage/log{_ALL}&limit=50",
    ],
    "usage of a user path": [
        *(
            f"usage/{name}{_ALL}&user_path=/acme"
            for name in ("daily", "models", "providers", "user-paths", "keys")
        ),
        f"usage/log{_ALL}&limit=50&user_path=/acme",
    ],
}


def measure(folder: Path, provider: Provider, plan: Plan) -> Iterator[tuple[Row, dict[str, Any]]]:
    """The answers of one page after the other, as a slow browser would ask; the first time counts for nothing."""
    store = folder / "history.db"
    fill(store, EXCHANGES, time.time())
    product = Product(folder, provider.url, None, SQLITE_PATH=str(store))
    try:
        product.start()
        for name, paths in PAGES.items():
            _asked(product, paths)
            meter = Meter({"ingress": product.pids()["ingress"]}, [])
            times = [_asked(product, paths) for _ in range(plan.repeat)]
            spent = meter.stop()
            say(f"    {name} {times}")
            note = ""
            if spent.foreign_cores > QUIET:
                note = f"others used {spent.foreign_cores:.1f} cores"
            title = f"{name}, a year, {EXCHANGES:,} exchanges"
            behind = {"seconds": times}
            yield Row(f"{title}: time", statistics.median(times), "s", LIMIT, note=note), behind
            yield Row(f"{title}: CPU", spent.by_name["ingress"] / plan.repeat, "s"), behind
    finally:
        product.stop()


def _asked(product: Product, paths: list[str]) -> float:
    begun = time.perf_counter()
    for path in paths:
        request = urllib.request.Request(
            f"{product.url}/admin/api/v1/{path}", headers={"Authorization": f"Bearer {product.key}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    return time.perf_counter() - begun
