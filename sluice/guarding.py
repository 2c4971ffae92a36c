"""The guardrails and workflows of a worker, made from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from providers.registry import Registry
from providers.transport import Transport
from schemas.objects import Objects
from schemas.spool import Spool
from schemas.workflows import Features
from sluice.process import Context
from sluice.settings import guardrails
from streams.guardrails.policy import Policy
from streams.guardrails.remote import Remote
from streams.routing.router import Router
from streams.stages import Handler, Stage
from streams.stages.claims import Claims
from streams.stages.guardrails import Guardrails


class Guards(Struct, frozen=True):
    """What a worker does with them."""

    stages: tuple[Stage, ...]
    policy: Policy

    def behind_claims(self, spool: Spool | None, limit: int) -> tuple[Stage, ...]:
        """With the stage that makes bodies whole in front: `limit` bytes of them at once."""
        return (lambda handler: Claims(handler, spool, limit), *self.stages)


@asynccontextmanager
async def guarded(
    context: Context, objects: Objects, router: Router, registry: Registry, transport: Transport
) -> AsyncIterator[Guards]:
    """The stage, while the block runs. Where nothing is configured it hands each request on at once."""
    settings = context.settings
    features = Features(guardrails=settings[guardrails.ENABLED])
    policy = Policy(features, settings.tables.guardrails, lambda call: router.plan(call).targets)
    policy.follow(objects)
    remote = Remote(registry.instance, transport, private=settings[guardrails.ALLOW_PRIVATE])
    made: list[Guardrails] = []

    def stage(handler: Handler) -> Handler:
        made.append(Guardrails(handler, policy, remote, context.clock))
        return made[-1]

    try:
        yield Guards((stage,), policy)
    finally:
        for each in made:
            await each.close()
        await remote.close()
