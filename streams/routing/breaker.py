"""A circuit breaker: stops asking what fails, and looks now and then whether it works again."""

from __future__ import annotations

from typing import Literal

from streams.routing.config import BreakerConfig

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Of one model at one instance. Times are monotonic seconds, given by whoever asks.

    Open after so many failures in a row; then one probe at a time, the first after `first_probe`,
    each next one after twice as long up to `timeout`; closed after so many good probes in a row.
    """

    __slots__ = ("_config", "_failures", "_interval", "_probing", "_successes", "_until", "state")

    def __init__(self, config: BreakerConfig) -> None:
        self._config = config
        self.state: State = "closed"
        self._failures = 0
        self._successes = 0
        self._interval = config.first_probe
        self._until = 0.0
        self._probing = False

    def available(self, now: float) -> bool:
        """Whether a call would be let through."""
        if self.state == "closed":
            return True
        return not self._probing and (self.state == "half_open" or now >= self._until)

    def enter(self, now: float) -> bool:
        """Let a call through, which must end with exactly one of the three verdicts below."""
        if self.state == "closed":
            return True
        if not self.available(now):
            return False
        self.state = "half_open"
        self._probing = True
        return True

    def answering(self) -> None:
        """A call that was let through has begun to answer. However long it goes on, the next probe
        need not wait for its end."""
        self._probing = False

    def succeeded(self) -> None:
        self._failures = 0
        if self.state != "half_open":
            return  # one that is open learns nothing from a call that began before
        self._probing = False
        self._successes += 1
        if self._successes >= self._config.success_threshold:
            self.state = "closed"
            self._successes = 0
            self._interval = self._config.first_probe

    def failed(self, now: float) -> None:
        if self.state == "closed":
            self._failures += 1
            threshold = self._config.failure_threshold
            if threshold and self._failures >= threshold:
                self._open(now)
            return
        if self.state == "open":
            return  # of many that ran when it opened, each would make the outage longer
        self._probing = False
        self._successes = 0
        self._interval = min(self._interval * 2, self._config.timeout)
        self._open(now)

    def abandoned(self) -> None:
        """The call ended without telling anything of the provider: it was cancelled."""
        self._probing = False

    def retry_in(self, now: float) -> float:
        """Seconds until the next probe may be sent."""
        return max(0.0, self._until - now) if self.state == "open" else 0.0

    def _open(self, now: float) -> None:
        self.state = "open"
        self._failures = 0
        self._until = now + min(self._interval, self._config.timeout)
