"""From a request to who may answer it, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from providers.base import Target
from schemas.clock import Clock
from schemas.errors import GatewayError
from schemas.requests import Request
from streams.routing.config import Recovery, RoutingConfig, Rule, Strategy, Trigger
from streams.routing.facts import Value, facts
from streams.routing.health import HealthBook
from streams.routing.rules import Rules
from streams.routing.strategies import Candidate, ordered
from streams.stages import Call


class Offer(Struct, frozen=True):
    """A target of a model's name, and its share where an alias has several."""

    target: Target
    weight: float = 1.0


Resolve = Callable[[str, str], Sequence[Offer]]
"""Model as asked for and user path to its targets; ModelNotFound or ModelAccessDenied."""
Price = Callable[[str, str, int, int], float | None]
"""Instance, model, input and output tokens to USD; None if the price is unknown."""


class Plan(Struct, frozen=True):
    """Who is asked, in order, and what else than an outage lets the next one answer."""

    targets: tuple[Target, ...]
    triggers: frozenset[Trigger]
    recovery: Recovery
    rule: str | None = None


class Router:
    """Applies rules, strategies and fallbacks. Looks up only; asks nobody."""

    def __init__(
        self,
        config: RoutingConfig,
        resolve: Resolve,
        price: Price,
        health: HealthBook,
        clock: Clock,
    ) -> None:
        """BadRule if a rule cannot be used."""
        self._config = config
        self._resolve = resolve
        self._price = price
        self._health = health
        self._clock = clock
        self._rules = Rules(config.rules)

    def plan(self, call: Call) -> Plan:
        """Who may answer; the error of the model's name if nobody may."""
        request, model = call.request, call.envelope.model
        config = self._config
        known: dict[str, Value] = {}
        rule: Rule | None = None
        if self._rules and request.operation == "chat":
            known = facts(request, model, stream=call.streamed, now=self._clock.time())
            rule = self._rules.first(known)
        if rule is None:
            targets = self._ranked(self._resolve(model, request.user_path), config.strategy, call)
            names = config.fallbacks.get(model)
            if names is None and targets:
                first = targets[0]
                names = config.fallbacks.get(f"{first.instance}/{first.model}")
                names = config.fallbacks.get(first.model) if names is None else names
            return self._made(targets, names or (), request, None)
        offers: list[Offer] = []
        refused: GatewayError | None = None
        for choice in rule.use:
            try:
                found = self._resolve(choice.model, request.user_path)
            except GatewayError as error:
                refused = error
                continue
            offers += [Offer(one.target, one.weight * choice.weight) for one in found]
        if not offers and refused is not None and not rule.fallback:
            raise refused
        seed = _affinity(rule, request, known)
        return self._made(
            self._ranked(offers, rule.strategy, call, known, seed), rule.fallback, request, rule
        )

    def _ranked(
        self,
        offers: Sequence[Offer],
        strategy: Strategy,
        call: Call,
        known: dict[str, Value] | None = None,
        seed: str | None = None,
    ) -> list[Target]:
        if len(offers) < 2:
            return [offer.target for offer in offers]
        if strategy == "least_cost" and not known:
            known = facts(call.request, call.envelope.model, stream=False, now=0.0)
        candidates = [self._candidate(offer, strategy, known or {}, call) for offer in offers]
        found = ordered(strategy, candidates, seed or call.request.request_id)
        return [candidate.target for candidate in found]

    def _candidate(
        self, offer: Offer, strategy: Strategy, known: dict[str, Value], call: Call
    ) -> Candidate:
        target = offer.target
        health = self._health.of(target.instance, target.model)
        price = None
        if strategy == "least_cost":
            given, limit = known.get("input_tokens", 0), known.get("max_tokens", 0)
            if isinstance(given, int) and isinstance(limit, int):
                # Without a limit the answer is taken to be as long as the question.
                price = self._price(target.instance, target.model, given, limit or given)
        return Candidate(target, offer.weight, health.latency(streamed=call.streamed), price)

    def _made(
        self, targets: list[Target], fallback: Sequence[str], request: Request, rule: Rule | None
    ) -> Plan:
        for name in fallback:
            try:
                targets += [offer.target for offer in self._resolve(name, request.user_path)]
            except GatewayError:  # a fallback that is not there now is no reason to refuse
                continue
        once: dict[tuple[str, str], Target] = {}
        for target in targets:
            once.setdefault((target.instance, target.model), target)
        config = self._config
        triggers = config.fallback_on
        recovery = config.recovery
        if rule is not None:
            triggers = config.fallback_on if rule.fallback_on is None else rule.fallback_on
            recovery = rule.recovery or config.recovery
        return Plan(
            tuple(once.values()),
            frozenset(triggers),
            recovery,
            rule.name if rule else None,
        )


def _affinity(rule: Rule, request: Request, known: dict[str, Value]) -> str | None:
    """What stays with one candidate; None: each request for itself."""
    if rule.strategy != "consistent":
        return None
    if rule.affinity == "user_path":
        return request.user_path
    if rule.affinity == "user":
        return str(known.get("user") or request.client or request.user_path)
    return _conversation(request)


def _conversation(request: Request) -> str:
    """The beginning of the conversation: its first two messages stay the same from turn to turn."""
    try:
        body = msgspec.json.decode(request.body, type=dict[str, msgspec.Raw])
        turns = msgspec.json.decode(
            body.get("messages") or body.get("contents") or body.get("input") or b"[]",
            type=list[msgspec.Raw] | str,
        )
    except (msgspec.DecodeError, RecursionError):
        return request.request_id
    if isinstance(turns, str):
        return turns
    return "".join(bytes(turn).decode() for turn in turns[:2])
