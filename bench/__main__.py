"""`make bench`: measures the product on real Kafka and with the embedded broker, prints one table."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import failover, governance, live, lookups, pages, routing, scenarios, translation
from bench.load import Place
from bench.product import ROOT, Product
from bench.provider import Provider
from bench.scenarios import Direct, Plan, Row
from bench.waiting import say

# The first are code in this process.
PURE = {
    "translation": translation.measure,
    "routing": routing.measure,
    "lookups": lookups.measure,
    "governance": governance.measure,
}
OWN = ("cache", "failover", "pages")  # each has a product of its own
PARTS = (*PURE, "idle", "chat", "dialects", "bodies", "paced", "lone", "memory", "live", *OWN)
CACHED = {"RESPONSE_CACHE_SIMPLE_ENABLED": "true"}  # of the product whose hits are measured
Measured = list[tuple[Row, dict[str, Any]]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--broker", choices=("kafka", "embedded"), help="only this one")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=6, help="of one load (6)")
    parser.add_argument("--repeat", type=int, default=3, help="loads of which the median counts")
    parser.add_argument("--requests", type=int, default=100_000, help="of the memory run")
    parser.add_argument("--idle", type=float, default=20, help="seconds of the idle sample (20)")
    parser.add_argument("--json", action="store_true", help="JSON instead of the table")
    parser.add_argument("--keep", action="store_true", help="keep the folder with data and logs")
    found = parser.parse_args()
    unknown = set(found.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if not 0 < found.seconds <= 60:
        parser.error("--seconds is from 1 to 60")
    return found


def kafka() -> tuple[str | None, int]:
    """Bootstrap servers of the cluster that is there, and its pid if `make services` started it."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    record = ROOT / ".services" / "run" / "kafka.json"
    pid = 0
    if record.exists():
        started = json.loads(record.read_text())
        address = f"127.0.0.1:{started['ports']['plain']}"
        if Path(f"/proc/{started['pid']}").exists() and servers in (None, address):
            servers, pid = address, started["pid"]
    return servers, pid


def run(
    folder: Path, provider: Provider, base: Direct, plan: Plan, servers: str | None, **more: str
) -> Measured:
    product = Product(folder, provider.url, servers, **more)
    try:
        product.start()
        pids: Mapping[str, int] = product.pids()
        if servers and (pid := kafka()[1]):
            pids = {**pids, "kafka": pid}
        place = Place(product.url, product.key, pids, provider.pid)
        found = list(scenarios.measure(place, base, plan, embedded=servers is None))
        if "live" in plan.only:
            say("  live")
            found += live.measure(place, plan)
        if "failover" in plan.only:
            say("  failover")
            found += failover.measure(place, plan)
        return found
    finally:
        product.stop()


def table(title: str, measured: Measured) -> str:
    lines = [f"| {title} | measured | target | |", "|---|---|---|---|"]
    for row, _ in measured:
        sign = "≤" if row.most else "≥"
        target = "" if row.target is None else f"{sign} {row.target:g}"
        verdict = {True: "met", False: "**missed**", None: ""}[row.met]
        digits = 0 if abs(row.value) >= 100 else 2
        note = ", ".join(filter(None, (verdict, row.note)))
        lines.append(f"| {row.name} | {row.value:,.{digits}f} {row.unit} | {target} | {note} |")
    return "\n".join(lines)


def products(args: argparse.Namespace, plan: Plan) -> Iterator[tuple[str, Measured]]:
    """The product on each broker, beside the provider alone."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    provider = Provider(folder / "provider")
    try:
        provider.start()
        say("direct")
        base = scenarios.direct(Place(provider.url, provider=provider.pid), plan)
        servers, pid = kafka()
        for title, where in (("kafka", servers), ("embedded", None)):
            if args.broker not in (None, title):
                continue
            if title == "kafka" and where is None:
                say("kafka: skipped, there is none (make services)")
                continue
            say(title if title != "kafka" or pid else "kafka, whose CPU cannot be seen")
            measured: Measured = []
            if rest := tuple(part for part in plan.only if part not in (*PURE, *OWN)):
                bare = replace(plan, only=rest)
                measured += run(folder / title, provider, base, bare, where)
            if "cache" in plan.only:
                hits, place = replace(plan, only=("cache",)), folder / f"{title}-cache"
                measured += run(place, provider, base, hits, where, **CACHED)
            if "failover" in plan.only:
                part, place = replace(plan, only=("failover",)), folder / f"{title}-failover"
                more = failover.settings(folder / f"{title}-gone")
                measured += run(place, provider, base, part, where, **more)
            if "pages" in plan.only and where is None:
                say("  pages")
                measured += pages.measure(folder / "pages", provider, plan)
            yield title, measured
    finally:
        provider.stop()
        if args.keep:
            say(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    args = arguments()
    only = tuple(args.only.split(","))
    plan = Plan(args.seconds, args.repeat, args.requests, args.idle, only)
    found: dict[str, Measured] = {}
    for name, measure in PURE.items():
        if name in only:
            say(name)
            found[name] = list(measure())
    if not set(only) <= set(PURE):
        found.update(products(args, plan))
    if args.json:
        rows = {
            title: [
                {"name": r.name, "value": r.value, "unit": r.unit, "target": r.target, "met": r.met}
                | {"behind": behind}
                for r, behind in measured
            ]
            for title, measured in found.items()
        }
        json.dump(rows, sys.stdout, indent=1)
    else:
        titles = {"kafka": "real Kafka", "embedded": "embedded broker"}
        tables = (table(titles.get(name, name), rows) for name, rows in found.items())
        print("\n\n".join(tables))


if __name__ == "__main__":
    main()
