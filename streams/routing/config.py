"""What routing needs to know; `sluice/settings/` fills it in and documents each field."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Strategy = Literal["priority", "weighted", "least_latency", "least_cost", "consistent"]
Recovery = Literal["splice", "continue", "error"]
# What else than an outage lets another candidate answer.
Trigger = Literal["context_length", "content_filter", "model_not_found", "unauthorized", "invalid"]
# Where fallbacks come from: nowhere, from the configuration, or from that and the lists of models.
Mode = Literal["off", "manual", "auto"]
Affinity = Literal["user", "conversation", "user_path"]


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """A model that may answer, and its share where shares count."""

    model: str
    weight: float = 1.0


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first rule whose condition holds decides who answers."""

    name: str
    when: str = "true"  # CEL; its variables are the fields of `facts.FACTS`
    use: tuple[Choice, ...]
    strategy: Strategy = "priority"
    fallback: tuple[str, ...] = ()  # models asked in this order when none of `use` answers
    fallback_on: tuple[Trigger, ...] | None = None  # None: as the gateway has it
    recovery: Recovery | None = None  # of streams; None: as the gateway has it
    on_disconnect: Literal["cancel", "finish"] = "cancel"  # when the client goes
    affinity: Affinity = "user"  # of `consistent`: what stays with one candidate


class RetryConfig(Struct, frozen=True):
    """Times are seconds."""

    # Calls beyond the first, over all candidates of a request; each of these is asked once anyway.
    max_retries: int = 3
    initial_backoff: float = 1.0
    max_backoff: float = 30.0
    backoff_factor: float = 2.0
    jitter: float = 1.0  # share of a wait that is random; 1 is full jitter
    retry_after_max: float = 5.0  # a longer Retry-After is not waited for


class BreakerConfig(Struct, frozen=True):
    """Times are seconds."""

    failure_threshold: int = 5  # consecutive failures that open it; 0: never
    success_threshold: int = 2  # successes that close it again
    first_probe: float = 1.0
    timeout: float = 30.0  # longest time between two probes


class RoutingConfig(Struct, frozen=True, kw_only=True):
    """Everything that the router is told."""

    rules: tuple[Rule, ...] = ()
    # Model as asked or as resolved -> models asked when it does not answer.
    fallbacks: dict[str, tuple[str, ...]] = {}
    mode: Mode = "manual"
    modes: dict[str, Mode] = {}  # of single models, named as in `fallbacks`
    fallback_on: tuple[Trigger, ...] = ("context_length", "model_not_found")
    recovery: Recovery = "splice"
    strategy: Strategy = "weighted"  # of aliases with several targets
    retry: RetryConfig = RetryConfig()
    breaker: BreakerConfig = BreakerConfig()
    retries: dict[str, RetryConfig] = {}  # of single instances
    breakers: dict[str, BreakerConfig] = {}  # of single instances
    max_concurrency: dict[str, int] = {}  # instance -> calls at once
