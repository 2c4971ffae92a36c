"""The child's side of `sluice serve`: says when it is ready, and dies with the supervisor."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from typing import Final

from msgspec import Struct

PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
PARENT_CHECK_SECONDS = 1.0  # where the kernel does not tell


class Supervision(Struct):
    """Who supervises this process, and the pipe on which it waits for a line."""

    pid: int
    descriptor: int

    @classmethod
    def parse(cls, text: str | None) -> Supervision | None:
        """From SLUICE_SUPERVISOR, `pid:descriptor`."""
        if not text:
            return None
        pid, _, descriptor = text.partition(":")
        return cls(int(pid), int(descriptor))

    def die_with_it(self) -> None:
        """Have the kernel kill this process when the supervisor ends, whatever ends it.

        SIGKILL and not SIGTERM: a role that drained after its supervisor was gone would hold its
        port and its partitions against the next start, and every role survives a kill anyway.
        """
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self.pid:  # it ended before the kernel knew our wish
            os._exit(1)

    async def watch(self) -> None:
        """The same where the kernel has no such service: looks once a second."""
        if sys.platform == "linux":
            return
        while os.getppid() == self.pid:  # noqa: ASYNC110 - nothing announces the end of a parent
            await asyncio.sleep(PARENT_CHECK_SECONDS)
        os._exit(1)

    def ready(self, address: str) -> None:
        """Tell the supervisor, once; later calls do nothing."""
        if self.descriptor < 0:
            return
        descriptor, self.descriptor = self.descriptor, -1
        try:
            os.write(descriptor, address.encode() + b"\n")
            os.close(descriptor)
        except OSError:  # the supervisor has gone: we are about to go too
            return
