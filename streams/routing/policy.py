"""What follows a failed attempt: design.md section 7 as one pure function."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.errors import (
    ContentFiltered,
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    KeyRefused,
    ModelNotFound,
    RateLimited,
    UpstreamTimeout,
)
from streams.routing.config import RetryConfig, Trigger

# A provider that answers so may answer otherwise in a moment. 529: Anthropic's word for overload.
PASSING = frozenset({408, 409, 425, 500, 502, 503, 504, 529})
SAME_FIRST = 2  # calls of one candidate while others wait

Step = Literal["again", "next", "stop"]


class Failure(Struct, frozen=True):
    """How an attempt failed."""

    error: GatewayError
    status: int | None  # of the provider's answer; None if there was none, 2xx if it broke off
    calls: int  # of this candidate so far, this one included
    others: int  # candidates that were not asked yet
    told: float | None = None  # seconds that the provider asks to be left alone
    free_key: bool = False  # the same candidate has another key, which is not limited


class Next(Struct, frozen=True):
    """What to do: ask the same candidate again or the next one, after `wait` seconds, or stop."""

    step: Step
    wait: float = 0.0
    rest: float = 0.0  # seconds for which the candidate wants to be left alone, by all requests


def follow(
    failure: Failure, retries: int, config: RetryConfig, triggers: frozenset[Trigger], chance: float
) -> Next:
    """`retries`: calls so far beyond the request's first; `chance` in [0, 1) makes the jitter."""
    error, others = failure.error, failure.others
    trigger = _trigger(error, failure.status)
    if trigger is not None:
        return Next("next" if others and trigger in triggers else "stop")
    if not error.retryable:
        return Next("stop")
    limited = isinstance(error, RateLimited)
    told = failure.told or 0.0
    rest = told if limited and not failure.free_key else 0.0
    leave = Next("next" if others else "stop", rest=rest)
    left = config.max_retries - retries
    if left <= 0:
        return leave
    if limited and failure.free_key:
        return Next("again")
    if told > config.retry_after_max or not _worth_another(failure, left):
        return leave
    if limited and failure.told is not None:
        return Next("again", told, rest)
    return Next("again", max(told, _backoff(retries, config, chance)))


def _worth_another(failure: Failure, left: int) -> bool:
    """Whether the same candidate is asked again before the next one."""
    answered = failure.status is not None and not 200 <= failure.status < 300
    if failure.others:
        # A call of somebody new counts for more than one of the same.
        return answered and left > failure.others and failure.calls < SAME_FIRST
    # A silent route is not asked again.
    return answered or not isinstance(failure.error, UpstreamTimeout)


def counts_against(error: GatewayError, status: int | None) -> bool:
    """Whether a failure tells of the provider's health: what the caller did wrong does not."""
    if status is not None and 400 <= status < 500 and status not in PASSING:
        return False
    return _trigger(error, status) is None and error.status >= 500


def _trigger(error: GatewayError, status: int | None) -> Trigger | None:
    """The kind of a failure that no repetition mends."""
    if isinstance(error, ContextLengthExceeded):
        return "context_length"
    if isinstance(error, ContentFiltered):
        return "content_filter"
    if isinstance(error, ModelNotFound):
        return "model_not_found"
    if isinstance(error, KeyRefused):
        return "unauthorized"
    if isinstance(error, InvalidRequest) and status not in PASSING:
        return "invalid"
    return None


def _backoff(retries: int, config: RetryConfig, chance: float) -> float:
    longest = min(config.initial_backoff * config.backoff_factor**retries, config.max_backoff)
    return longest * (1.0 - config.jitter * chance)
