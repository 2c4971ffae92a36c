"""Which port a service listens on: loopback only, and below the range of outgoing connections."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy.services.terminal import ServiceError, setting

HOST = "127.0.0.1"
# Linux gives outgoing connections 32768 and up: a listener there may find its port taken.
LIMIT = 32768
SPAN = 500


@dataclass(frozen=True)
class Port:
    """A port's name within its service, the variable that sets it, and the default."""

    name: str
    variable: str
    default: int


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def claim(port: int) -> IO[str] | None:
    """Nothing if somebody listens there or claims it; else a claim on it, which ends with close().

    Between choosing a port and listening on it, nothing else keeps two starters from the same one.
    """
    folder = Path(tempfile.gettempdir()) / f"sluice-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = (folder / str(port)).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    if not is_free(port):
        file.close()
        return None
    return file


@contextmanager
def chosen(wanted: tuple[Port, ...], remembered: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """The variable's port, which must be free; else last time's or the default or the next free one.

    They are claimed inside the block: start there what listens on them.
    """
    ports: dict[str, int] = {}
    with ExitStack() as claims:
        for port in wanted:
            given = setting(port.variable)
            if given:
                held = _given(port, given)
            else:
                held = _next_free(remembered.get(port.name, port.default))
            claims.enter_context(held)
            ports[port.name] = int(Path(held.name).name)
        yield ports


def _given(port: Port, value: str) -> IO[str]:
    if not value.isdigit() or not 0 < int(value) < LIMIT:
        raise ServiceError(f"{port.variable}={value}: give a port below {LIMIT}")
    held = claim(int(value))
    if held is None:
        raise ServiceError(f"{port.variable}={value}: another process listens there")
    return held


def _next_free(start: int) -> IO[str]:
    for number in range(start, min(start + SPAN, LIMIT)):
        held = claim(number)
        if held is not None:
            return held
    raise ServiceError(f"no free port from {start} on")
