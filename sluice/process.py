"""One role as one process: event loop, garbage collection, signals, readiness, exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable

import structlog
import uvloop
from msgspec import Struct, field

from schemas import faultpoints
from schemas.clock import Clock, SystemClock
from schemas.errors import GatewayError
from schemas.metrics import Metrics
from schemas.tasks import Tasks
from sluice import telemetry
from sluice.settings import Settings, gateway
from sluice.settings.sources import share_the_cores
from sluice.supervised import Supervision

log = structlog.get_logger()

EXIT_CRASHED = 1
EXIT_INTERRUPTED = 130
# A busy loop would keep the consumer's thread waiting for the 5 ms default at each switch.
SWITCH_INTERVAL = 0.0005
GC_THRESHOLDS = (50_000, 20, 20)


class CannotStart(Exception):
    """The role cannot run here; the message says what to mend. Logged without a traceback."""


class Context(Struct):
    """What a role is given."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    stop: asyncio.Event  # set once, by a signal
    ready: Callable[[str], None]  # called once, with the address if the role has one
    rereads: list[Callable[[], None]] = field(default_factory=list)  # called at each SIGHUP


Role = Callable[[Context], Awaitable[None]]


def run(name: str, role: Role, settings: Settings) -> int:
    """Run `role` in this process until it ends or a signal asks it to; returns the exit code."""
    supervision = Supervision.parse(settings[gateway.SUPERVISOR])
    if supervision:
        supervision.die_with_it()
    telemetry.configure(settings, name, supervised=supervision is not None)
    if supervision is None:
        telemetry.tell(settings)
    if point := settings[gateway.FAULT_POINT]:
        faultpoints.arm(point)
        log.warning("fault_point_armed", point=point)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(*GC_THRESHOLDS)
    share_the_cores()
    # Installed and not only run: aiokafka's consumer thread makes a loop of its own.
    uvloop.install()
    try:
        asyncio.run(_supervised(name, role, settings, supervision))
    except (CannotStart, GatewayError) as error:
        log.error("cannot_start", reason=str(error))  # noqa: TRY400 - the message is the remedy
        return EXIT_CRASHED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BaseException:
        log.exception("crashed")
        return EXIT_CRASHED
    log.info("stopped")
    return 0


def leave(code: int) -> None:
    """End the process. Threads that a crashed role left behind are not waited for."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    others = [t for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon]
    if others:
        os._exit(code)
    sys.exit(code)


async def _supervised(
    name: str, role: Role, settings: Settings, supervision: Supervision | None
) -> None:
    # Every request runs through some asynchronous generators, each closed by whoever reads it; the
    # loop's list of the living ones costs more than it gives.
    sys.set_asyncgen_hooks(firstiter=None)
    stop = asyncio.Event()
    rereads: list[Callable[[], None]] = []
    _signals(stop, rereads, ignore_interrupt=supervision is not None)
    tasks = Tasks()
    if supervision:
        tasks.start(supervision.watch(), name="watch the supervisor")

    def ready(address: str = "") -> None:
        # What lives now lives long: no collection need look at it again.
        gc.collect()
        gc.freeze()
        log.info("ready", pid=os.getpid(), **({"address": address} if address else {}))
        if supervision:
            supervision.ready(address)

    try:
        await role(Context(settings, SystemClock(), Metrics(), stop, ready, rereads))
        if not stop.is_set():
            raise CannotStart(f"{name} ended although nobody had asked it to")
    finally:
        await tasks.abort()


def _signals(
    stop: asyncio.Event, rereads: list[Callable[[], None]], *, ignore_interrupt: bool
) -> None:
    """SIGTERM, and Ctrl-C if it is ours, set `stop`; a second Ctrl-C ends the process at once. At SIGHUP
    files are read again."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if stop.is_set():
            os._exit(EXIT_INTERRUPTED)
        stop.set()

    def hung_up() -> None:
        for reread in rereads:
            reread()

    loop.add_signal_handler(signal.SIGHUP, hung_up)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if ignore_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    else:
        loop.add_signal_handler(signal.SIGINT, interrupted)
