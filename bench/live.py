"""What those who watch the live page cost the ingress, at an even rate of requests.

`python -m bench.live paced URL KEY RATE SECONDS` asks at that rate, `python -m bench.live watch URL KEY COUNT
SECONDS` has so many watchers; both print one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import uvloop

from bench.load import HERE, QUIET, Place
from bench.processes import Meter
from bench.scenarios import Plan, Row
from bench.waiting import say

RATE = 500  # requests a second
WATCHERS = 50
CONNECTIONS = 32
SETTLE = 4.0  # seconds until the watchers are connected and their consumer reads
LIMIT = 3.0  # % of a core


def measure(place: Place, plan: Plan) -> Iterator[tuple[Row, dict[str, Any]]]:
    """The ingress' CPU without watchers and with them, in turns under one load."""
    pids = {name: pid for name, pid in place.pids.items() if name in ("ingress", "broker")}
    load = _child("paced", place, RATE, plan.repeat * (2 * plan.seconds + 2 * SETTLE))
    time.sleep(SETTLE)
    turns = []
    for _ in range(plan.repeat):
        alone = _turn(pids, [load.pid], plan.seconds)
        watching = _child("watch", place, WATCHERS, plan.seconds + SETTLE)
        time.sleep(SETTLE)
        watched = _turn(pids, [load.pid, watching.pid], plan.seconds)
        turns.append((alone, watched, _said(watching)["bytes"]))
    asked = _said(load)["done"]
    rates = [(_rate(asked, alone), _rate(asked, watched)) for alone, watched, _ in turns]
    foreign = max(turn.foreign for pair in turns for turn in pair[:2])
    note = f"others used {foreign:.1f} cores" if foreign > QUIET else ""
    title = f"live page, 50 watchers, {statistics.median(rate[1] for rate in rates):.0f} requests/s"
    behind = {"turns": [[*map(asdict, pair[:2]), pair[2]] for pair in turns], "rates": rates}
    say(f"    {behind}")
    for name, limit in (("ingress", LIMIT), ("broker", None)):
        if name not in pids:
            continue
        # Where the machine is full, who watches takes from the load: without them as much of it is counted.
        more = [
            watched.shares[name] - alone.shares[name] * beside / max(before, 1)
            for (alone, watched, _), (before, beside) in zip(turns, rates, strict=True)
        ]
        row = Row(
            f"{title}: {name} CPU more", statistics.median(more), "% of a core", limit, note=note
        )
        yield row, behind


@dataclass(frozen=True)
class Turn:
    """% of a core of each process between two moments of the monotonic clock."""

    begun: float
    ended: float
    shares: dict[str, float]
    foreign: float  # cores


def _turn(pids: dict[str, int], ours: list[int], seconds: float) -> Turn:
    begun, meter = time.monotonic(), Meter(pids, ours)
    time.sleep(seconds)
    spent = meter.stop()
    shares = {name: round(used / spent.wall * 100, 2) for name, used in spent.by_name.items()}
    return Turn(begun, time.monotonic(), shares, spent.foreign_cores)


def _rate(done: list[float], turn: Turn) -> float:
    """Answers a second meanwhile; their moments are of the same clock in each process."""
    return sum(turn.begun <= at < turn.ended for at in done) / (turn.ended - turn.begun)


def _child(work: str, place: Place, count: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.live", work, place.url, place.key, str(count)]
    return subprocess.Popen(
        [*command, f"{seconds:g}"], stdout=subprocess.PIPE, text=True, cwd=HERE.parent
    )


def _said(child: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = child.communicate()
    if child.returncode:
        raise SystemExit(f"bench: {child.args!r} failed")
    found: dict[str, Any] = json.loads(output)
    return found


# -- what the children do


async def _paced(host: str, port: int, key: str, rate: float, seconds: float) -> dict[str, Any]:
    """Each connection asks when its turn is; one that is late asks at once."""
    begun = time.monotonic()
    done: list[float] = []

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        step = CONNECTIONS / rate
        turn, serial = begun + number / rate, 0
        while max(turn, time.monotonic()) < begun + seconds:
            await asyncio.sleep(max(0.0, turn - time.monotonic()))
            serial += 1
            text = f"{number}-{serial} " + "word " * 60
            body = {"model": "mock-0", "messages": [{"role": "user", "content": text}]}
            content = json.dumps(body).encode()
            head = _head("POST", "/v1/chat/completions", host, key)
            writer.write(head + b"content-length: %d\r\n\r\n%b" % (len(content), content))
            status, length = await _answer(reader)
            assert status == 200, status
            await reader.readexactly(length)
            done.append(time.monotonic())
            turn += step
        writer.close()

    await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))
    return {"done": done}


async def _watch(host: str, port: int, key: str, count: int, seconds: float) -> dict[str, Any]:
    """Read what comes and throw it away."""
    read = 0

    async def one() -> None:
        nonlocal read
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(_head("GET", "/admin/api/v1/live", host, key) + b"\r\n")
        while piece := await reader.read(1 << 18):
            read += len(piece)

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(one() for _ in range(count)))
    assert read, "the watchers were told nothing"
    return {"watchers": count, "bytes": read}


def _head(method: str, path: str, host: str, key: str) -> bytes:
    lines = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n"
    return lines.encode() + b"content-type: application/json\r\n"


async def _answer(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Status and length of the body that follows."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    length = next(
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    return status, length


def main() -> None:
    work, url, key, count, seconds = sys.argv[1:]
    place = urlsplit(url)
    run = {"paced": _paced, "watch": _watch}[work]
    host, port = place.hostname or "", place.port or 80
    print(json.dumps(uvloop.run(run(host, port, key, int(count), float(seconds)))))


if __name__ == "__main__":
    main()
