"""What it costs to choose who answers, and to keep account of it: the pure code alone, in this process."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

import msgspec
from msgspec.structs import replace

from bench.scenarios import Row, Rows
from bench.translation import cpu
from providers.base import Target
from providers.config import RegistryConfig, TransportConfig
from providers.instances import make_instance
from providers.registry import Registry
from providers.transport import Transport
from providers.vendors import VENDORS
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.errors import UpstreamError
from schemas.exchange import Attempt
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Started
from schemas.requests import Request
from streams.routing.attempts import Attempts
from streams.routing.config import Choice, RetryConfig, RoutingConfig, Rule
from streams.routing.health import HealthBook
from streams.routing.router import Router
from streams.stages import Call, Handler, Replies
from streams.stages.failover import Failover

ROUNDS = 2_000
REQUEST_US = 40.0  # target: rules, breaker and retry bookkeeping of one request together
MODELS = ("one/m", "two/m")
FAST = RetryConfig(initial_backoff=0.0)  # a wait costs no CPU, and here nobody can wait
# None but the last holds, so that each is asked. The fourth cannot be told: there is no such metadata.
CONDITIONS = (
    'model == "auto" && (input_tokens > 20000 || images || turns > 20)',
    'user_path.startsWith("/research") && tools',
    "stream && hour < 6 && max_tokens > 4000",
    'metadata["tier"] == "gold"',
    'model == "auto"',
)
RULES = tuple(
    Rule(name=f"rule {number}", when=when, use=tuple(map(Choice, MODELS)))
    for number, when in enumerate(CONDITIONS, 1)
)


def call(model: str, size: int = 440) -> Call:
    """A plain chat of so many bytes, as it comes to the stage."""
    turns = [{"role": "user", "content": "word " * (size // 5)}]
    body = msgspec.json.encode({"model": model, "temperature": 0, "messages": turns})
    request = Request(request_id="r", body=body, created=1.0, http_headers={"user-agent": "bench"})
    return Call(request, envelope(request))


async def answering(asked: Call) -> Replies:
    """A provider that answers at once; the first one of a request that has another behind it fails."""
    target = asked.target
    assert target is not None
    failed = target.endpoint.instance == "broken"
    try:
        if failed:
            yield Failed(UpstreamError(), 500)
            return
        yield Started(200, "application/json", target.instance, target.model)
        yield Chunk(b"{}")
        yield Completed()
    finally:
        status = 500 if failed else 200
        asked.attempts.append(Attempt(target.instance, target.model, "", 0.0, status))


class Gateway:
    """The routing of a worker with two instances and one that fails."""

    def __init__(self, *rules: Rule) -> None:
        vendor = VENDORS["openai"]
        made = [
            make_instance(vendor, name, "http://127.0.0.1:9/v1", key="k", models=("m",))
            for name in ("one", "two", "broken")
        ]
        clock = SystemClock()
        names = Registry(made, Transport(TransportConfig()), RegistryConfig())
        config = RoutingConfig(rules=rules, retry=FAST, fallbacks={"broken/m": MODELS[:1]})
        # One that never opens: a provider that is left alone would not be asked.
        health = HealthBook(replace(config.breaker, failure_threshold=0), {})
        self.router = Router(config, names, names.price, health, clock)
        attempts = Attempts(health, names, config.retry, clock)
        self.stage = Failover(answering, self.router, attempts, config, clock, Metrics())
        self.target = names.resolve(MODELS[0])


async def _read(handler: Handler, asked: Call) -> None:
    end = None
    async with aclosing(handler(asked)) as replies:
        async for reply in replies:
            end = reply
    if not isinstance(end, Completed):
        raise ValueError("nobody answered")


def answered(handler: Handler, like: Call, target: Target | None = None) -> float:
    """Microseconds of CPU until a request like that one has its answer."""

    def once() -> None:
        fresh = Call(like.request, like.envelope)
        fresh.target = target
        work = _read(handler, fresh)
        try:
            work.send(None)  # nothing in it waits
        except StopIteration:
            return
        raise ValueError("it waits for something")

    return cpu(once, ROUNDS) * 1e6


def measure() -> Rows:
    """Choosing by rules, keeping account of a call, both together, and what a failed call adds to it."""
    ruled, plain = Gateway(*RULES), Gateway()
    small, large = call("auto"), call("auto", 33_000)
    for title, like in (("440 bytes", small), ("33 kB", large)):
        if ruled.router.plan(like).rule != RULES[-1].name:
            raise ValueError("another rule held")
        spent = cpu(partial(ruled.router.plan, like), ROUNDS) * 1e6
        yield Row(f"five rules, {title}", spent, "µs/request"), {}
    alone = answered(answering, small, plain.target)
    one = answered(plain.stage, call(MODELS[0]))
    yield Row("breaker and retry bookkeeping", one - alone, "µs/request"), {"alone": alone}
    both = answered(ruled.stage, small) - alone
    yield Row("five rules, breaker and retry bookkeeping", both, "µs/request", REQUEST_US), {}
    failed = answered(plain.stage, call("broken/m")) - one
    yield Row("a call that failed, and the next one", failed, "µs/request"), {}
