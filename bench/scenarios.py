"""What is measured of one product, and against which targets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.request import Request, urlopen

from bench import load
from bench.load import GATEWAY, LARGE, SMALL, Place, Result
from bench.processes import Meter, memory
from bench.waiting import say, until

CONNECTIONS = (1, 16, 64)
# Who passes through what, beside OpenAI's chat: the dialect of both sides, and the path.
DIALECTS = {
    "/p/openai, chat": ("chat", "/p/openai/chat/completions"),
    "Responses to Responses": ("responses", "/v1/responses"),
    "Messages to Messages": ("messages", "/v1/messages"),
    "Gemini to Gemini": ("gemini", "/v1beta/models/mock-gemini:generateContent"),
}
MORE = 1.1  # times the CPU of a chat that passing through another dialect may cost
PACED, LONE = "mock-20", "mock-5"
BATCH = 10.0  # seconds of one load of the endurance run
PROMPTS = 200  # of which all but the first of each are hits
OVERVIEW = "/admin/api/v1/cache/overview"


@dataclass(frozen=True)
class Plan:
    """How long and how often."""

    seconds: float
    repeat: int
    endurance: int  # requests
    idle: float  # seconds
    only: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    value: float
    unit: str
    target: float | None = None
    most: bool = True  # the target is an upper limit
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.most else self.value >= self.target


Direct = Mapping[str, Result]
DIRECT = {
    "chat": (load.chat(SMALL), 1),
    "paced": (load.streams(PACED), 64),
    "lone": (load.streams(LONE), 1),
}


def direct(place: Place, plan: Plan) -> Direct:
    """The provider without a gateway: what its answers take."""
    found = {}
    for name, (what, connections) in DIRECT.items():
        say(f"  direct {name}")
        found[name] = load.measured(what, place, connections, plan.seconds, 1)
    return found


def measure(
    place: Place, base: Direct, plan: Plan, *, embedded: bool
) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Rows as they are measured, each with the numbers behind it."""
    parts = {
        "idle": lambda: _idle(place, plan, embedded=embedded),
        "chat": lambda: _chat(place, base, plan, embedded=embedded),
        "dialects": lambda: _dialects(place, plan),
        "bodies": lambda: _bodies(place, plan),
        "paced": lambda: _paced(place, base, plan),
        "lone": lambda: _lone(place, base, plan),
        "memory": lambda: _memory(place, plan, embedded=embedded),
        "cache": lambda: _hits(place, plan),
    }
    for name, part in parts.items():
        if name in plan.only:
            say(f"  {name}")
            yield from part()


Rows = Iterator[tuple[Row, dict[str, Any]]]


def _idle(place: Place, plan: Plan, *, embedded: bool) -> Rows:
    meter = Meter(place.pids, [])
    time.sleep(plan.idle)
    spent = meter.stop()
    share = {name: used / spent.wall * 100 for name, used in spent.by_name.items()}
    say("    " + "  ".join(f"{name} {percent:.2f} %" for name, percent in share.items()))
    if embedded:
        yield (
            Row("idle, all roles and the broker", sum(share.values()), "% of a core", 2.0),
            share,
        )
    else:
        total = sum(share[role] for role in GATEWAY if role in share)
        yield Row("idle, all roles", total, "% of a core"), share


def _chat(place: Place, base: Direct, plan: Plan, *, embedded: bool) -> Rows:
    for connections in CONNECTIONS:
        what = load.chat(SMALL)
        result = load.measured(what, place, connections, plan.seconds, plan.repeat)
        behind = asdict(result)
        title = f"chat, {connections} connection{'s' if connections > 1 else ''}"
        if connections == 1:
            limit = None if embedded else 4.5
            more = result.p50 - base["chat"].p50
            yield Row(f"{title}: p50", result.p50, "ms", 4.0 if embedded else None), behind
            yield Row(f"{title}: p50 over direct", more, "ms", limit), behind
        at_64 = connections == 64
        yield from _cost(title, result, 0.8 if at_64 else None)
        target = 1500.0 if at_64 and not embedded else None
        yield Row(f"{title}: rate", result.rate, "requests/s", target, most=False), behind


def _cost(title: str, result: Result, target: float | None, unit: str = "request") -> Rows:
    note = f"{result.errors} errors" if result.errors else ""
    if result.foreign_cores > load.QUIET:
        note += f"{note and ', '}others used {result.foreign_cores:.1f} cores"
    behind = asdict(result)
    yield Row(f"{title}: gateway CPU", result.cpu, f"ms/{unit}", target, note=note), behind
    yield Row(f"{title}: broker CPU", result.broker_cpu, f"ms/{unit}"), behind


def _dialects(place: Place, plan: Plan) -> Rows:
    """All at 16 connections. The chat is measured before and behind them: the machine drifts."""
    found = {}
    loads = {name: load.chat(SMALL, *what) for name, what in DIALECTS.items()}
    for name, what in {"before": load.chat(SMALL), **loads, "behind": load.chat(SMALL)}.items():
        say(f"    {name}")
        found[name] = load.measured(what, place, 16, plan.seconds, plan.repeat)
    chat = (found["before"].cpu + found["behind"].cpu) / 2
    yield Row("chat, passed through, 16 connections: gateway CPU", chat, "ms/request"), {}
    for name in DIALECTS:
        cost, _ = _cost(f"{name}, 16 connections", found[name], round(chat * MORE, 3))
        yield cost


def _hits(place: Place, plan: Plan) -> Rows:
    """Equal requests, of a product whose cache is on. That they were hits is asked of it, as a miss would
    be measured just as well."""
    what = load.chat(SMALL, prompts=PROMPTS)
    miss = load.measured(load.chat(SMALL), place, 64, plan.seconds, plan.repeat)
    yield from _cost("a miss that is kept, 64 connections", miss, None)
    asked = 0.0
    for connections in (1, 64):
        result = load.measured(what, place, connections, plan.seconds, plan.repeat)
        asked += result.requests
        title = f"exact hit, {connections} connection{'s' if connections > 1 else ''}"
        if connections == 1:
            yield Row(f"{title}: p50", result.p50, "ms", 4.0), asdict(result)
        yield from _cost(title, result, 0.6 if connections == 64 else None)
        yield Row(f"{title}: rate", result.rate, "requests/s"), asdict(result)
    until(lambda: _counted(place) >= asked, 10.0, f"{asked:.0f} hits: {_counted(place)}")


def _counted(place: Place) -> int:
    """Hits, by the workers' heartbeats."""
    headers = {"Authorization": f"Bearer {place.key}"}
    with urlopen(Request(place.url + OVERVIEW, headers=headers), timeout=10) as answer:
        found: int = json.load(answer)["summary"]["exact_hits"]
    return found


def _bodies(place: Place, plan: Plan) -> Rows:
    result = load.measured(load.chat(LARGE), place, 16, plan.seconds, plan.repeat)
    yield from _cost("33 kB bodies, 16 connections", result, 1.0)


def _paced(place: Place, base: Direct, plan: Plan) -> Rows:
    seconds = plan.seconds + 2
    result = load.measured(load.streams(PACED), place, 64, seconds, plan.repeat)
    title = "paced streams, 64 at once"
    yield from _cost(title, result, 5.0, "stream")
    more = result.p50 - base["paced"].p50
    yield Row(f"{title}: first word over direct", more, "ms", 10.0), asdict(result)


def _lone(place: Place, base: Direct, plan: Plan) -> Rows:
    result = load.measured(load.streams(LONE), place, 1, plan.seconds, plan.repeat)
    more = result.p50 - base["lone"].p50
    yield Row("a lone stream: first word over direct", more, "ms", 5.0), asdict(result)


def _memory(place: Place, plan: Plan, *, embedded: bool) -> Rows:
    """Memory after a first load, then over many requests."""
    load.chat(SMALL)(place, 64, BATCH)
    time.sleep(load.SETTLE)
    first, done = _resident(place), 0.0
    peak = last = first
    while done < plan.endurance:
        done += load.chat(SMALL)(place, 64, BATCH)["requests"]
        time.sleep(load.SETTLE)
        last = _resident(place)
        peak = {name: max(last[name], peak[name]) for name in last}
        say(f"    {done:7.0f} requests  " + _listed(last))
    behind = {"first": first, "last": last, "peak": peak, "requests": done}
    title = "all roles and the broker" if embedded else "ingress, streams, sinks"
    together = sum(rss for name, rss in peak.items() if name.startswith("rss"))
    yield Row(f"memory: {title}, RSS", together, "MB", 300.0 if embedded else 220.0), behind
    pss = sum(size for name, size in last.items() if name.startswith("pss"))
    yield Row(f"memory: {title}, PSS", pss, "MB"), behind
    grown = sum(last[name] - first[name] for name in last if name.startswith("rss"))
    note = f"over {done:,.0f} requests"
    yield Row("memory: growth", grown, "MB", note=note), behind


def _resident(place: Place) -> dict[str, float]:
    found = {}
    for role, pid in place.pids.items():
        if role != "kafka":  # its heap is its own affair
            found[f"rss {role}"], found[f"pss {role}"] = memory(pid)
    return found


def _listed(sizes: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {size:.0f}" for name, size in sizes.items() if name[0] == "r")
