"""The rows for retries, fallbacks and breakers."""

from __future__ import annotations

from typing import get_args

from sluice.settings.kinds import PATH, Kind, choice, duration, integer, number, optional
from sluice.settings.setting import Group, Setting
from streams.routing.config import Mode, Recovery, RoutingConfig, Strategy, Trigger

_ROUTING = RoutingConfig()
_RETRY, _BREAKER = _ROUTING.retry, _ROUTING.breaker
_COUNT = integer(0, 1000)
_TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)


def _triggers(text: str) -> tuple[Trigger, ...]:
    named = [item.strip() for item in text.split(",") if item.strip()]
    for item in named:
        if item not in _TRIGGERS:
            raise ValueError(f"{item!r} is none of them")
    return tuple(trigger for trigger in _TRIGGERS if trigger in named)


MAX_RETRIES = Setting(
    name="RETRY_MAX_RETRIES",
    kind=_COUNT,
    default=_RETRY.max_retries,
    summary="Calls of providers beyond a request's first, over all of its candidates; each of these is"
    " asked once anyway.",
)
INITIAL_BACKOFF = Setting(
    name="RETRY_INITIAL_BACKOFF",
    kind=duration(0, 3600),
    default=_RETRY.initial_backoff,
    summary="The first wait before a provider that failed is asked again.",
)
MAX_BACKOFF = Setting(
    name="RETRY_MAX_BACKOFF",
    kind=duration(0, 3600),
    default=_RETRY.max_backoff,
    summary="The longest such wait.",
)
BACKOFF_FACTOR = Setting(
    name="RETRY_BACKOFF_FACTOR",
    kind=number(1, 100),
    default=_RETRY.backoff_factor,
    summary="How much longer each wait is than the one before.",
)
JITTER_FACTOR = Setting(
    name="RETRY_JITTER_FACTOR",
    kind=number(0, 1),
    default=_RETRY.jitter,
    summary="Share of a wait that is random; 1 is anything between nothing and all of it.",
)
RETRY_AFTER_MAX = Setting(
    name="RETRY_AFTER_MAX",
    kind=duration(0, 3600),
    default=_RETRY.retry_after_max,
    summary="A provider that asks to wait longer than this (`Retry-After`, `x-ratelimit-reset-…`) is not"
    " waited for.",
)
FAILURE_THRESHOLD = Setting(
    name="CIRCUIT_BREAKER_FAILURE_THRESHOLD",
    kind=_COUNT,
    default=_BREAKER.failure_threshold,
    summary="Failures in a row after which a model of an instance is left alone; 0 is never.",
)
SUCCESS_THRESHOLD = Setting(
    name="CIRCUIT_BREAKER_SUCCESS_THRESHOLD",
    kind=integer(1, 1000),
    default=_BREAKER.success_threshold,
    summary="Good probes after which it is asked as before.",
)
BREAKER_TIMEOUT = Setting(
    name="CIRCUIT_BREAKER_TIMEOUT",
    kind=duration(0, 86_400),
    default=_BREAKER.timeout,
    summary="Longest time between two probes; the first comes after 1 s, each next one after twice as"
    " long.",
)
FALLBACK_MODE = Setting[Mode](
    name="FEATURE_FALLBACK_MODE",
    kind=choice(get_args(Mode)),
    default=_ROUTING.mode,
    summary="Who answers when a model does not: nobody else (off), the models that are configured for"
    " it (manual), or these and then those that are most like it (auto).",
)
FALLBACK_RULES = Setting[str | None](
    name="FALLBACK_MANUAL_RULES_PATH",
    kind=optional(PATH),
    default=None,
    summary='A JSON file `{"model": ["another", "provider/model"]}`; also `routing.fallbacks` in'
    " `config.yaml`.",
)
FALLBACK_ON = Setting(
    name="FALLBACK_ON",
    kind=Kind[tuple[Trigger, ...]](
        f"any of {', '.join(_TRIGGERS)}, separated by commas", _triggers, ",".join
    ),
    default=_ROUTING.fallback_on,
    summary="What else than an outage or a rate limit lets the next candidate answer.",
)
STREAM_RECOVERY = Setting[Recovery](
    name="STREAM_RECOVERY",
    kind=choice(get_args(Recovery)),
    default=_ROUTING.recovery,
    summary="What becomes of a stream that breaks off after a part of it reached the caller, if there is"
    " another candidate: `splice` asks it anew and goes on if its text repeats what was sent,"
    " `continue` asks it to go on with the text, `error` ends the stream with an error in it.",
)
STRATEGY = Setting[Strategy](
    name="ROUTING_STRATEGY",
    kind=choice(get_args(Strategy)),
    default=_ROUTING.strategy,
    summary="The order in which the targets of an alias are asked.",
)

GROUP = Group(
    "Routing, retries and breakers",
    (
        *(MAX_RETRIES, INITIAL_BACKOFF, MAX_BACKOFF, BACKOFF_FACTOR, JITTER_FACTOR),
        *(RETRY_AFTER_MAX, FAILURE_THRESHOLD, SUCCESS_THRESHOLD, BREAKER_TIMEOUT),
        *(FALLBACK_MODE, FALLBACK_RULES, FALLBACK_ON, STREAM_RECOVERY, STRATEGY),
    ),
    "[routing.md](routing.md) says what they do together, and how rules are written.",
)
