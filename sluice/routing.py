"""The routing of a worker, made from its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from providers.registry import Registry
from sluice.process import CannotStart, Context
from sluice.settings import configs
from sluice.steering import Steer, Steering
from streams.routing.attempts import Attempts
from streams.routing.health import HealthBook
from streams.routing.router import Router
from streams.routing.rules import BadRule
from streams.stages import Stage
from streams.stages.failover import failover


class Routed(NamedTuple):
    """The parts of a worker's routing."""

    router: Router  # who may answer
    stage: Stage  # asks them
    steering: Steering  # changes either
    troubled: Callable[[], dict[str, str]]  # who is not asked as usual now, and why


def routed(context: Context, registry: Registry) -> Routed:
    """CannotStart if a rule cannot be used."""
    config = configs.routing_config(context.settings)
    health = HealthBook(config.breaker, config.max_concurrency, config.breakers)
    try:
        router = Router(config, registry, registry.price, health, context.clock)
    except BadRule as error:
        raise CannotStart(f"routing.rules in config.yaml: {error}") from error
    attempts = Attempts(health, registry, config.retry, context.clock)
    health.shown_in(context.metrics)

    def steer(found: Steer) -> None:
        routes = found.routes
        router.change(
            replace(config, rules=routes.rules, fallbacks=routes.fallbacks, modes=routes.modes)
        )
        registry.name(found.aliases)

    steering = Steering(context.settings, steer)
    stage = failover(router, attempts, config, context.clock, context.metrics)
    return Routed(router, stage, steering, lambda: health.troubled(context.clock.monotonic()))
