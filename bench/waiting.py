"""Waiting for what other processes do."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def until(done: Callable[[], bool], seconds: float, what: str) -> None:
    """Return when `done` says so, which may raise OSError meanwhile; SystemExit if it never does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if done():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"bench: waited {seconds:g} s in vain for {what}")


def say(text: str) -> None:
    """Progress: to stderr, stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def bar(title: str) -> Callable[[float], None]:
    """A progress bar on stderr, told which part is done."""

    def said(part: float) -> None:
        done = int(30 * part)
        end = "\n" if part >= 1 else ""
        sys.stderr.write(f"\r{title:34} [{'#' * done}{'.' * (30 - done)}] {part:4.0%}{end}")
        sys.stderr.flush()

    return said
