"""A worker whose Faust is stock: acknowledged by Faust's own book-keeping, committed by its own rule.

Everything else is the product's. Run as `python -m tests.crash.stock_worker streams`.
"""

from typing import Any, ClassVar

from faust.transport.drivers import aiokafka as driver

from sluice.cli import main
from streams import app, assigned, transport


class StockThread(driver.AIOKafkaConsumerThread):
    """With a usable fetch wait; its hard-coded 1.5 s would only make the test slow."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = 100
        return consumer


class StockConsumer(driver.Consumer):
    """Faust's consumer under the names by which the worker asks ours."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ledgers: dict[Any, Any] = {}
        self.deliveries = 0
        self.ready: frozenset[Any] = frozenset()

    def _new_consumer_thread(self) -> Any:
        return StockThread(self, loop=self.loop, beacon=self.beacon)

    def ledger(self, topic: str, partition: int) -> None:
        return None

    def lag(self, topic: str) -> int:
        return 0

    def waiting(self) -> int:
        return 0

    def lags(self) -> dict[Any, int]:
        return {}

    def unadopted(self) -> bool:
        return False

    async def commit_last(self) -> None:
        await self.commit()


class StockTransport(driver.Transport):
    Consumer = StockConsumer


class Partitions(assigned.Assigned):
    """Keeps the messages, because Faust acknowledges a message and not an offset."""

    messages: ClassVar[dict[Any, Any]] = {}

    def attach(self, delivery: Any, position: Any) -> None:
        self.messages[position] = delivery.message

    def redelivered(self, position: Any) -> bool:
        return False

    def finish(self, position: Any) -> None:
        self._consumer.ack(self.messages.pop(position))


if __name__ == "__main__":
    transport.Transport = StockTransport  # type: ignore[misc, assignment]
    app.Assigned = Partitions  # type: ignore[misc]
    main()
