"""What administrators ask: topics, partitions, settings, deleted records."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sluice.broker.catalog import Catalog, Settings
from sluice.broker.disk import disk_trouble
from sluice.broker.errors import Code, KafkaError
from sluice.broker.groups import Groups
from sluice.broker.segment import Segment
from sluice.broker.topic_config import DEFAULTS
from sluice.broker.wire import Message

_TOPIC, _BROKER = 2, 4  # kinds of resources
_SET, _DELETE, _APPEND, _SUBTRACT = range(4)  # operations of an incremental change
_OWN, _DEFAULT = 1, 5  # where a setting comes from


class Admin:
    """Requests in, responses out; what failed is told per topic. `broker_settings` are read-only."""

    def __init__(self, catalog: Catalog, groups: Groups, broker_settings: dict[str, str]) -> None:
        self.catalog = catalog
        self.groups = groups
        self.broker_settings = broker_settings

    async def create_topics(self, request: Message) -> Message:
        validate = bool(request.get("validate"))
        results = []
        for topic in request["topics"]:
            error, text = self._attempt(partial(self._create, topic, validate))
            results.append({"name": topic["name"], "error": error, "message": text})
        await self._flushed()
        return {"topics": results}

    def _create(self, topic: Message, validate: bool) -> None:
        placed = topic["assignments"]
        count = len(placed) if placed else topic["partitions"]
        if not placed and topic["replication"] not in (1, -1):
            raise KafkaError(Code.INVALID_REPLICATION_FACTOR, "There is one broker.")
        settings: Settings = {c["name"]: c["value"] for c in topic["configs"]}
        self.catalog.create(topic["name"], 1 if count == -1 else count, settings, validate=validate)

    async def delete_topics(self, request: Message) -> Message:
        results, folders = [], list[Path]()
        for name in request["topics"]:
            error, _ = self._attempt(partial(self._delete, name, folders))
            results.append({"name": name, "error": error})
        for folder in folders:
            await self.catalog.store.disk.write(shutil.rmtree, folder, ignore_errors=True)
        await self._flushed()
        return {"topics": results}

    def _delete(self, name: str, folders: list[Path]) -> None:
        folders += self.catalog.delete(name)
        self.groups.forget_topic(name)

    async def create_partitions(self, request: Message) -> Message:
        results = []
        for topic in request["topics"]:
            error, text = self._attempt(
                partial(
                    self.catalog.grow, topic["name"], topic["count"], validate=request["validate"]
                )
            )
            results.append({"name": topic["name"], "error": error, "message": text})
        await self._flushed()
        return {"topics": results}

    async def delete_records(self, request: Message) -> Message:
        gone = list[Segment]()
        topics = []
        for topic in request["topics"]:
            parts = [self._drop(topic["name"], part, gone) for part in topic["partitions"]]
            topics.append({"name": topic["name"], "partitions": parts})
        for segment in gone:
            await self.catalog.store.disk.write(segment.delete)
        return {"topics": topics}

    def _drop(self, name: str, part: Message, gone: list[Segment]) -> Message:
        low = -1

        def drop() -> None:
            nonlocal low
            partition = self.catalog.partition(name, part["index"])
            if not partition.config.delete:
                raise KafkaError(Code.POLICY_VIOLATION)
            gone.extend(partition.drop_before(part["offset"]))
            low = partition.start

        error, _ = self._attempt(drop)
        return {"index": part["index"], "low": low, "error": error}

    # -- settings

    def describe_configs(self, request: Message) -> Message:
        return {"results": [self._described(resource) for resource in request["resources"]]}

    def _described(self, resource: Message) -> Message:
        kind, name = resource["type"], resource["name"]
        result: Message = {"type": kind, "name": name}
        own: Settings = {}
        if kind == _TOPIC:
            topic = self.catalog.topics.get(name)
            if topic is None:
                return result | {"error": Code.UNKNOWN_TOPIC_OR_PARTITION}
            own, full = topic.settings, {**DEFAULTS, **topic.settings}
        elif kind == _BROKER:
            full = {**self.broker_settings}
        else:
            return result | {"error": Code.INVALID_REQUEST}
        wanted = resource["keys"]
        configs = [
            {
                "name": key,
                "value": value,
                "read_only": kind == _BROKER,
                "default": key not in own,
                "source": _OWN if key in own else _DEFAULT,
            }
            for key, value in full.items()
            if wanted is None or key in wanted
        ]
        return result | {"configs": configs}

    async def alter_configs(self, request: Message) -> Message:
        """Replace all settings of each topic."""
        return await self._altered(
            request, lambda _, configs: {c["name"]: c["value"] for c in configs}
        )

    async def incremental_alter_configs(self, request: Message) -> Message:
        """Change some settings of each topic."""
        return await self._altered(request, _changed)

    async def _altered(
        self, request: Message, change: Callable[[Settings, list[Message]], Settings]
    ) -> Message:
        results = []
        for resource in request["resources"]:
            error, text = self._attempt(partial(self._alter, resource, change, request["validate"]))
            results.append(
                {
                    "type": resource["type"],
                    "name": resource["name"],
                    "error": error,
                    "message": text,
                }
            )
        await self._flushed()
        return {"results": results}

    def _alter(
        self,
        resource: Message,
        change: Callable[[Settings, list[Message]], Settings],
        validate: bool,
    ) -> None:
        if resource["type"] != _TOPIC:
            raise KafkaError(Code.INVALID_REQUEST, "Only topics have settings to change.")
        topic = self.catalog.topic(resource["name"])
        settings = change(topic.settings, resource["configs"])
        self.catalog.alter(topic.name, settings, validate=validate)

    # -- both

    @staticmethod
    def _attempt(work: Callable[[], None]) -> tuple[int, str | None]:
        try:
            work()
        except KafkaError as exc:
            return exc.code, exc.text or None
        except OSError as exc:
            disk_trouble("administration_failed", error=str(exc))
            return Code.KAFKA_STORAGE_ERROR, str(exc)
        return Code.NONE, None

    async def _flushed(self) -> None:
        if self.catalog.store.syncer.before_ack:
            await self.catalog.store.syncer.flushed()


def _changed(settings: Settings, configs: list[Message]) -> Settings:
    fresh = dict(settings)
    for config in configs:
        name, operation, value = config["name"], config["op"], config["value"]
        if operation == _DELETE:
            fresh.pop(name, None)
        elif operation == _SET:
            fresh[name] = value
        elif operation in (_APPEND, _SUBTRACT):
            fresh[name] = _listed(fresh.get(name) or DEFAULTS.get(name, ""), operation, value or "")
        else:
            raise KafkaError(Code.INVALID_REQUEST, f"Unknown operation {operation}.")
    return fresh


def _listed(before: str, operation: int, value: str) -> str:
    """A list setting with words added or removed."""
    words = [word for word in before.split(",") if word]
    change = value.split(",")
    if operation == _APPEND:
        return ",".join(dict.fromkeys([*words, *change]))
    return ",".join(word for word in words if word not in change)
