"""What a sink process says of itself each second on `llm.control`."""

from __future__ import annotations

import asyncio
import os
import socket

import structlog
from aiokafka.errors import KafkaError

from schemas import control
from schemas.clock import Clock
from schemas.control import Heartbeat
from schemas.ids import new_id
from sinks.consumer import Consumer

log = structlog.get_logger()

INTERVAL = 1.0  # seconds
SEND_TIMEOUT = 2.0


class Heartbeats:
    """Best effort: one that cannot be sent is left out, for the next one says more."""

    def __init__(self, topic: str, clock: Clock) -> None:
        self.consumer: Consumer | None = None  # set by the runner while there is one
        self.in_hand = 0  # records read and not committed
        self.lag: dict[int, int] = {}  # by partition, as of the last beat
        self._topic = topic
        self._clock = clock
        self._boot_id = new_id(int(clock.time() * 1000))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if (consumer := self.consumer) is not None:
                await self.beat(consumer)
            await asyncio.sleep(INTERVAL)

    async def beat(self, consumer: Consumer, *, stopping: bool = False) -> None:
        self.lag = await consumer.lag()
        value, headers = control.encode(
            Heartbeat(
                role="sinks",
                boot_id=self._boot_id,
                host=socket.gethostname(),
                pid=os.getpid(),
                time=self._clock.time(),
                stopping=stopping,
                partitions=consumer.partitions,
                running=self.in_hand,
                lag=sum(self.lag.values()),
            )
        )
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await consumer.producer.send_and_wait(self._topic, value, headers=headers)
        except (KafkaError, TimeoutError) as error:
            log.debug("heartbeat_not_sent", error=repr(error))
