"""One contract for both brokers: what Sluice's clients rely on holds on the embedded one and on Kafka."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.errors import (
    InvalidPartitionsError,
    InvalidSessionTimeoutError,
    KafkaError,
    MessageSizeTooLargeError,
    OffsetMetadataTooLargeError,
)
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition as RdPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions as RdPartitions,
    NewTopic as RdTopic,
    ResourceType,
)

from tests.services import free_port, missing
from tests.sluice.broker.process import BrokerProcess

SESSION_MS = 6_000  # the shortest that Kafka allows


@pytest.fixture(scope="session")
def embedded_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded broker as a process of its own."""
    broker = BrokerProcess(tmp_path_factory.mktemp("broker"), free_port())
    broker.start()
    yield broker.bootstrap
    broker.close()
    assert broker.status == 0


@pytest.fixture(params=["embedded", "kafka"])
def bootstrap(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(f"{request.param}_bootstrap")
    return address


@pytest.fixture
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
def rd_admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap})


@pytest.fixture
async def topic(admin: AIOKafkaAdminClient, topic_prefix: str) -> str:
    """A topic of four partitions that takes records of 10 MB."""
    name = f"{topic_prefix}topic"
    await make(admin, name, 4, **{"max.message.bytes": "10485760"})
    return name


async def make(admin: AIOKafkaAdminClient, name: str, partitions: int, **settings: str) -> None:
    reply = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
    assert [error[1] for error in reply.topic_errors] == [0]
    await until(lambda: leads(admin, name, partitions))


async def leads(admin: AIOKafkaAdminClient, name: str, partitions: int) -> bool:
    """Whether every partition has a leader; Kafka needs a moment."""
    (told,) = await admin.describe_topics([name])
    return len([p for p in told["partitions"] if p["leader"] >= 0]) == partitions


async def until(condition: Callable[[], Any]) -> None:
    """Wait, at most 30 s, for an asynchronous condition."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110  # brokers do not tell
            await asyncio.sleep(0.02)


@asynccontextmanager
async def producer(bootstrap: str, **settings: Any) -> AsyncIterator[AIOKafkaProducer]:
    settings = {"acks": "all", "max_request_size": 16 << 20} | settings
    client = AIOKafkaProducer(bootstrap_servers=bootstrap, **settings)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def consumer(
    bootstrap: str, *topics: str, begin: bool = True, **settings: Any
) -> AsyncIterator[AIOKafkaConsumer]:
    settings = {
        "auto_offset_reset": "earliest" if begin else "latest",
        "enable_auto_commit": False,
        "session_timeout_ms": SESSION_MS,
        "heartbeat_interval_ms": 500,
        "retry_backoff_ms": 50,
        "metadata_max_age_ms": 1_000,
    } | settings
    client = AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, **settings)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def take(client: AIOKafkaConsumer, count: int) -> list[Any]:
    """The next `count` records, within 30 s."""
    found: list[Any] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            batches = await client.getmany(timeout_ms=500)
            found += [record for records in batches.values() for record in records]
    return found


# -- topics


async def test_topics_are_created_described_and_deleted(
    admin: AIOKafkaAdminClient, topic_prefix: str
) -> None:
    """A topic exists from its creation to its deletion, with the partitions asked for."""
    name = f"{topic_prefix}admin"
    await make(admin, name, 3)
    assert name in await admin.list_topics()
    again = await admin.create_topics([NewTopic(name, 3, 1)])
    assert [error[1] for error in again.topic_errors] == [36]
    await admin.delete_topics([name])

    async def gone() -> bool:
        return name not in await admin.list_topics()

    await until(gone)
    await make(admin, name, 1)


@pytest.mark.parametrize(
    ("name", "partitions", "replicas", "settings", "code"),
    [
        ("a b", 1, 1, {}, 17),
        ("x" * 250, 1, 1, {}, 17),
        ("zero", 0, 1, {}, 37),
        ("three-replicas", 1, 3, {}, 38),
        ("unknown-setting", 1, 1, {"no.such.setting": "1"}, 40),
        ("bad-number", 1, 1, {"retention.ms": "soon"}, 40),
        ("bad-policy", 1, 1, {"cleanup.policy": "burn"}, 40),
    ],
)
async def test_bad_topics_are_refused(
    admin: AIOKafkaAdminClient,
    topic_prefix: str,
    name: str,
    partitions: int,
    replicas: int,
    settings: dict[str, str],
    code: int,
) -> None:
    """Names, counts and settings that cannot be get the same error code from both."""
    new = NewTopic(f"{topic_prefix}{name}", partitions, replicas, topic_configs=settings)
    reply = await admin.create_topics([new])
    assert [error[1] for error in reply.topic_errors] == [code]


async def test_partitions_are_added(admin: AIOKafkaAdminClient, bootstrap: str, topic: str) -> None:
    """A topic grows; producers can use the new partition; it never shrinks."""
    await admin.create_partitions({topic: NewPartitions(5)})
    await until(lambda: leads(admin, topic, 5))
    async with producer(bootstrap) as client:
        assert (await client.send_and_wait(topic, b"v", partition=4)).offset == 0
    with pytest.raises(InvalidPartitionsError):
        await admin.create_partitions({topic: NewPartitions(2)})


def test_settings_are_described_and_changed(rd_admin: AdminClient, topic_prefix: str) -> None:
    """Settings of a topic are told as given, and changed one by one."""
    name = f"{topic_prefix}settings"
    new = RdTopic(name, 1, 1, config={"retention.ms": "1000000", "cleanup.policy": "compact"})
    rd_admin.create_topics([new])[name].result(20)
    deadline = time.monotonic() + 20
    # Kafka's controller has made it; the broker that is asked may not have heard of it yet.
    while name not in rd_admin.list_topics(timeout=20).topics and time.monotonic() < deadline:
        time.sleep(0.02)

    def told() -> dict[str, str]:
        asked = ConfigResource(ResourceType.TOPIC, name)
        found = rd_admin.describe_configs([asked])[asked].result(20)
        return {key: entry.value for key, entry in found.items()}

    assert (told()["retention.ms"], told()["cleanup.policy"]) == ("1000000", "compact")
    entry = ConfigEntry("retention.ms", "7", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    rd_admin.incremental_alter_configs([change])[change].result(20)
    deadline = time.monotonic() + 20
    while told()["retention.ms"] != "7" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (told()["retention.ms"], told()["cleanup.policy"]) == ("7", "compact")
    assert told()["min.insync.replicas"] == "1"


# -- records


async def test_keys_values_headers_and_times_are_kept(bootstrap: str, topic: str) -> None:
    """What a record carries arrives as it was sent: null key and value, repeated and empty headers."""
    headers = [("h", b"1"), ("h", b"2"), ("empty", b"")]
    async with producer(bootstrap) as client:
        send = client.send_and_wait
        await send(
            topic, b"v", key=b"k", partition=0, headers=headers, timestamp_ms=1_700_000_000_001
        )
        await send(topic, None, key=b"tombstone", partition=0)
        await send(topic, b"", partition=0)
    async with consumer(bootstrap, topic) as client:
        first, second, third = await take(client, 3)
    assert (first.key, first.value, first.timestamp) == (b"k", b"v", 1_700_000_000_001)
    assert (first.headers, first.offset) == (tuple(headers), 0)
    assert (second.key, second.value, third.key, third.value) == (b"tombstone", None, None, b"")


async def test_records_of_8_mb(bootstrap: str, topic: str) -> None:
    """A body of 8 MB goes through, and one above the topic's limit is refused as too large."""
    body = os.urandom(8 << 20)
    async with producer(bootstrap) as client:
        await client.send_and_wait(topic, b"small", partition=1)
        await client.send_and_wait(topic, body, partition=1)
        with pytest.raises(MessageSizeTooLargeError):
            await client.send_and_wait(topic, os.urandom(11 << 20), partition=1)
    async with consumer(bootstrap, topic) as client:
        assert [record.value for record in await take(client, 2)] == [b"small", body]


async def test_order_within_each_partition(bootstrap: str, topic: str) -> None:
    """Records of a partition come in the order they were sent, without a gap, to every group."""
    async with producer(bootstrap) as client:
        sent = [await client.send(topic, b"%d" % i, partition=i % 4) for i in range(8_000)]
        await asyncio.gather(*sent)
    for group in ("a", "b"):
        async with consumer(bootstrap, topic, group_id=f"{topic}-{group}") as client:
            found: dict[int, list[tuple[int, int]]] = {n: [] for n in range(4)}
            for record in await take(client, 8_000):
                found[record.partition].append((record.offset, int(record.value)))
        assert found == {n: [(i, 4 * i + n) for i in range(2_000)] for n in range(4)}


@pytest.mark.parametrize("acks", [0, 1, "all"])
async def test_every_level_of_acknowledgement(bootstrap: str, topic: str, acks: Any) -> None:
    """acks 0, 1 and all store the record; without one no offset is told."""
    async with producer(bootstrap) as client:  # acks 0 would not notice a leader still absent
        await client.send_and_wait(topic, b"u", partition=2)
    async with producer(bootstrap, acks=acks) as client:
        told = await client.send_and_wait(topic, b"v", partition=2)
        assert (told.offset if told else -1) == (-1 if acks == 0 else 1)
        await client.send_and_wait(topic, b"w", partition=2)
    async with consumer(bootstrap, topic) as client:
        assert [record.value for record in await take(client, 3)] == [b"u", b"v", b"w"]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compressed_batches(bootstrap: str, topic: str, codec: str) -> None:
    """Batches of every codec of librdkafka, idempotent, come back in order with headers."""
    client = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": codec,
            "enable.idempotence": True,
            "linger.ms": 5,
        }
    )
    failed: list[Any] = []
    for i in range(3_000):
        client.produce(
            topic,
            b"value %d " % i * 10,
            b"k",
            partition=3,
            headers=[("x", b"1"), ("n", None)],
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
    assert (client.flush(30), failed) == (0, [])
    reader = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": topic, "enable.auto.commit": False}
    )
    reader.assign([RdPartition(topic, 3, 0)])
    found: list[Any] = []
    deadline = time.monotonic() + 30
    while len(found) < 3_000 and time.monotonic() < deadline:
        found += reader.consume(1_000, 0.5)
    assert [m.value() for m in found] == [b"value %d " % i * 10 for i in range(3_000)]
    assert found[0].headers() == [("x", b"1"), ("n", None)]
    assert reader.get_watermark_offsets(RdPartition(topic, 3), 20) == (0, 3_000)
    reader.close()


async def test_an_idempotent_producer_gets_consecutive_offsets(bootstrap: str, topic: str) -> None:
    """With idempotence, records sent one by one and pipelined stand once each."""
    async with producer(bootstrap, enable_idempotence=True) as client:
        for i in range(20):
            assert (await client.send_and_wait(topic, b"i", partition=0)).offset == i
        many = [await client.send(topic, b"i", partition=0) for _ in range(2_000)]
        offsets = [told.offset for told in await asyncio.gather(*many)]
    assert offsets == list(range(20, 2_020))


async def test_offsets_by_time(bootstrap: str, topic: str) -> None:
    """The first record at or after a time is found, also within a batch; none is None."""
    zero, one = TopicPartition(topic, 0), TopicPartition(topic, 1)
    start = 1_700_000_000_000
    async with producer(bootstrap) as client:
        await client.send_and_wait(topic, b"a", partition=0, timestamp_ms=start)
        await client.send_and_wait(topic, b"b", partition=0, timestamp_ms=start + 1_000)
        batch = client.create_batch()
        for i in range(100):
            batch.append(key=None, value=b"c", timestamp=start + 2_000 + 10 * i)
        await (await client.send_batch(batch, topic, partition=0))
    async with consumer(bootstrap) as client:
        for asked, offset, when in [
            (0, 0, 0),
            (1, 1, 1_000),
            (1_500, 2, 2_000),
            (2_495, 52, 2_500),
        ]:
            told = await client.offsets_for_times({zero: start + asked, one: start})
            assert (told[zero].offset, told[zero].timestamp) == (offset, start + when)
            assert told[one] is None
        assert (await client.offsets_for_times({zero: start + 9_999}))[zero] is None


async def test_records_are_deleted_up_to_an_offset(
    admin: AIOKafkaAdminClient, bootstrap: str, topic: str
) -> None:
    """After delete_records the log begins there; a reader from before goes to the new start."""
    place = TopicPartition(topic, 0)
    async with producer(bootstrap) as client:
        for i in range(10):
            await client.send_and_wait(topic, b"%d" % i, partition=0)
    await admin.delete_records({place: RecordsToDelete(before_offset=6)})
    async with consumer(bootstrap) as client:
        assert await client.beginning_offsets([place]) == {place: 6}
        client.assign([place])
        client.seek(place, 0)
        assert [record.offset for record in await take(client, 4)] == [6, 7, 8, 9]


async def test_a_fetch_waits_for_records(bootstrap: str, topic: str) -> None:
    """A reader at the end gets a record without asking again, though its poll is a long one."""
    async with (
        consumer(bootstrap, fetch_max_wait_ms=20_000) as reader,
        producer(bootstrap) as client,
    ):
        place = TopicPartition(topic, 0)
        reader.assign([place])
        await reader.seek_to_end(place)
        await reader.position(place)
        for i in range(20):
            waiting = asyncio.get_running_loop().create_task(reader.getone())
            await client.send_and_wait(topic, b"%d" % i, partition=0)
            async with asyncio.timeout(10):
                assert (await waiting).value == b"%d" % i


# -- groups


class Member:
    """A consumer of a group that notes what it reads."""

    def __init__(self, client: AIOKafkaConsumer) -> None:
        self.client = client
        self.values: list[bytes] = []

    @property
    def partitions(self) -> set[int]:
        return {place.partition for place in self.client.assignment()}

    async def poll(self) -> None:
        for records in (await self.client.getmany(timeout_ms=100)).values():
            self.values += [record.value for record in records]


async def owning(members: list[Member], *, count: int = 4) -> None:
    """Poll until the members own all partitions, each a share, and nobody's twice."""
    async with asyncio.timeout(60):
        while True:
            await asyncio.gather(*(member.poll() for member in members))
            owned = [partition for member in members for partition in member.partitions]
            if sorted(owned) == list(range(count)) and all(m.partitions for m in members):
                return


async def test_members_join_and_leave(bootstrap: str, topic: str) -> None:
    """Three members share four partitions; who leaves gives its share to the others at once."""
    group = {"group_id": f"{topic}-g"}
    async with consumer(bootstrap, topic, **group) as one:
        await owning([Member(one)])
        async with consumer(bootstrap, topic, **group) as two:
            await owning([Member(one), Member(two)])
            async with consumer(bootstrap, topic, **group) as three:
                await owning([Member(one), Member(two), Member(three)])
            await owning([Member(one), Member(two)])
        await owning([Member(one)])


async def test_a_member_that_dies_is_replaced(bootstrap: str, topic: str) -> None:
    """A member that vanishes without a word loses its share when its session ends."""
    group = {"group_id": f"{topic}-g"}
    async with consumer(bootstrap, topic, **group) as one:
        two = AIOKafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=500,
            **group,
        )
        await two.start()
        await owning([Member(one), Member(two)])
        two._coordinator._maybe_leave_group = _say_nothing
        await two.stop()
        await owning([Member(one)])


async def _say_nothing() -> None:
    """In place of leaving the group."""


async def test_a_static_member_returns_without_a_rebalance(bootstrap: str, topic: str) -> None:
    """A member with a `group.instance.id` restarts within its session: the other never stops."""
    group = {"group_id": f"{topic}-g", "session_timeout_ms": 30_000}
    async with consumer(bootstrap, topic, group_instance_id="one", **group) as one:
        async with consumer(bootstrap, topic, group_instance_id="two", **group) as two:
            await owning([Member(one), Member(two)])
            shares = Member(one).partitions, Member(two).partitions
            generation = one._coordinator.generation
        async with consumer(bootstrap, topic, group_instance_id="two", **group) as two:
            await owning([Member(one), Member(two)])
            assert (Member(one).partitions, Member(two).partitions) == shares
            assert one._coordinator.generation == two._coordinator.generation == generation


@pytest.mark.parametrize("session", [1_000, 5_999, 1_800_001])
async def test_session_time_outs_outside_the_limits_are_refused(
    bootstrap: str, topic: str, session: int
) -> None:
    """Less than 6 s or more than 30 min: what would fail in production fails here, too."""
    client = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"{topic}-g",
        session_timeout_ms=session,
        heartbeat_interval_ms=300,
        request_timeout_ms=session + 5_000,
    )
    try:
        with pytest.raises(InvalidSessionTimeoutError):
            await client.start()
    finally:
        await client.stop()


async def test_commits_carry_metadata_up_to_its_limit(bootstrap: str, topic: str) -> None:
    """3.7 kB and 4,096 characters of metadata come back as committed; one more is refused."""
    place = TopicPartition(topic, 0)
    async with consumer(bootstrap, topic, group_id=f"{topic}-g") as client:
        await owning([Member(client)])
        for text in ("b1:" + "x" * 3_700, "y" * 4_096):
            await client.commit({place: (3, text)})
            told = await client._coordinator.fetch_committed_offsets([place])
            assert (told[place].offset, told[place].metadata) == (3, text)
        with pytest.raises(OffsetMetadataTooLargeError):
            await client.commit({place: (3, "z" * 4_097)})
        assert await client.committed(place) == 3


async def test_a_group_goes_on_where_it_committed(bootstrap: str, topic: str) -> None:
    """A new member begins at the committed offset, and the lag is what lies between it and the end."""
    place, group = TopicPartition(topic, 0), {"group_id": f"{topic}-g"}
    async with producer(bootstrap) as client:
        for i in range(10):
            await client.send_and_wait(topic, b"%d" % i, partition=0)
    async with consumer(bootstrap, topic, **group) as client:
        await take(client, 10)
        await client.commit({place: 4})
    async with consumer(bootstrap, topic, **group) as client:
        assert [record.value for record in await take(client, 6)] == [
            b"%d" % i for i in range(4, 10)
        ]
        ends = await client.end_offsets([place])
        assert ends[place] - (await client.committed(place) or 0) == 6
        assert client.highwater(place) == 10


def test_groups_are_listed_described_and_deleted(
    rd_admin: AdminClient, bootstrap: str, topic: str
) -> None:
    """An administrator sees the members, their partitions and offsets; only an empty group goes."""
    group = f"{topic}-rd"
    client = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "client.id": "me",
            "session.timeout.ms": SESSION_MS,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    client.subscribe([topic])
    deadline = time.monotonic() + 30
    while len(client.assignment()) < 4 and time.monotonic() < deadline:
        client.poll(0.1)
    client.commit(offsets=[RdPartition(topic, 0, 5, metadata="m")], asynchronous=False)
    listed = rd_admin.list_consumer_groups(request_timeout=20).result()
    assert group in [g.group_id for g in listed.valid]
    told = rd_admin.describe_consumer_groups([group], request_timeout=20)[group].result()
    assert (told.state, [m.client_id for m in told.members]) == (ConsumerGroupState.STABLE, ["me"])
    assert len(told.members[0].assignment.topic_partitions) == 4
    asked = rd_admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    (place,) = asked[group].result(20).topic_partitions
    assert (place.offset, place.metadata) == (5, "m")
    with pytest.raises(KafkaException) as caught:
        rd_admin.delete_consumer_groups([group])[group].result(20)
    assert caught.value.args[0].name() == "NON_EMPTY_GROUP"
    client.close()
    rd_admin.delete_consumer_groups([group])[group].result(20)
    gone = rd_admin.list_consumer_groups(request_timeout=20).result()
    assert group not in [g.group_id for g in gone.valid]


def test_librdkafka_members_share_and_pass_on(bootstrap: str, topic: str) -> None:
    """Two librdkafka consumers share the partitions, and the one that stays gets all."""

    def member() -> Consumer:
        client = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{topic}-rd",
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": 300,
            }
        )
        client.subscribe([topic])
        return client

    def poll_until(members: list[Consumer], shares: list[int]) -> bool:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for client in members:
                client.poll(0.05)
            if [len(client.assignment()) for client in members] == shares:
                return True
        return False

    one = member()
    assert poll_until([one], [4])
    two = member()
    assert poll_until([one, two], [2, 2])
    two.close()
    assert poll_until([one], [4])
    one.close()


def test_administration_by_librdkafka(
    rd_admin: AdminClient, bootstrap: str, topic_prefix: str
) -> None:
    """Topics, partitions and deleted records through librdkafka's admin client."""
    name = f"{topic_prefix}rd"
    rd_admin.create_topics([RdTopic(name, 2, 1)])[name].result(20)
    rd_admin.create_partitions([RdPartitions(name, 3)])[name].result(20)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if len(rd_admin.list_topics(name, timeout=20).topics[name].partitions) == 3:
            break
    client = Producer({"bootstrap.servers": bootstrap})
    for i in range(10):
        client.produce(name, b"%d" % i, partition=1)
    assert client.flush(20) == 0
    place = RdPartition(name, 1, 4)
    (told,) = rd_admin.delete_records([place]).values()
    assert told.result(20).low_watermark == 4
    rd_admin.delete_topics([name])[name].result(20)


async def test_an_unknown_topic_is_an_error(bootstrap: str, topic_prefix: str) -> None:
    """Topics are not made by asking for them."""
    async with producer(bootstrap, request_timeout_ms=2_000) as client:
        with pytest.raises(KafkaError):
            await client.send_and_wait(f"{topic_prefix}absent", b"v")


# -- kcat


def kcat(*arguments: str, text: str = "") -> str:
    """kcat's output; where it is not installed, skips here and fails in CI."""
    program = shutil.which("kcat")
    if program is None:
        missing("kcat is not installed: make services")
    done = subprocess.run(
        [program, *arguments], input=text, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


async def test_kcat_produces_lists_and_consumes(bootstrap: str, topic: str, tmp_path: Path) -> None:
    """The command that docs/kafka.md names works on both: -P, -L, -C, -Q, -G."""
    lines = await asyncio.to_thread(kcat, "-b", bootstrap, "-L", "-t", topic)
    assert f'topic "{topic}" with 4 partitions' in lines
    await asyncio.to_thread(
        kcat,
        "-b",
        bootstrap,
        "-P",
        "-t",
        topic,
        "-p",
        "3",
        "-K:",
        "-H",
        "h=1",
        text="a:1\nb:2\nc:3\n",
    )
    told = await asyncio.to_thread(
        kcat,
        "-b",
        bootstrap,
        "-C",
        "-t",
        topic,
        "-p",
        "3",
        "-o",
        "-2",
        "-e",
        "-q",
        "-f",
        "%k=%s %h\n",
    )
    assert told == "b=2 h=1\nc=3 h=1\n"
    told = await asyncio.to_thread(kcat, "-b", bootstrap, "-Q", "-t", f"{topic}:3:-1")
    assert "offset 3" in told
    told = await asyncio.to_thread(
        kcat,
        "-b",
        bootstrap,
        "-X",
        "auto.offset.reset=earliest",
        "-q",
        "-c",
        "3",
        "-G",
        f"{topic}-k",
        topic,
    )
    assert sorted(told.split()) == ["1", "2", "3"]
