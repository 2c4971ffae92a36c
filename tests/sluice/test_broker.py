"""The embedded broker by its public interface: what the command line starts and stops."""

import asyncio
from pathlib import Path

import pytest

from sluice.broker import Broker, BrokerConfig, run


async def test_run_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """`run` tells its address, serves, and returns after `stop` with the folder free."""
    config, stop = BrokerConfig(folder=tmp_path / "b"), asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.get_running_loop().create_task(run(config, ready.set_result, stop=stop))
    host, port = (await ready).split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    stop.set()
    await running
    writer.close()
    again = Broker(config)
    await again.start()
    await again.close()


async def test_run_closes_when_it_is_cancelled(tmp_path: Path) -> None:
    """Cancelling `run` closes the broker cleanly, too."""
    config = BrokerConfig(folder=tmp_path / "b")
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.get_running_loop().create_task(run(config, ready.set_result))
    await ready
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    again = Broker(config)
    await again.start()
    await again.close()
