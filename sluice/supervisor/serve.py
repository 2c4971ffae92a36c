"""The supervisor's life: start in order, watch, stop in order."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

import structlog

from schemas.clock import Clock, SystemClock
from schemas.tasks import Tasks
from sluice import ports, telemetry
from sluice.settings import Settings, gateway
from sluice.supervisor import banner
from sluice.supervisor.child import Child, ChildFailed, Spec
from sluice.supervisor.plan import STOP_ORDER, Plan
from sluice.supervisor.relay import Relay
from sluice.supervisor.state import DataDirUnusable, owned

log = structlog.get_logger()

EXIT_FAILED = 1
EXIT_FORCED = 130
# Wrappers such as timeout(1) send a signal to the process and to its group: that is one wish.
SAME_INTERRUPT = 0.3  # seconds
RESERVE = 0.03  # of SHUTDOWN_TIMEOUT, for the supervisor itself


class Supervisor:
    """The children, and the order among them."""

    def __init__(
        self,
        roles: list[str],
        spec: Callable[[str], Spec],
        started: Callable[[str, str], None],
        relay: Relay,
        clock: Clock,
    ) -> None:
        """`spec` is asked when a role's turn comes, `started` told the address when it is ready."""
        self._roles = roles
        self._spec = spec
        self._started = started
        self._relay = relay
        self._clock = clock
        self._tasks = Tasks()
        self._stop = asyncio.Event()
        self.children: dict[str, Child] = {}
        self.forced = False
        self._asked = 0.0

    def stop(self) -> None:
        """Ask for an orderly end."""
        if not self._stop.is_set():
            self._asked = self._clock.monotonic()
            self._stop.set()

    def reread(self) -> None:
        """SIGHUP: all that run read their files again."""
        for child in self.children.values():
            child.reread()

    def interrupt(self) -> None:
        """Ctrl-C: the first asks for an orderly end, the second ends at once."""
        if not self._stop.is_set():
            self.stop()
        elif self._clock.monotonic() - self._asked > SAME_INTERRUPT:
            self.forced = True
            for child in self.children.values():
                child.kill()

    async def start(self) -> bool:
        """Start all, one after the other; False if a stop was asked for. May raise ChildFailed."""
        for role in self._roles:
            if self._stop.is_set():
                return False
            child = Child(self._spec(role), self._relay, self._clock, self._tasks)
            self.children[role] = child
            child.start()
            stopped = self._tasks.start(self._stop.wait(), name="wait for a stop")
            await asyncio.wait((child.ready, stopped), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not child.ready.done():
                return False
            self._started(role, child.ready.result())
        return True

    async def wait(self) -> None:
        """Until a stop is asked for."""
        await self._stop.wait()

    async def drain(self, timeout: float, seconds: Callable[[str], float]) -> bool:
        """Stop all in order within `timeout`, each within its `seconds`; whether none had to be killed.

        What one role leaves of its time goes to those after it.
        """
        self._stop.set()
        deadline = self._clock.monotonic() + timeout * (1 - RESERVE)
        present = [role for role in STOP_ORDER if role in self.children]
        clean = True
        for index, role in enumerate(present):
            later = sum(seconds(other) for other in present[index + 1 :])
            left = deadline - self._clock.monotonic() - later
            clean = await self.children[role].stop(max(left, 0.1)) and clean
        await self._tasks.drain(1.0)
        await self._tasks.abort()
        return clean and not self.forced


async def serve(settings: Settings, environment: Mapping[str, str], out: TextIO) -> int:
    """Everything on this machine, until a signal; the exit code."""
    colour = telemetry.colours(settings)
    relay = Relay(sys.stderr, telemetry.log_format(settings) == "json", colour)
    plan = Plan(settings, environment, colour=colour)
    supervisor = Supervisor(plan.roles, plan.spec, plan.started, relay, SystemClock())
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, supervisor.interrupt)
    loop.add_signal_handler(signal.SIGTERM, supervisor.stop)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reread)
    tasks = Tasks()
    code = 0
    try:
        if await supervisor.start():
            tasks.start(banner.show(plan, out), name="banner")
            await supervisor.wait()
            log.info("stopping", seconds=settings[gateway.SHUTDOWN_TIMEOUT])
    except ChildFailed as error:
        log.error("cannot_start", reason=str(error))  # noqa: TRY400 - the child's own log says why
        code = EXIT_FAILED
    finally:
        await tasks.abort()
        clean = await supervisor.drain(settings[gateway.SHUTDOWN_TIMEOUT], plan.stop_seconds)
    if supervisor.forced:
        return EXIT_FORCED
    log.info("stopped", clean=clean)
    return code


def run(settings: Settings, environment: Mapping[str, str]) -> int:
    """`sluice serve`; returns the exit code."""
    telemetry.configure(settings, "serve", supervised=True)
    telemetry.tell(settings)
    try:
        with owned(settings.data_dir):
            host, port = settings[gateway.HOST], settings[gateway.PORT]
            if problem := ports.problem(host, port):
                log.error("cannot_start", reason=f"{host}:{port}: {problem}; set PORT or HOST")
                return EXIT_FAILED
            return asyncio.run(serve(settings, environment, sys.stdout))
    except DataDirUnusable as error:
        log.error("cannot_start", reason=str(error))  # noqa: TRY400 - the message is the remedy
    return EXIT_FAILED
