"""What it adds to an answer that the first candidate refuses the connection."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

from bench.load import Place
from bench.scenarios import Plan, Row, Rows
from sluice.ports import free_port

DIRECT, REFUSED = "openai/mock-0", "openai-gone/mock-gone"
TARGET_MS = 15.0
WARM_UP = 20  # requests of each kind
ATTEMPTS = {DIRECT: "1", REFUSED: "2"}


def settings(folder: Path) -> dict[str, str]:
    """Of a product with a second provider, where nobody listens. Its breaker never opens, else only the
    first few requests would try it."""
    folder.mkdir(parents=True)
    rules = folder / "fallbacks.json"
    rules.write_text(json.dumps({REFUSED: [DIRECT]}))
    return {
        "OPENAI_GONE_API_KEY": "bench",
        "OPENAI_GONE_BASE_URL": f"http://127.0.0.1:{free_port()}/v1",
        "OPENAI_GONE_MODELS": REFUSED.partition("/")[2],
        "FALLBACK_MANUAL_RULES_PATH": str(rules),
        "CIRCUIT_BREAKER_FAILURE_THRESHOLD": "0",
    }


class Caller:
    """One connection, on which each request has a prompt of its own."""

    def __init__(self, place: Place) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(place.url).netloc, timeout=30)
        self._headers = {
            "Authorization": f"Bearer {place.key}",
            "Content-Type": "application/json",
        }
        self._count = 0

    def ask(self, model: str) -> float:
        """Milliseconds; ValueError if it took another number of calls than it should have."""
        self._count += 1
        turns = [{"role": "user", "content": f"{time.time_ns()} {self._count} " + "word " * 60}]
        body = json.dumps({"model": model, "temperature": 0, "messages": turns})
        begun = time.perf_counter()
        self._connection.request("POST", "/v1/chat/completions", body, self._headers)
        answer = self._connection.getresponse()
        answer.read()
        spent = (time.perf_counter() - begun) * 1e3
        if answer.status != 200 or answer.headers["sluice-attempts"] != ATTEMPTS[model]:
            raise ValueError(f"{model}: {answer.status}, {answer.headers['sluice-attempts']} calls")
        return spent

    def close(self) -> None:
        self._connection.close()


def measure(place: Place, plan: Plan) -> Rows:
    """Both in turn, so that a machine that drifts drifts for both."""
    found: dict[str, list[float]] = {DIRECT: [], REFUSED: []}
    caller = Caller(place)
    for _ in range(WARM_UP):
        for model in found:
            caller.ask(model)
    until = time.monotonic() + plan.seconds * plan.repeat
    while time.monotonic() < until:
        for model, times in found.items():
            times.append(caller.ask(model))
    caller.close()
    direct, refused = median(found[DIRECT]), median(found[REFUSED])
    behind = {
        "requests": len(found[DIRECT]),
        "direct_p99": quantiles(found[DIRECT], n=100)[-1],
        "refused_p99": quantiles(found[REFUSED], n=100)[-1],
    }
    yield Row("the only candidate answers: p50", direct, "ms"), behind
    yield Row("the first one is refused, p50 over that", refused - direct, "ms", TARGET_MS), behind
