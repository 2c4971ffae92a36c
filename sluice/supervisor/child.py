"""One child process: started, waited for, restarted when it dies, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping

import structlog
from msgspec import Struct

from schemas.clock import Clock
from schemas.tasks import Tasks
from sluice.supervisor.relay import Relay

log = structlog.get_logger()

FIRST_BACKOFF = 0.1  # seconds
MAX_BACKOFF = 10.0
RAN_WELL = 30.0  # seconds after which the next death counts as the first
FAULT_POINT = "SLUICE_FAULT_POINT"


class ChildFailed(Exception):
    """A child ended before it was ever ready; its own log says why."""


class Spec(Struct, frozen=True):
    """What to run."""

    role: str
    command: tuple[str, ...]
    environment: Mapping[str, str]  # all of it


class Child:
    """Keeps one process running until it is stopped.

    A child that ends before its first readiness is not tried again: whatever is wrong (a port, a
    file, a setting) will be wrong the next time too.
    """

    def __init__(self, spec: Spec, relay: Relay, clock: Clock, tasks: Tasks) -> None:
        self.spec = spec
        self.restarts = 0
        self._relay = relay
        self._clock = clock
        self._tasks = tasks
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        # The address that the child names when it is first ready; ChildFailed if it ends before.
        self.ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that runs at the moment."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    def start(self) -> None:
        """Begin; returns at once."""
        self._keeper = self._tasks.start(self._keep(), name=f"keep {self.spec.role}")

    async def stop(self, timeout: float) -> bool:
        """SIGTERM, then SIGKILL after `timeout` seconds; whether the first sufficed."""
        self._stopping.set()
        if self._keeper is None:
            return True
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait([self._keeper], timeout=max(timeout, 0))
        if not done:
            log.warning("child_killed", child=self.spec.role, after_seconds=round(timeout, 1))
            self.kill()
            await asyncio.wait([self._keeper])
        return bool(done)

    def reread(self) -> None:
        """SIGHUP, if it has come so far as to know what that means."""
        if self.ready.done():
            self._signal(signal.SIGHUP)

    def kill(self) -> None:
        """SIGKILL, and no restart."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                return

    async def _keep(self) -> None:
        backoff = FIRST_BACKOFF
        while not self._stopping.is_set():
            started = self._clock.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                break
            if not self.ready.done():
                self._fail(_ending(self.spec.role, code))
                return
            if self._clock.monotonic() - started > RAN_WELL:
                backoff = FIRST_BACKOFF
            log.warning(
                "child_died",
                child=self.spec.role,
                ending=_ending(self.spec.role, code),
                restart_in_seconds=backoff,
            )
            await self._pause(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF)
            self.restarts += 1
        if not self.ready.done():
            self._fail(f"{self.spec.role} was stopped before it was ready")

    def _fail(self, reason: str) -> None:
        self.ready.set_exception(ChildFailed(reason))
        self.ready.exception()  # seen: perhaps nobody waits

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _run_once(self) -> int:
        inner, outer = os.pipe()
        environment = {**self.spec.environment, "SLUICE_SUPERVISOR": f"{os.getpid()}:{outer}"}
        if self.restarts:
            environment.pop(FAULT_POINT, None)  # it has done its work
        try:
            process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(outer,),
            )
        finally:
            os.close(outer)
        self._process = process
        if self._stopping.is_set():
            self._signal(signal.SIGTERM)  # asked to stop while it was being started
        assert process.stdout is not None
        relayed = self._tasks.start(
            self._relay.pass_on(self.spec.role, process.stdout), name=f"log of {self.spec.role}"
        )
        listening = self._tasks.start(self._listen(inner), name=f"readiness of {self.spec.role}")
        code = await process.wait()
        # Its last words may still be in the pipe; a grandchild may keep the pipe open for ever.
        await asyncio.wait([relayed, listening], timeout=1)
        for task in (relayed, listening):
            task.cancel()
        return code

    async def _listen(self, inner: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(inner, "rb", 0)
        )
        try:
            line = await reader.readline()
        finally:
            transport.close()
        if not line:
            return
        if not self.ready.done():
            self.ready.set_result(line.decode().strip())
        else:
            log.info("child_restarted", child=self.spec.role, pid=self.pid, restarts=self.restarts)


def _ending(role: str, code: int) -> str:
    if code < 0:
        return f"{role} was ended by {signal.Signals(-code).name}"
    return f"{role} ended with exit code {code}"
