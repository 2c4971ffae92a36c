"""Load on one address, and what it cost whom."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import Meter
from bench.waiting import say

HERE = Path(__file__).parent
SMALL, LARGE = 440, 33_000  # bytes of a body
SETTLE = 0.7  # seconds after a load in which sinks still write what belongs to it
QUIET = 0.15  # cores that others may use while we measure
PATIENCE = 30.0  # seconds that a load waits for such a moment
GATEWAY = ("ingress", "streams", "sinks", "serve")


@dataclass(frozen=True)
class Place:
    """What is asked, and whose CPU is counted."""

    url: str
    key: str = "none"
    pids: Mapping[str, int] = field(default_factory=dict)
    provider: int = 0


@dataclass(frozen=True)
class Result:
    """One load. Latencies in ms, CPU in ms a request."""

    requests: float
    errors: int
    rate: float
    p50: float  # of a stream: to its first word
    p99: float
    cpu: float  # the gateway's roles together
    broker_cpu: float
    cpu_by_role: Mapping[str, float]
    foreign_cores: float


Load = Callable[[Place, int, float], dict[str, float]]


def chat(
    size: int, dialect: str = "chat", path: str = "/v1/chat/completions", prompts: int | None = None
) -> Load:
    """Plain requests by wrk, each with a prompt of its own, or the same `prompts` in every load;
    `dialect` is one of `wrk/chat.lua`."""

    def load(place: Place, connections: int, seconds: float) -> dict[str, float]:
        if shutil.which("wrk") is None:
            raise SystemExit("bench needs wrk: `make bench` installs it")
        variables = {
            "BENCH_KEY": place.key,
            "BENCH_BODY": str(size),
            "BENCH_RUN": secrets.token_hex(6) if prompts is None else "again",
            "BENCH_DIALECT": dialect,
        }
        if prompts is not None:
            variables["BENCH_PROMPTS"] = str(prompts)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s"]
        command += ["-s", str(HERE / "wrk/chat.lua"), f"{place.url}{path}"]
        output = _output(command, os.environ | variables)
        return dict(json.loads(output.partition("RESULT ")[2].splitlines()[0]))

    return load


def streams(model: str) -> Load:
    """Streams by our own client; their p50 is that of the first word."""

    def load(place: Place, connections: int, seconds: float) -> dict[str, float]:
        command = [sys.executable, "-m", "bench.client", place.url, "--model", model]
        command += ["--streams", str(connections), "--seconds", f"{seconds:g}"]
        command += ["--key", place.key, "--run", secrets.token_hex(6)]
        begun = time.monotonic()
        found: dict[str, float] = json.loads(_output(command, os.environ))
        wall = time.monotonic() - begun
        return found | {"p50_ms": found["first_ms"], "p99_ms": found["whole_ms"], "seconds": wall}

    return load


def _output(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=HERE.parent
    )
    if done.returncode:
        raise SystemExit(f"bench: {command[0]} failed: {done.stdout}{done.stderr}")
    return done.stdout


def measured(load: Load, place: Place, connections: int, seconds: float, repeat: int) -> Result:
    """The median of some loads, after a short one that warms up."""
    load(place, connections, 1)
    time.sleep(SETTLE)
    results = [_once(load, place, connections, seconds) for _ in range(repeat)]
    middle: dict[str, float] = {
        name: statistics.median(getattr(result, name) for result in results)
        for name in ("requests", "rate", "p50", "p99", "cpu", "broker_cpu", "foreign_cores")
    }
    roles = {
        role: statistics.median(result.cpu_by_role[role] for result in results)
        for role in place.pids
    }
    return Result(errors=sum(r.errors for r in results), cpu_by_role=roles, **middle)


def _quiet(place: Place) -> None:
    """Wait until others use little CPU, or until patience has run out."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        meter = Meter(place.pids, [place.provider] if place.provider else [])
        time.sleep(1)
        if meter.stop().foreign_cores <= QUIET:
            return


def _once(load: Load, place: Place, connections: int, seconds: float) -> Result:
    _quiet(place)
    meter = Meter(place.pids, [place.provider] if place.provider else [])
    found = load(place, connections, seconds)
    if place.pids:
        time.sleep(SETTLE)
    spent = meter.stop()
    requests = max(found["requests"], 1)
    each = {role: seconds_ * 1000 / requests for role, seconds_ in spent.by_name.items()}
    result = Result(
        requests=found["requests"],
        errors=int(found["errors"]),
        rate=found["requests"] / found["seconds"],
        p50=found["p50_ms"],
        p99=found["p99_ms"],
        cpu=sum(each.get(role, 0.0) for role in GATEWAY),
        broker_cpu=each.get("broker", 0.0) + each.get("kafka", 0.0),
        cpu_by_role=each,
        foreign_cores=spent.foreign_cores,
    )
    say(
        f"    {result.requests:7.0f} requests {result.rate:7.0f}/s  p50 {result.p50:6.2f} ms  "
        f"CPU {result.cpu:.3f} + {result.broker_cpu:.3f} ms  foreign {result.foreign_cores:.2f}"
    )
    return result
