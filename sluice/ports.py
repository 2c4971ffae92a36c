"""Ports for what needs one and nobody named."""

from __future__ import annotations

import random
import socket

# Linux gives outgoing connections 32768 and up: a listener there may find its port taken later.
FIRST, LAST = 20_000, 32_767
ATTEMPTS = 200


def problem(host: str, port: int) -> str | None:
    """Why nothing can listen there, or None."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which something can listen now; OSError if there is none."""
    for _ in range(ATTEMPTS):
        port = random.randint(FIRST, LAST)
        if problem(host, port) is None:
            return port
    raise OSError(f"no free port from {FIRST} to {LAST} on {host}")
