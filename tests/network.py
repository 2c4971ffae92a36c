"""The network guard: a test process talks to loopback and to nobody else."""

import faulthandler
import ipaddress
import os
import sys
import threading
from typing import Any

import uvloop

CLOSING = 60.0  # seconds


class NetworkBlocked(RuntimeError):
    """Not an OSError, so that no retry or fallback of the code under test hides it."""


def check(host: object) -> None:
    """Raise NetworkBlocked unless the host is loopback (or none at all: a wildcard to listen on)."""
    if host is None:
        return
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in {"", "localhost"}:
        return
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        raise NetworkBlocked(f"a test looks up {name!r}") from None
    if not address.is_loopback and not address.is_unspecified:
        raise NetworkBlocked(f"a test talks to {name}")


def install() -> None:
    """Guard Python's own sockets, for the rest of the process: an audit hook cannot be taken back."""
    sys.addaudithook(_audit)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        # A tuple is an internet address, a string the path of a local socket.
        if isinstance(args[1], tuple):
            check(args[1][0])
    elif event == "socket.getaddrinfo":
        check(args[0])


def _give_up() -> None:
    faulthandler.dump_traceback(all_threads=True)
    os._exit(os.EX_SOFTWARE)


class LoopbackLoop(uvloop.Loop):
    """uvloop as in production; it connects in C, where no audit hook sees it."""

    def close(self) -> None:
        """Waits, in C, for handles that are closing, where pytest-timeout cannot end it; it was seen to
        wait for ever. The process then dies, and xdist names the test and goes on with another one."""
        watch = threading.Timer(CLOSING, _give_up)
        watch.daemon = True
        watch.start()
        try:
            super().close()
        finally:
            watch.cancel()

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        check(host)
        return await super().create_connection(protocol_factory, host, port, **options)

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        check(host)
        return await super().getaddrinfo(host, port, **options)
