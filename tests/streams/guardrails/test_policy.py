"""Guardrails in force decide who may have whose kept answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from providers.base import Endpoint, Target
from schemas.bodies import envelope
from schemas.guardrails import GUARDRAILS, Guardrail
from schemas.metrics import Metrics
from schemas.objects import Objects
from schemas.replies import Completed, Started
from schemas.requests import Request
from schemas.workflows import WORKFLOWS, Features, Payload, Scope, Step, Workflow
from streams.caches.config import CacheConfig
from streams.caches.memory import MemoryCache
from streams.guardrails.policy import Policy
from streams.guardrails.remote import Remote
from streams.stages import Call, Replies
from streams.stages.cache import ExactCache
from streams.stages.coalesce import Coalesce
from streams.stages.guardrails import Guardrails
from streams.stages.keeper import Keeper
from tests.streams.fakes import Clock

ANSWER = b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"The secret"},'
ANSWER += b'"finish_reason":"stop"}]}'
WORDS: dict[str, Any] = {"words": ["nothing like it"], "apply_to": ["output"]}


class World:
    """Guardrails around the caches, as in the pipeline; what is stored of both can be changed."""

    def __init__(self) -> None:
        clock, metrics, self.calls = Clock(), Metrics(), 0
        self.objects = Objects((GUARDRAILS, WORKFLOWS))
        target = Target(Endpoint("sim", {}, "http://127.0.0.1", "", {}), "m")

        def targets(call: Call) -> Sequence[Target]:
            return (target,)

        self.policy = Policy(Features(), {}, targets)
        self.policy.follow(self.objects)
        config, cache = CacheConfig(), MemoryCache(1 << 20, clock, metrics)
        flights = Coalesce(self._answer, Keeper(cache, config, clock).keep, clock, metrics)
        kept = ExactCache(flights, cache, config, targets, clock, metrics)
        remote = Remote({}.get, None, private=False)  # type: ignore[arg-type]  # nobody is asked
        self.stage = Guardrails(kept, self.policy, remote, clock)

    async def _answer(self, call: Call) -> Replies:
        self.calls += 1
        yield Started(200, "application/json", "sim", "m")
        yield Completed(ANSWER, "stop", None, "m")

    def guard(self, name: str, type_: str, user_path: str = "", **config: Any) -> None:
        raw = msgspec.Raw(msgspec.json.encode(config))
        made = Guardrail(type=type_, config=raw, user_path=user_path)  # type: ignore[arg-type]
        self.objects.take(GUARDRAILS.key(name), msgspec.json.encode(made), {})

    def follow(self, *steps: Step, **features: bool) -> None:
        """The next version of the workflow for all."""
        payload = Payload(guardrails=steps, features=Features(**features))
        made = Workflow(id="w", scope=Scope(), version=1, payload=payload)
        self.objects.take(WORKFLOWS.key("w"), msgspec.json.encode(made), {})

    async def ask(self, path: str = "/team") -> bool:
        """Whether the provider was asked."""
        body = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "Say"}]})
        request = Request(request_id="r", body=body, user_path=path)
        before = self.calls
        found = [reply async for reply in self.stage(Call(request, envelope(request)))]
        assert isinstance(found[-1], Completed), found
        return self.calls > before


@pytest.fixture
def world() -> World:
    return World()


async def test_no_answer_from_before_a_guardrail(world: World) -> None:
    """What was kept before a guardrail was added, changed or moved to another step is not given again,
    even if it changes no word of the question; and it is, once the rules are as they were."""
    world.guard("secrets", "block_list", **WORDS)
    assert [await world.ask(), await world.ask()] == [True, False]
    world.follow(Step("secrets", 1))
    assert [await world.ask(), await world.ask()] == [True, False]
    world.guard("secrets", "block_list", **WORDS, case_sensitive=True)
    assert [await world.ask(), await world.ask()] == [True, False]
    world.guard("tone", "block_list", words=["rude"], apply_to=["output"])
    world.follow(Step("secrets", 1), Step("tone", 2))
    assert [await world.ask(), await world.ask()] == [True, False]
    world.follow(Step("secrets", 2), Step("tone", 1))
    assert [await world.ask(), await world.ask()] == [True, False]
    world.follow()
    assert not await world.ask()


async def test_what_changes_no_answer_changes_no_identity(world: World) -> None:
    """A new version of a workflow with the same rules, and rules that are switched off or meant for
    other paths, leave kept answers where they are."""
    world.guard("secrets", "block_list", "/other", **WORDS)
    assert await world.ask()
    world.follow(Step("secrets", 1), audit=False)
    assert not await world.ask()
    assert await world.ask("/other/a")
    world.follow(Step("secrets", 1), guardrails=False)
    assert not await world.ask()
