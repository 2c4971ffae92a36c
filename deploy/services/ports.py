"""Which port a service listens on: loopback only, and below the range of outgoing connections."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

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


def choose(wanted: tuple[Port, ...], remembered: Mapping[str, int]) -> dict[str, int]:
    """The variable's port, which must be free; else last time's or the default or the next free one."""
    chosen: dict[str, int] = {}
    for port in wanted:
        given = setting(port.variable)
        if given:
            chosen[port.name] = _given(port, given)
        else:
            start = remembered.get(port.name, port.default)
            chosen[port.name] = _next_free(start, set(chosen.values()))
    return chosen


def _given(port: Port, value: str) -> int:
    if not value.isdigit() or not 0 < int(value) < LIMIT:
        raise ServiceError(f"{port.variable}={value}: give a port below {LIMIT}")
    if not is_free(int(value)):
        raise ServiceError(f"{port.variable}={value}: another process listens there")
    return int(value)


def _next_free(start: int, taken: set[int]) -> int:
    for number in range(start, min(start + SPAN, LIMIT)):
        if number not in taken and is_free(number):
            return number
    raise ServiceError(f"no free port from {start} on")
