"""Administration over the wire, where clients do not show what the broker answers."""

import resource

import pytest

from sluice.broker.errors import Code
from tests.sluice.broker.conftest import Connect, StartBroker
from tests.sluice.broker.support import KEYS, RawClient, a_topic, frame, one, produce_body, produced


def setting(name: str, value: str | None, operation: int = 0) -> dict[str, object]:
    return {"name": name, "op": operation, "value": value}


async def alter(client: RawClient, *configs: dict[str, object], validate: bool = False) -> int:
    resources = [{"type": 2, "name": "t", "configs": list(configs)}]
    reply = await client.call(
        "incremental_alter_configs", 0, resources=resources, validate=validate
    )
    code: int = reply["results"][0]["error"]
    return code


async def told(client: RawClient, kind: int = 2, name: str = "t") -> dict[str, str]:
    resources = [{"type": kind, "name": name, "keys": None}]
    reply = await client.call("describe_configs", 2, resources=resources)
    return {c["name"]: c["value"] for c in reply["results"][0]["configs"]}


async def test_settings_are_changed_one_by_one_or_all_at_once(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Set, delete, append and subtract change one setting; the older request replaces all."""
    broker = await start_broker()
    client = await connect(broker)
    await a_topic(client, retention_ms="5", segment_ms="6")
    assert await alter(client, setting("retention.ms", None, 1)) == 0
    assert await alter(client, setting("cleanup.policy", "compact", 2)) == 0
    found = await told(client)
    assert (found["retention.ms"], found["segment.ms"]) == ("604800000", "6")
    assert found["cleanup.policy"] == "delete,compact"
    assert broker.catalog.partition("t", 0).config.compact
    assert await alter(client, setting("cleanup.policy", "delete", 3)) == 0
    assert (await told(client))["cleanup.policy"] == "compact"
    configs = [{"name": "retention.bytes", "value": "9"}]
    resources = [{"type": 2, "name": "t", "configs": configs}]
    await client.call("alter_configs", 1, resources=resources, validate=False)
    found = await told(client)
    assert (found["retention.bytes"], found["segment.ms"]) == ("9", "604800000")
    assert found["cleanup.policy"] == "delete"


async def test_bad_and_tried_changes_change_nothing(
    start_broker: StartBroker, connect: Connect
) -> None:
    """A setting that is wrong is refused with all that came with it; validate_only only checks."""
    client = await connect(await start_broker())
    await a_topic(client)
    before = await told(client)
    good, bad = setting("retention.ms", "5"), setting("segment.ms", "x")
    assert await alter(client, good, bad) == Code.INVALID_CONFIG
    assert await alter(client, good, validate=True) == 0
    assert await told(client) == before
    topic = {"name": "new", "partitions": 1, "replication": 1, "assignments": [], "configs": []}
    reply = await client.call("create_topics", 4, topics=[topic], timeout=0, validate=True)
    assert reply["topics"][0]["error"] == 0
    assert (await client.call("metadata", 1, topics=["new"]))["topics"][0]["error"] == 3


async def test_the_brokers_own_settings_are_told(
    start_broker: StartBroker, connect: Connect
) -> None:
    """describe_configs of the broker names the limits under Kafka's names."""
    client = await connect(await start_broker())
    found = await told(client, 4, "1")
    assert found["group.min.session.timeout.ms"] == "6000"
    assert found["auto.create.topics.enable"] == "false"


async def test_unknown_topics(start_broker: StartBroker, connect: Connect) -> None:
    """Every request that names an unknown topic says so, and harms no other."""
    client = await connect(await start_broker())
    wanted = Code.UNKNOWN_TOPIC_OR_PARTITION
    reply = await client.call("delete_topics", 3, topics=["x"], timeout=0)
    assert reply["topics"][0]["error"] == wanted
    part = {"index": 0, "offset": 0, "timestamp": -1, "epoch": -1}
    topics = [{"name": "x", "partitions": [part]}]
    for name, version in (("delete_records", 1), ("list_offsets", 5)):
        reply = await client.call(name, version, topics=topics, timeout=0)
        assert reply["topics"][0]["partitions"][0]["error"] == wanted
    reply = await client.call("create_partitions", 1, topics=[{"name": "x", "count": 2}])
    assert reply["topics"][0]["error"] == wanted
    reply = await client.call("describe_configs", 2, resources=[{"type": 2, "name": "x"}])
    assert reply["results"][0]["error"] == wanted


async def test_records_of_a_compacted_topic_are_not_deleted(
    start_broker: StartBroker, connect: Connect
) -> None:
    """As in Kafka, delete_records needs a topic with the delete policy."""
    client = await connect(await start_broker())
    await a_topic(client, cleanup_policy="compact")
    topics = [{"name": "t", "partitions": [{"index": 0, "offset": 0}]}]
    reply = await client.call("delete_records", 1, topics=topics, timeout=0)
    assert reply["topics"][0]["partitions"][0]["error"] == Code.POLICY_VIOLATION


async def test_a_full_disk_refuses_records_and_topics_until_there_is_space(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Producers and administrators get KAFKA_STORAGE_ERROR, nothing is torn, and then it works."""
    broker = await start_broker(tail_memory_bytes=0)
    client = await connect(broker)
    await a_topic(client)
    small = frame(KEYS["produce"], 3, produce_body("t", 0, one(b"v")))
    large = frame(KEYS["produce"], 3, produce_body("t", 0, one(bytes(60_000))))
    await client.send_bytes(small)
    assert produced(await client.payload(), "t") == (0, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        await client.send_bytes(large * 3)
        for _ in range(3):
            assert produced(await client.payload(), "t") == (Code.KAFKA_STORAGE_ERROR, -1)
        topic = {"name": "n" * 200, "partitions": 3, "replication": 1}
        reply = await client.call("create_topics", 4, topics=[topic], timeout=0)
        assert reply["topics"][0]["error"] == Code.KAFKA_STORAGE_ERROR
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await client.send_bytes(large)
    assert produced(await client.payload(), "t") == (0, 1)
    reply = await client.call("create_topics", 4, topics=[topic], timeout=0)
    assert reply["topics"][0]["error"] == 0
    await broker.close()
    broker = await start_broker()
    assert broker.catalog.partition("t", 0).end == 2


@pytest.mark.parametrize("kind", [1, 3, 99])
async def test_foreign_resources_are_refused(
    start_broker: StartBroker, connect: Connect, kind: int
) -> None:
    """Only topics have settings to change, only topics and the broker to tell."""
    client = await connect(await start_broker())
    resources = [{"type": kind, "name": "1", "configs": [setting("a", "b")]}]
    for name, version in (("describe_configs", 2), ("incremental_alter_configs", 0)):
        reply = await client.call(name, version, resources=resources, validate=False)
        assert reply["results"][0]["error"] == Code.INVALID_REQUEST
