"""The thread in which aiokafka's consumer lives: commits with metadata, committed offsets in one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from typing_extensions import override

from streams.ledger import Commit, pack, unpack

log = structlog.get_logger()

REQUEST_TIMEOUT_MS = 30_000


class Thread(driver.AIOKafkaConsumerThread):
    """Commits with metadata, and reads all committed offsets in one request."""

    fetch_max_wait_ms = 250  # Faust hard-codes 1500

    @override
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.fetch_max_wait_ms
        for each in (consumer, consumer._client):
            each._request_timeout_ms = REQUEST_TIMEOUT_MS
        consumer._consumer_timeout = 1.0  # as in KafkaConfig.consumer_options
        return consumer

    async def commit_with_metadata(self, commits: Mapping[TP, Commit]) -> bool:
        """False if it did not reach the broker; a later commit repeats it."""
        return bool(await self.call_thread(self._commit_with_metadata, commits))

    async def _commit_with_metadata(self, commits: Mapping[TP, Commit]) -> bool:
        assigned = self.assignment()
        offsets = {
            driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(commit.offset, pack(commit))
            for tp, commit in commits.items()
            if tp in assigned
        }
        if not offsets:
            return False
        try:
            await self._ensure_consumer().commit(offsets)
        except KafkaError as error:
            log.warning("commit_failed", error=repr(error))
            return False
        return True

    async def seek_to(self, tp: TP, offset: int) -> None:
        """Set the position, in the thread that owns it."""
        await self.call_thread(self._seek_to, tp, offset)

    async def _seek_to(self, tp: TP, offset: int) -> None:
        consumer = self._ensure_consumer()
        if tp in self.assignment():  # a rebalance may have taken it; the next one seeks again
            consumer.seek(TopicPartition(tp.topic, tp.partition), offset)

    async def fetch_committed(self, tps: Iterable[TP]) -> dict[TP, Commit]:
        """What stands at the broker; partitions without a commit are absent."""
        found: dict[TP, Commit] = await self.call_thread(self._fetch_committed, tuple(tps))
        return found

    async def _fetch_committed(self, tps: Iterable[TP]) -> dict[TP, Commit]:
        coordinator = self._ensure_consumer()._coordinator
        asked = [TopicPartition(tp.topic, tp.partition) for tp in tps]
        found = await coordinator.fetch_committed_offsets(asked)
        return {
            TP(tp.topic, tp.partition): unpack(stored.offset, stored.metadata)
            for tp, stored in found.items()
            if stored.offset >= 0
        }
