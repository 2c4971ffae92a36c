"""Fixtures of the broker's tests: a broker in this process, and clients of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sluice.broker import Broker, BrokerConfig
from tests.sluice.broker.support import HandClock, RawClient

StartBroker = Callable[..., Awaitable[Broker]]
Connect = Callable[[Broker], Awaitable[RawClient]]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def start_broker(tmp_path: Path, clock: HandClock) -> AsyncIterator[StartBroker]:
    """`await start_broker(**settings)`: on the test's folder; closed at the end if it still runs."""
    running: list[Broker] = []

    async def start(**settings: Any) -> Broker:
        broker = Broker(BrokerConfig(folder=tmp_path / "broker", **settings), clock)
        await broker.start()
        running.append(broker)
        return broker

    yield start
    for broker in running:
        if not broker.failed.done():
            await broker.close()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    clients: list[RawClient] = []

    async def opened(broker: Broker) -> RawClient:
        reader, writer = await asyncio.open_connection(broker.address.host, broker.address.port)
        clients.append(RawClient(reader, writer))
        return clients[-1]

    yield opened
    for client in clients:
        client.close()
