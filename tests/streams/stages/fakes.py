"""Providers that do as they are told, call by call."""

from collections.abc import AsyncGenerator, Sequence

import msgspec

from providers.base import Endpoint, Offer, Target
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.errors import GatewayError, ModelNotFound
from schemas.exchange import Attempt
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.requests import Request
from streams.routing.attempts import Attempts
from streams.routing.config import RetryConfig, RoutingConfig
from streams.routing.health import HealthBook
from streams.routing.router import Router
from streams.stages import Call
from streams.stages.failover import Failover

RETRY = RetryConfig(initial_backoff=0.001, max_backoff=0.001)
DONE = b"data: [DONE]\n\n"


def event(**delta: object) -> bytes:
    """A chunk of chat."""
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    body = {"id": "theirs", "model": "theirs", "choices": [choice]}
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


ROLE = Chunk(event(role="assistant"), content=False)
END = event().replace(b"null", b'"stop"') + DONE


def said(*words: str) -> list[Reply]:
    """Pieces of a stream after its role."""
    return [ROLE, *(Chunk(event(content=word)) for word in words)]


def fails(error: GatewayError, status: int | None = None, **headers: str) -> list[Reply]:
    """An answer that is an error; without a status, none at all."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return [Failed(error, status or error.status, http_headers=named)]


class Providers:
    """Answers from a script by target; the last line counts for all later calls."""

    def __init__(self, script: dict[str, Sequence[Sequence[Reply]]], silent: bool = False) -> None:
        self.script = {name: list(lines) for name, lines in script.items()}
        self.calls: list[str] = []
        self.requests: list[Request] = []
        self.limited: list[tuple[str, int]] = []
        self.keys: dict[str, int] = {}
        self.open = 0

    # the names and keys
    def candidates(self, model: str, user_path: str) -> Sequence[Offer]:
        if model not in self.script:
            raise ModelNotFound
        instance, _, name = model.partition("/")
        return (Offer(Target(Endpoint(instance, {}, "http://x", "", {}), name)),)

    def alternatives(self, target: Target, user_path: str) -> Sequence[str]:
        return ()

    def limit(self, instance: str, key: int, until: float) -> None:
        self.limited.append((instance, key))

    def free_keys(self, instance: str) -> int:
        used = sum(1 for name, _ in self.limited if name == instance)
        return max(0, self.keys.get(instance, 1) - used)

    def again(self, target: Target) -> Target:
        return target

    # the call
    async def __call__(self, call: Call) -> AsyncGenerator[Reply, None]:
        assert call.target is not None
        name = f"{call.target.instance}/{call.target.model}"
        self.calls.append(name)
        self.requests.append(call.request)
        lines = self.script[name]
        replies = lines.pop(0) if len(lines) > 1 else lines[0]
        status: int | None = 200
        error = None
        self.open += 1
        try:
            if not isinstance(replies[0], Failed):
                yield Started(200, "text/event-stream", call.target.instance, call.target.model)
            for reply in replies:
                if isinstance(reply, Failed):
                    error = reply.error.code
                    status = reply.status if reply is replies[0] else 200
                    status = None if status == 999 else status
                yield reply
        finally:
            self.open -= 1
            call.attempts.append(
                Attempt(call.target.instance, call.target.model, "", 0.0, status, error)
            )


class Gateway:
    """The stage over such providers; `a/m` falls back to the others in their order."""

    def __init__(self, script: dict[str, Sequence[Sequence[Reply]]], **config: object) -> None:
        self.providers = Providers(script)
        first, *others = script
        fallbacks = {first: tuple(others)}
        made = RoutingConfig(**{"retry": RETRY, "fallbacks": fallbacks, **config})  # type: ignore[arg-type]  # test's own
        self.health = HealthBook(made.breaker, made.max_concurrency)
        clock, self.metrics = SystemClock(), Metrics()
        router = Router(made, self.providers, lambda *_: None, self.health, clock)
        attempts = Attempts(self.health, self.providers, made.retry, clock)
        self.stage = Failover(self.providers, router, attempts, made, clock, self.metrics)
        self.call: Call | None = None

    async def ask(self, *, stream: bool, **given: object) -> list[Reply]:
        first = next(iter(self.providers.script))
        body = {"model": first, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        request = Request(request_id="r", body=msgspec.json.encode(body), **given)  # type: ignore[arg-type]  # test's own
        self.call = Call(request, envelope(request))
        return [reply async for reply in self.stage(self.call)]

    async def told(self, **given: object) -> str:
        """What a caller of a stream sees of it: its text, and ` !` and the code of an error."""
        found = ""
        for reply in await self.ask(stream=True, **given):
            data = reply.data if isinstance(reply, Chunk | Completed) else b""
            for each in data.split(b"\n\n"):
                if each.startswith(b"data: {"):
                    choice = msgspec.json.decode(each[6:])["choices"][0]
                    found += choice["delta"].get("content") or ""
            if isinstance(reply, Failed):
                found += f" !{reply.error.code}"
        return found
