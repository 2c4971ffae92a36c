"""From a request to who may answer it, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from providers.base import Offer, Target
from schemas.bodies import Envelope
from schemas.clock import Clock
from schemas.errors import GatewayError, ModelNotFound
from schemas.requests import Request
from streams.routing.config import Recovery, RoutingConfig, Rule, Strategy, Trigger
from streams.routing.facts import Facts, facts
from streams.routing.health import HealthBook
from streams.routing.rules import Rules
from streams.routing.strategies import Candidate, ordered
from streams.stages import Call

Price = Callable[[str, str, int, int], float | None]
"""Instance, model, input and output tokens to USD; None if the price is unknown."""
# A body that asks something of a conversation; what else names a model goes to that model only.
_RULED = frozenset({"chat", "count_tokens", "compact"})


class Names(Protocol):
    """Who knows what names mean; `sluice` hands one in."""

    def candidates(self, model: str, user_path: str) -> Sequence[Offer]:
        """ModelNotFound or ModelAccessDenied if there are none."""
        ...

    def alternatives(self, target: Target, user_path: str) -> Sequence[str]:
        """Models that may stand in for one, the likest first."""
        ...


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
        names: Names,
        price: Price,
        health: HealthBook,
        clock: Clock,
    ) -> None:
        """BadRule if a rule cannot be used."""
        self._config = config
        self._names = names
        self._price = price
        self._health = health
        self._clock = clock
        self._rules = Rules(config.rules)
        self._triggers = frozenset(config.fallback_on)

    def change(self, config: RoutingConfig) -> None:
        """Rules, fallbacks and their modes are these from now on; BadRule, and they stay as they were,
        if a rule cannot be used."""
        self._rules = Rules(config.rules)
        self._config = config

    def finishes(self, request: Request, envelope: Envelope) -> bool:
        """Whether the rule for it says that it goes on when its client has gone."""
        if not self._rules or request.operation not in _RULED:
            return False
        known = facts(request, envelope.model, stream=envelope.stream, now=self._clock.time())
        rule = self._rules.first(known)
        return rule is not None and rule.on_disconnect == "finish"

    def plan(self, call: Call) -> Plan:
        """Who may answer; the error of the model's name if nobody may."""
        request, model = call.request, call.envelope.model
        if self._rules and request.operation in _RULED:
            known = facts(request, model, stream=call.streamed, now=self._clock.time())
            if (rule := self._rules.first(known)) is not None:
                return self._by_rule(rule, call, known)
        config, path = self._config, request.user_path
        try:
            offers = self._names.candidates(model, path)
        except ModelNotFound:
            targets = _once(self._found(self._fallbacks(model, None, call), path))
            if not targets:
                raise
            return Plan(targets, self._triggers, config.recovery)
        targets = tuple(self._ranked(offers, config.strategy, call))
        if names := self._fallbacks(model, targets[0], call):
            targets = _once([*targets, *self._found(names, path)])
        return Plan(targets, self._triggers, config.recovery)

    def _by_rule(self, rule: Rule, call: Call, known: Facts) -> Plan:
        path = call.request.user_path
        offers: list[Offer] = []
        refused: GatewayError | None = None
        for choice in rule.use:
            try:
                found = self._names.candidates(choice.model, path)
            except GatewayError as error:
                refused = error
                continue
            offers += [Offer(one.target, one.weight * choice.weight) for one in found]
        seed = _affinity(rule, call.request, known)
        targets = self._ranked(offers, rule.strategy, call, known, seed)
        if self._config.mode != "off":
            targets += self._found(rule.fallback, path)
        if not targets and refused is not None:
            raise refused
        triggers = self._triggers if rule.fallback_on is None else frozenset(rule.fallback_on)
        return Plan(_once(targets), triggers, rule.recovery or self._config.recovery, rule.name)

    # -- strategies

    def _ranked(
        self,
        offers: Sequence[Offer],
        strategy: Strategy,
        call: Call,
        known: Facts | None = None,
        seed: str | None = None,
    ) -> list[Target]:
        if len(offers) < 2 or strategy == "priority":  # nothing needs to be known of them
            return [offer.target for offer in offers]
        if strategy != "least_cost":
            known = None
        elif known is None:
            known = facts(call.request, call.envelope.model, stream=False, now=0.0)
        candidates = [self._candidate(offer, known, call) for offer in offers]
        found = ordered(strategy, candidates, seed or call.request.request_id)
        return [candidate.target for candidate in found]

    def _candidate(self, offer: Offer, known: Facts | None, call: Call) -> Candidate:
        """`known`: where its price counts."""
        target = offer.target
        health = self._health.of(target.instance, target.model)
        price = None
        if known is not None:
            given, limit = known["input_tokens"], known["max_tokens"]
            if isinstance(given, int) and isinstance(limit, int):
                # Without a limit the answer is taken to be as long as the question.
                price = self._price(target.instance, target.model, given, limit or given)
        return Candidate(target, offer.weight, health.latency(streamed=call.streamed), price)

    # -- fallbacks

    def _fallbacks(self, model: str, target: Target | None, call: Call) -> Sequence[str]:
        """The names of those that stand in: of the model as it was asked for, else as it is called at
        its instance, else as its provider calls it."""
        config = self._config
        if config.mode == "off" and not config.modes:
            return ()
        if call.features is not None and not call.features.fallback:
            return ()
        called = [model]
        if target is not None:
            called += [f"{target.instance}/{target.model}", target.model]
        mode = next((config.modes[name] for name in called if name in config.modes), config.mode)
        if mode == "off":
            return ()
        fallbacks = config.fallbacks
        named = next((fallbacks[name] for name in called if name in fallbacks), ())
        if mode == "manual" or target is None or call.request.operation != "chat":
            return named
        return (*named, *self._names.alternatives(target, call.request.user_path))

    def _found(self, names: Sequence[str], user_path: str) -> list[Target]:
        targets: list[Target] = []
        for name in names:
            try:
                offers = self._names.candidates(name, user_path)
            except GatewayError:  # one that is not there now is no reason to refuse
                continue
            targets += [offer.target for offer in offers]
        return targets


def _once(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Each model of each instance where it stands first."""
    found: dict[tuple[str, str], Target] = {}
    for target in targets:
        found.setdefault((target.instance, target.model), target)
    return tuple(found.values())


def _affinity(rule: Rule, request: Request, known: Facts) -> str | None:
    """What stays with one candidate; None: each request for itself."""
    if rule.strategy != "consistent":
        return None
    if rule.affinity == "user_path":
        return request.user_path
    if rule.affinity == "user":
        return str(known["user"] or request.client or request.user_path)
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
