"""The topics: which there are, their settings, and the numbers that must outlive the process."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from sluice.broker.disk import disk_trouble
from sluice.broker.errors import Code, KafkaError
from sluice.broker.files import replace_file, sync_folder
from sluice.broker.partition import Partition, Store
from sluice.broker.topic_config import topic_config

log = structlog.get_logger()

MAX_PARTITIONS = 1024
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_PRODUCER_BLOCK = 1000  # ids reserved by one write
_DELETED = ".deleted"  # suffix of a folder that is being removed

Settings = dict[str, str | None]


@dataclass(slots=True)
class Topic:
    """A topic and the settings that it was given (not the defaults)."""

    name: str
    id: int  # another one for every topic that ever had the name
    settings: Settings
    partitions: list[Partition]


class _MetaFile:
    """What the syncer brings to the disk; replaced whole, so there is nothing to keep open."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pin(self) -> int:
        return -1

    def unpin(self) -> None:
        pass

    def sync(self) -> None:
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
        sync_folder(self.path.parent)


class Catalog:
    """All topics, kept in `meta.json`. Changes raise KafkaError and leave everything as it was."""

    def __init__(self, store: Store) -> None:
        """Load and recover every log; raises OSError or ValueError (a damaged `meta.json`)."""
        self.store = store
        self.topics: dict[str, Topic] = {}
        self._path = store.folder / "meta.json"
        self._file = _MetaFile(self._path)
        kept = json.loads(self._path.read_bytes()) if self._path.exists() else {}
        self.cluster: str = kept.get("cluster") or secrets.token_urlsafe(16)
        self.port: int = kept.get("port", 0)
        self._next_producer: int = kept.get("next_producer", 1000)
        self._reserved = self._next_producer
        for name, topic in kept.get("topics", {}).items():
            numbers = range(topic["partitions"])
            self.topics[name] = self._open(name, topic["id"], topic["settings"], numbers)
        self._remove_leftovers()
        if not kept:  # else a broker would not start on a full disk, and never empty it
            self.save()

    def _open(self, name: str, id_: int, settings: Settings, numbers: range) -> Topic:
        config = topic_config(settings)
        found: list[Partition] = []
        try:
            for number in numbers:
                found.append(Partition(self.store, name, number, config, id_))  # noqa: PERF401  # what is open must be closed
        except OSError:
            for partition in found:
                partition.close(save=False)
            raise
        return Topic(name, id_, settings, found)

    def _remove_leftovers(self) -> None:
        """Folders of a deletion or a creation that did not finish."""
        known = {partition.folder for partition in self}
        for folder in self.store.folder.iterdir():
            if folder.is_dir() and folder not in known and _is_ours(folder):
                log.info("log_folder_removed", folder=folder.name)
                shutil.rmtree(folder, ignore_errors=True)

    def __iter__(self) -> Iterator[Partition]:
        return iter([p for topic in self.topics.values() for p in topic.partitions])

    def save(self) -> None:
        """Write `meta.json`; raises OSError."""
        topics = {
            t.name: {"id": t.id, "partitions": len(t.partitions), "settings": t.settings}
            for t in self.topics.values()
        }
        kept = {
            "cluster": self.cluster,
            "port": self.port,
            "next_producer": self._reserved,
            "topics": topics,
        }
        replace_file(self._path, json.dumps(kept, indent=1).encode())
        self.store.syncer.changed(self._file)

    def partitions(self, name: str) -> Sequence[Partition]:
        topic = self.topics.get(name)
        return topic.partitions if topic else ()

    def partition(self, name: str, number: int) -> Partition:
        """Raises KafkaError(UNKNOWN_TOPIC_OR_PARTITION)."""
        topic = self.topics.get(name)
        if topic is None or not 0 <= number < len(topic.partitions):
            raise KafkaError(Code.UNKNOWN_TOPIC_OR_PARTITION)
        return topic.partitions[number]

    def topic(self, name: str) -> Topic:
        """Raises KafkaError(UNKNOWN_TOPIC_OR_PARTITION)."""
        try:
            return self.topics[name]
        except KeyError:
            raise KafkaError(Code.UNKNOWN_TOPIC_OR_PARTITION) from None

    def producer_id(self) -> int:
        """A number never given before, also after a crash."""
        if self._next_producer >= self._reserved:
            self._reserved = self._next_producer + _PRODUCER_BLOCK
            self._attempt(self.save, self._unreserve)
        self._next_producer += 1
        return self._next_producer

    def _unreserve(self) -> None:
        self._reserved = self._next_producer

    # -- changes

    def create(self, name: str, count: int, settings: Settings, *, validate: bool) -> None:
        """Make a topic, or with `validate` only check that it could be made."""
        if not _NAME.fullmatch(name) or name in (".", ".."):
            raise KafkaError(Code.INVALID_TOPIC, f"Topic name is invalid: {name!r}")
        if name in self.topics:
            raise KafkaError(Code.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
        _check_count(count)
        topic_config(settings)
        if validate:
            return

        def make() -> None:
            self.topics[name] = self._open(name, secrets.randbits(62), settings, range(count))
            self.save()

        self._attempt(make, lambda: self._forget(name))

    def _forget(self, name: str) -> None:
        if topic := self.topics.pop(name, None):
            for partition in topic.partitions:
                partition.close(save=False)

    def grow(self, name: str, count: int, *, validate: bool) -> None:
        """Add partitions up to `count`, or with `validate` only check that one could."""
        topic = self.topic(name)
        have = len(topic.partitions)
        if count <= have:
            raise KafkaError(Code.INVALID_PARTITIONS, f"Topic already has {have} partitions.")
        _check_count(count)
        if validate:
            return

        def make() -> None:
            added = self._open(name, topic.id, topic.settings, range(have, count))
            topic.partitions += added.partitions
            self.save()

        def undo() -> None:
            for partition in topic.partitions[have:]:
                partition.close(save=False)
            del topic.partitions[have:]

        self._attempt(make, undo)

    def delete(self, name: str) -> list[Path]:
        """Drop a topic at once; returns the folders that the caller removes in a thread."""
        topic = self.topic(name)
        del self.topics[name]
        self._attempt(self.save, lambda: self.topics.update({name: topic}))
        folders = []
        for partition in topic.partitions:
            partition.close(save=False)
            gone = partition.folder.with_name(
                f"{partition.folder.name}.{secrets.token_hex(4)}{_DELETED}"
            )
            partition.folder.rename(gone)  # so that a new topic may have the name now
            folders.append(gone)
        return folders

    def alter(self, name: str, settings: Settings, *, validate: bool) -> None:
        """Give a topic new settings in place of all it had, or with `validate` only check them."""
        topic = self.topic(name)
        config, before = topic_config(settings), topic.settings
        if validate:
            return
        topic.settings = settings
        self._attempt(self.save, lambda: setattr(topic, "settings", before))
        for partition in topic.partitions:
            partition.config = config

    def _attempt(self, change: Callable[[], None], undo: Callable[[], None]) -> None:
        try:
            change()
        except OSError as exc:
            undo()
            disk_trouble("catalog_not_saved", error=str(exc))
            raise KafkaError(Code.KAFKA_STORAGE_ERROR, str(exc)) from exc


def _check_count(count: int) -> None:
    if not 0 < count <= MAX_PARTITIONS:
        raise KafkaError(
            Code.INVALID_PARTITIONS, f"Number of partitions must be from 1 to {MAX_PARTITIONS}."
        )


def _is_ours(folder: Path) -> bool:
    """Whether only a log could look like this: nothing else in the data folder is ever removed."""
    names = re.fullmatch(r"[a-zA-Z0-9._-]+-\d+(\.\w+\.deleted)?", folder.name)
    return bool(names) and all(
        re.fullmatch(r"(\d{20}\.(log|index)|start)(\.tmp|\.cleaned)*", path.name)
        for path in folder.iterdir()
    )
