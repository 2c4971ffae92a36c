"""A sink process for tests that kill it: `python -m tests.sinks.sink_process BOOTSTRAP PREFIX DATABASE`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from schemas import faultpoints
from schemas.clock import SystemClock
from schemas.kafka import KafkaConfig
from schemas.metrics import Metrics
from schemas.topics import Topics
from sinks.config import SinkConfig
from sinks.runner import run


async def main() -> None:
    bootstrap, prefix, path = sys.argv[1:]
    if point := os.environ.get("SLUICE_FAULT_POINT"):
        faultpoints.arm(point)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = SinkConfig(
        sqlite_path=path, retention_days=0, batch_size=50, batch_wait=0.05, session_timeout=6.0
    )
    kafka = KafkaConfig(bootstrap_servers=bootstrap, topics=Topics(prefix))
    await run(config, kafka, SystemClock(), Metrics(), stop)


asyncio.run(main())
