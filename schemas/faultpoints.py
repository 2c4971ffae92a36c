"""Fault points: in the crash tests a process kills itself between two effects.

`SLUICE_FAULT_POINT=name` or `name:n` (the n-th time, from 1) arms one; nothing is armed otherwise.
"""

from __future__ import annotations

import os
import signal
from typing import Literal, get_args

FaultPoint = Literal[
    "ingress.spooled",  # a large body is in its file, no record refers to it yet
    "ingress.accepted",  # the request is acknowledged by the log, nothing was answered
    "ingress.first_reply",  # the first reply was read, nothing of it was written to the client
    "ingress.mid_stream",  # part of a stream was written to the client
    "streams.delivered",  # a request was delivered by the consumer, no task yet
    "streams.started",  # its task runs, the provider was not called
    "streams.counted",  # its redelivery was counted in the exchanges, it has not run yet
    "streams.called",  # the provider's response headers are there
    "streams.first_reply",  # the first reply is acknowledged
    "streams.mid_stream",  # some chunks of a stream were sent
    "streams.answered",  # the upstream answer is whole, the exchange is not produced
    "streams.recorded",  # the exchange is acknowledged, the last reply is not produced
    "streams.remembered",  # its idempotency key is acknowledged, the last reply is not produced
    "streams.result_kept",  # a batch line's result is in its file, the offset is not marked finished
    "streams.replied",  # the last reply is acknowledged, the offset is not marked finished
    "streams.finished",  # the offset is marked finished, not committed
    "streams.committed",  # the commit was acknowledged
    "streams.handed",  # the last reply is acknowledged, the partition's new owner was not told
    "streams.moved",  # a pinned request was produced again, its old offset is not finished
    "streams.batch_planned",  # it is written which lines go into the log next, none of them is there
    "streams.batch_submitted",  # they are there, that is not written
    "streams.batch_written",  # output and error file are written, the batch has not ended
    "streams.revoked",  # partitions were revoked, nothing committed yet
    "sinks.read",  # a batch was read, nothing written
    "sinks.written",  # a batch is in the store, the offsets are not committed
    "sinks.committed",  # the offsets are committed
]
FAULT_POINTS: tuple[str, ...] = get_args(FaultPoint)

_armed: dict[str, int] = {}  # name -> how many more times it is passed


def arm(spec: str) -> None:
    """Arm one point; ValueError names an unknown one."""
    name, _, count = spec.partition(":")
    if name not in FAULT_POINTS:
        raise ValueError(f"unknown fault point {name!r}; known: {', '.join(FAULT_POINTS)}")
    _armed[name] = int(count or 1)


def reach(name: FaultPoint) -> None:
    """Die here by SIGKILL if this point is armed."""
    if _armed and name in _armed:
        _armed[name] -= 1
        if _armed[name] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
