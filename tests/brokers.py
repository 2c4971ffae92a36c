"""Both brokers on which the product must behave alike: the embedded one and real Kafka."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests import services
from tests.stack import Process

BROKERS = ("embedded", "kafka")


class EmbeddedBroker:
    """`sluice broker` as a process, which a test may kill and start again: folder and port stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port = services.free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        self._env = {
            "SLUICE_BROKER_PORT": str(port),
            "SLUICE_DATA_DIR": str(folder / "broker-data"),
            "LOG_FORMAT": "json",
        }
        self.process: Process | None = None

    async def start(self) -> None:
        """Returns when it listens."""
        self.process = Process(self._folder, self._env, "broker")
        await self.process.ready()

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.erase()
            self.process = None


@asynccontextmanager
async def embedded_broker(folder: Path) -> AsyncIterator[EmbeddedBroker]:
    """Running until the end of the block."""
    broker = EmbeddedBroker(folder)
    try:
        await broker.start()
        yield broker
    finally:
        broker.kill()
