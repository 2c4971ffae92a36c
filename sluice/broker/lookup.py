"""What every client asks first: who leads, what exists, where logs begin and end."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.broker.catalog import Catalog
from sluice.broker.errors import Code, KafkaError
from sluice.broker.wire import Message

_NODE = 1
_NO_OPERATIONS = -(1 << 31)
_LATEST, _EARLIEST = -1, -2  # instead of a timestamp


@dataclass(slots=True)
class Address:
    """Where clients reach the broker; known once it listens."""

    host: str
    port: int


class Lookup:
    """Answers about the one node and its topics."""

    def __init__(self, catalog: Catalog, address: Address) -> None:
        self.catalog = catalog
        self.address = address

    def metadata(self, request: Message, version: int) -> Message:
        names = request["topics"]
        if names is None or (version == 0 and not names):
            names = list(self.catalog.topics)
        return {
            "brokers": [self._node()],
            "cluster": self.catalog.cluster,
            "controller": _NODE,
            "topics": [self._topic(name) for name in names],
            "ops": _NO_OPERATIONS,
        }

    def _node(self) -> Message:
        return {"node": _NODE, "host": self.address.host, "port": self.address.port}

    def _topic(self, name: str) -> Message:
        count = len(self.catalog.partitions(name))
        return {
            "error": Code.NONE if count else Code.UNKNOWN_TOPIC_OR_PARTITION,
            "name": name,
            "ops": _NO_OPERATIONS,
            "partitions": [
                {"index": number, "leader": _NODE, "replicas": [_NODE], "isr": [_NODE]}
                for number in range(count)
            ],
        }

    def find_coordinator(self, request: Message) -> Message:
        if request.get("type", 0) != 0:
            return {
                "error": Code.INVALID_REQUEST,
                "message": "no transactions",
                "node": -1,
                "host": "",
                "port": -1,
            }
        return self._node()

    async def list_offsets(self, request: Message) -> Message:
        """Offsets by time, looked up in a thread."""
        topics = []
        for topic in request["topics"]:
            parts = [await self._offset(topic["name"], part) for part in topic["partitions"]]
            topics.append({"name": topic["name"], "partitions": parts})
        return {"topics": topics}

    async def _offset(self, name: str, part: Message) -> Message:
        result: Message = {"index": part["index"], "timestamp": -1, "offset": -1, "epoch": -1}
        when = part["timestamp"]
        try:
            partition = self.catalog.partition(name, part["index"])
            if when == _LATEST:
                result["offset"] = partition.end
            elif when == _EARLIEST:
                result["offset"] = partition.start
            elif when < 0:
                raise KafkaError(Code.UNSUPPORTED_VERSION)
            else:
                result["offset"], result["timestamp"] = await partition.offset_at(when)
        except KafkaError as exc:
            return result | {"error": exc.code}
        except OSError:
            return result | {"error": Code.KAFKA_STORAGE_ERROR}
        return result if result["offset"] < 0 else result | {"epoch": 0}

    def producer_id(self, request: Message) -> Message:
        if request["transaction"] is not None:
            return {"error": Code.INVALID_REQUEST, "producer": -1, "epoch": -1}
        return {"producer": self.catalog.producer_id()}
