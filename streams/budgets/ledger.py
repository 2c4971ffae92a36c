"""Settles what was reserved: reads `llm.exchanges` and charges what was really used.

The accounts remember with every charge up to which offset they are charged, so that a crash between
reading and charging loses nothing and doubles nothing. Accounts that remember no offset, as their store
was lost, are charged anew from the beginning of the earliest period: by the topic as far as that reaches,
and by the store of the exchanges for what is older.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndTimestamp
from msgspec import Struct

from schemas.analytics import Spending
from schemas.clock import Clock, from_rfc3339, rfc3339
from schemas.costs import Cost
from schemas.errors import StoreUnavailable
from schemas.exchange import OUTCOME_TYPES, Without
from schemas.kafka import KafkaConfig
from schemas.usage import Usage
from streams.budgets.base import Accounts, AccountsUnavailable, Charge, Span
from streams.budgets.book import Asked, Book

log = structlog.get_logger()

GROUP = "ledger"
PAUSE = 0.5  # seconds after an error
IDLE = 0.5  # seconds between looks whether there is anything to settle
MOST = 200  # exchanges in one step
KNOWN_WITHIN = 20.0  # seconds that a request waits at the start, or when the first budget is set
SAVE_EVERY = 1.0
OVERLAP = 60.0  # seconds by which clocks differ, and a store is behind


class _Settled(Struct):
    """What is read of an exchange; the bodies are passed over."""

    request_id: str
    finished_at: str
    user_path: str
    request_model: str | None = None
    client: str | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    without: tuple[Without, ...] = ()


_decode = msgspec.json.Decoder(_Settled).decode


class Ledger:
    """Runs as one task of a worker. With accounts that workers share, each settles some partitions;
    else this one all of them."""

    def __init__(
        self, kafka: KafkaConfig, book: Book, accounts: Accounts, clock: Clock, *, shared: bool
    ) -> None:
        self._kafka = kafka
        self._book = book
        self._accounts = accounts
        self._clock = clock
        self._shared = shared
        self._topic = kafka.topics.exchanges
        self._at: dict[TopicPartition, int] = {}  # what the accounts remember
        self._until: dict[TopicPartition, int] = {}  # the ends when it began
        self._known = asyncio.Event()
        self.save: Callable[[], None] = lambda: None
        self.past: Spending | None = None  # None: what the topic has no more is not charged
        self.unplaced: Exception | None = None  # why its partitions are not where they should be
        self._cut: dict[TopicPartition, float] = {}  # what finished before is charged by the store

    async def known(self) -> bool:
        """Whether all that had been used at the start is charged; waits a moment for it."""
        if not self._known.is_set():
            try:
                async with asyncio.timeout(KNOWN_WITHIN):
                    await self._known.wait()
            except TimeoutError:
                return False
        return True

    async def run(self) -> None:
        """Settle until cancelled. While nothing is limited it does nothing."""
        while True:
            if not self._book:
                await asyncio.sleep(IDLE)
                continue
            try:
                await self._live()
                await asyncio.sleep(PAUSE)
            except (KafkaError, AccountsUnavailable, OSError) as error:
                log.warning("ledger_waits", error=repr(error), retry_in=PAUSE)
                await asyncio.sleep(PAUSE)

    async def _live(self) -> None:
        group = self._kafka.topics.group(GROUP) if self._shared else None
        consumer = AIOKafkaConsumer(
            **self._kafka.consumer_options("sluice-ledger"),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=500,
            session_timeout_ms=10_000,
        )
        await consumer.start()
        try:
            if self._shared:
                consumer.subscribe([self._topic], listener=_Assigned(self, consumer))
            else:
                numbers = await consumer._client._wait_on_metadata(self._topic)
                partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
                consumer.assign(partitions)
                await self.place(consumer, partitions)
            await self._settle_all(consumer)
        finally:
            await consumer.stop()

    async def place(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        """Go on where the accounts are, or at the beginning of the earliest period."""
        self._at, self._until, self._cut, self.unplaced = {}, {}, {}, None
        if not partitions:
            self._known.set()
            return
        since = int(self._book.since(self._clock.time()) * 1000)
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.beginning_offsets(partitions)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, since))
        for partition in partitions:
            start = position = await self._accounts.position(partition.partition)
            older: tuple[Charge, ...] = ()
            if position is None:
                first = found[partition]
                position = ends[partition] if first is None else first.offset
                # All that stands there is read, and the topic does not begin there: more may be gone.
                if begins[partition] and position == begins[partition]:
                    older = await self._older(partition, first)
            span = Span(partition.partition, start, position, position < ends[partition])
            await self._accounts.settle(span, older, self._clock.time())
            self._at[partition] = position
            consumer.seek(partition, max(position, begins[partition]))
        self._until |= {each: ends[each] for each in partitions}
        self._look()

    async def _older(
        self, partition: TopicPartition, first: OffsetAndTimestamp | None
    ) -> tuple[Charge, ...]:
        """What the store has of what the topic may have lost; AccountsUnavailable if it cannot be asked.

        `first` is the first record of the topic that is read; None: there is none.
        """
        if self.past is None:
            return ()
        now = self._clock.time()
        # Whatever finished later than this has its record at or behind the first one.
        recent = now - OVERLAP
        written = recent if first is None else first.timestamp / 1000
        cut = min(written + OVERLAP, max(written, recent))
        begins = [each for each in self._book.begins(now) if each < cut]
        charges: list[Charge] = []
        try:
            for since, until in pairwise((*begins, cut)):
                spent = await self.past.spent(partition.partition, rfc3339(since), rfc3339(until))
                for each in spent:
                    used = Asked(
                        each.user_path, each.client, each.model or "", each.cost, each.tokens
                    )
                    name = f"store/{partition.partition}/{len(charges)}"
                    charges.append(Charge(name, self._book.charges(used, since, now)))
        except StoreUnavailable as error:
            raise AccountsUnavailable(f"the store of the exchanges: {error}") from error
        self._cut[partition] = cut
        log.info("budgets_rebuilt", partition=partition.partition, charges=len(charges))
        return tuple(charges)

    def _look(self) -> None:
        """Whether all that stood there when it began is charged."""
        if self.unplaced is None and all(
            at >= self._until.get(partition, 0) for partition, at in self._at.items()
        ):
            self._known.set()

    async def _settle_all(self, consumer: AIOKafkaConsumer) -> None:
        saved = self._clock.monotonic()
        while self._book:
            if self.unplaced is not None:
                raise self.unplaced
            batches = await consumer.getmany(timeout_ms=1000, max_records=MOST)
            for partition, records in batches.items():
                if partition in self._at and not await self._settle(partition, records):
                    return  # another has settled it, or the accounts were lost: look again
            if not self._known.is_set():
                self._look()
            if self._clock.monotonic() - saved > SAVE_EVERY:
                saved = self._clock.monotonic()
                self.save()

    async def _settle(
        self, partition: TopicPartition, records: list[ConsumerRecord[bytes, bytes]]
    ) -> bool:
        now = self._clock.time()
        cut = self._cut.get(partition, 0.0)
        found = (self._charge(each, now, cut) for each in records)
        charges = [each for each in found if each is not None]
        end = records[-1].offset + 1
        start = self._at[partition]
        span = Span(partition.partition, start, end, end < self._until.get(partition, 0))
        if not await self._accounts.settle(span, charges, now):
            self._known.clear()
            log.warning("ledger_overtaken", partition=partition.partition, start=start)
            return False
        self._at[partition] = end
        return True

    def _charge(
        self, record: ConsumerRecord[bytes, bytes], now: float, cut: float
    ) -> Charge | None:
        if dict(record.headers).get("ce_type") not in OUTCOME_TYPES or record.value is None:
            return None
        try:
            found = _decode(record.value)
            at = from_rfc3339(found.finished_at)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            log.warning("exchange_unreadable", offset=record.offset, error=str(error))
            return None
        if at < cut:
            return Charge(found.request_id)  # the store has told of it
        used = Asked(
            found.user_path,
            found.client,
            found.request_model or "",
            None if found.cost is None else found.cost.total,
            0 if found.usage is None else found.usage.total_tokens,
            "budget" not in found.without,
        )
        return Charge(found.request_id, self._book.charges(used, at, now))


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no annotations
    """Places a consumer of a group as it is given partitions."""

    def __init__(self, ledger: Ledger, consumer: AIOKafkaConsumer) -> None:
        self._ledger = ledger
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        return

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        try:
            await self._ledger.place(self._consumer, sorted(assigned))
        except (KafkaError, AccountsUnavailable, OSError) as error:
            self._ledger.unplaced = error  # raised here it would only be logged
