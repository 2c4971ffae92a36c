"""What these scripts read from the environment and write to the terminal."""

import os
import sys
import threading

_lock = threading.Lock()


class ServiceError(Exception):
    """A service could not be installed, started or stopped; the message says why and what to do."""


def setting(name: str, default: str = "") -> str:
    """One environment variable; an empty one counts as not set."""
    return os.environ.get(name) or default  # noqa: TID251 - runs before the project is installed


def say(line: str) -> None:
    """To stderr: stdout belongs to the command that `run` wraps. One write, threads report too."""
    with _lock:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
