"""The broker as a whole: folder, port, bootstrap file, start and end, fsync."""

import asyncio
import resource
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sluice.broker import Broker, BrokerConfig, FolderInUse, StorageFailed
from sluice.broker.segment import Segment
from tests.services import free_port
from tests.sluice.broker.conftest import Connect, StartBroker
from tests.sluice.broker.process import BrokerProcess
from tests.sluice.broker.support import (
    KEYS,
    HandClock,
    a_topic,
    abandon,
    frame,
    one,
    produce_body,
    produced,
    until,
)

PRODUCE = KEYS["produce"]


async def test_a_folder_has_one_broker(start_broker: StartBroker, tmp_path: Path) -> None:
    """A second broker on the same folder refuses to start and names the folder."""
    await start_broker()
    with pytest.raises(FolderInUse, match=str(tmp_path / "broker")):
        await Broker(BrokerConfig(folder=tmp_path / "broker")).start()


async def test_a_folder_is_free_after_kill_9(tmp_path: Path) -> None:
    """The lock goes with the process, not with a file that stays behind."""
    broker = BrokerProcess(tmp_path / "broker", free_port())
    await asyncio.to_thread(broker.start)
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    await asyncio.to_thread(broker.close)
    assert broker.status == 0


async def test_a_free_port_is_chosen_and_kept(start_broker: StartBroker, tmp_path: Path) -> None:
    """Port 0 is a free one below 32768, the same after a restart, and stands in the bootstrap file."""
    file = tmp_path / "bootstrap"
    broker = await start_broker(port=0, bootstrap_file=file)
    port = broker.address.port
    assert 1024 < port < 32_768
    assert file.read_text() == f"127.0.0.1:{port}\n"
    await abandon(broker)
    broker = await start_broker(port=0, bootstrap_file=file)
    assert broker.address.port == port


async def test_another_port_when_the_last_one_is_taken(
    start_broker: StartBroker, tmp_path: Path
) -> None:
    """When somebody has taken the port meanwhile, another one is chosen and written down."""
    broker = await start_broker(port=0)
    port = broker.address.port
    await broker.close()
    other = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", port)
    broker = await start_broker(port=0, bootstrap_file=tmp_path / "bootstrap")
    assert broker.address.port != port
    assert (tmp_path / "bootstrap").read_text() == f"127.0.0.1:{broker.address.port}\n"
    other.close()


async def test_a_taken_port_stops_the_start(start_broker: StartBroker, tmp_path: Path) -> None:
    """A port that was asked for and is taken is an error, and the folder is free again."""
    port = free_port()
    other = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", port)
    with pytest.raises(OSError, match="address"):
        await start_broker(port=port)
    other.close()
    await start_broker(port=port)


async def test_topics_and_settings_survive(start_broker: StartBroker, connect: Connect) -> None:
    """After a restart the topics are there, with partitions, settings, records and cluster id."""
    broker = await start_broker()
    client = await connect(broker)
    await a_topic(client, "t", 3, retention_ms="12345")
    await client.send_bytes(frame(PRODUCE, 3, produce_body("t", 2, one(b"v"))))
    assert produced(await client.payload(), "t") == (0, 0)
    before = await client.call("metadata", 8, topics=None)
    ids = [(await client.call("init_producer_id", 1, timeout=0))["producer"] for _ in range(3)]
    await abandon(broker)
    broker = await start_broker()
    client = await connect(broker)
    after = await client.call("metadata", 8, topics=None)
    assert (after["cluster"], after["topics"]) == (before["cluster"], before["topics"])
    assert broker.catalog.topics["t"].partitions[2].end == 1
    assert broker.catalog.topics["t"].partitions[0].config.retention_ms == 12345
    assert (await client.call("init_producer_id", 1, timeout=0))["producer"] not in ids


async def test_a_new_topic_has_nothing_of_an_old_one_of_its_name(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Deleted and made again, a topic is empty, also after a restart; no folder is left."""
    broker = await start_broker()
    client = await connect(broker)
    await a_topic(client)
    await client.send_bytes(frame(PRODUCE, 3, produce_body("t", 0, one(b"old"))))
    await client.payload()
    await client.call("delete_topics", 3, topics=["t"], timeout=0)
    await a_topic(client)
    await client.send_bytes(frame(PRODUCE, 3, produce_body("t", 0, one(b"new"))))
    assert produced(await client.payload(), "t") == (0, 0)
    await broker.close()
    broker = await start_broker()
    assert broker.catalog.partition("t", 0).end == 1
    assert [p.name for p in broker.config.folder.iterdir() if p.is_dir()] == ["t-0"]


async def test_foreign_folders_are_left_alone(start_broker: StartBroker, tmp_path: Path) -> None:
    """Only folders that can be nothing but logs are cleaned up at the start."""
    mine = tmp_path / "broker" / "photos-2024"
    mine.mkdir(parents=True)
    (mine / "a.jpg").write_bytes(b"x")
    log = tmp_path / "broker" / "gone-0"
    log.mkdir()
    (log / ("0" * 20 + ".log")).touch()
    await start_broker()
    assert mine.exists()
    assert not log.exists()


@pytest.mark.parametrize("fsync_ms", [0, 20])
async def test_fsync_covers_records_and_commits(
    start_broker: StartBroker, connect: Connect, monkeypatch: pytest.MonkeyPatch, fsync_ms: int
) -> None:
    """With fsync asked for, what is acknowledged was synced: the log, the offsets, the topics."""
    synced: list[str] = []
    monkeypatch.setattr(
        "os.fdatasync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
    )
    broker = await start_broker(fsync_ms=fsync_ms)
    client = await connect(broker)
    await a_topic(client)
    await client.send_bytes(frame(PRODUCE, 3, produce_body("t", 0, one(b"v"))))
    assert produced(await client.payload(), "t") == (0, 0)
    part = {"index": 0, "offset": 1, "epoch": -1, "metadata": ""}
    topics = [{"name": "t", "partitions": [part]}]
    reply = await client.call("offset_commit", 7, group="g", generation=-1, topics=topics)
    assert reply["topics"][0]["partitions"][0]["error"] == 0
    if fsync_ms:
        await until(lambda: len(synced) >= 2)
    assert {"0" * 20 + ".log", "groups.log"} <= set(synced)


async def test_a_failed_fsync_ends_the_broker(
    start_broker: StartBroker, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be synced is not acknowledged, and the process must end: the page may be lost."""

    def fail(self: Segment) -> None:
        raise OSError(5, "Input/output error")

    broker = await start_broker(fsync_ms=0)
    client = await connect(broker)
    await a_topic(client)
    monkeypatch.setattr(Segment, "sync", fail)
    await client.send_bytes(frame(PRODUCE, 3, produce_body("t", 0, one(b"v"))))
    assert await client.disconnected()
    with pytest.raises(StorageFailed):
        await broker.failed
    monkeypatch.undo()
    await broker.close()


async def test_many_partitions_start_and_serve(
    start_broker: StartBroker, connect: Connect, clock: HandClock
) -> None:
    """Three hundred partitions are made, written, and recovered."""
    broker = await start_broker()
    client = await connect(broker)
    await a_topic(client, "t", 300)
    for number in range(300):
        await client.send_bytes(frame(PRODUCE, 3, produce_body("t", number, one(b"v"))))
    assert {produced(await client.payload(), "t") for _ in range(300)} == {(0, 0)}
    await broker.close()
    broker = await start_broker()
    assert {p.end for p in broker.catalog} == {1}


async def test_a_broker_starts_on_a_full_disk_and_empties_it(
    start_broker: StartBroker, connect: Connect, clock: HandClock, tmp_path: Path
) -> None:
    """Restarted while nothing can be written, it serves what is there, and retention makes room."""
    settings = {"bootstrap_file": tmp_path / "bootstrap", "tail_memory_bytes": 0}
    broker = await start_broker(**settings)
    client = await connect(broker)
    await a_topic(client, retention_ms="60000")
    await client.send_bytes(frame(PRODUCE, 3, produce_body("t", 0, one(b"v", clock.ms))))
    await client.payload()
    broker.offsets.groups.journal.put({("offset", "g", "t", 0): (1, "", -1, clock.now)})
    await abandon(broker)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        with capture_logs():
            broker = await start_broker(**settings)
            assert broker.offsets.groups.known["g"].offsets["t", 0].offset == 1
            log = broker.catalog.partition("t", 0)
            assert (log.start, log.end) == (0, 1)
            clock.now += 61
            await broker.cleaner.retain(log)
            assert (log.start, log.end) == (1, 1)
            assert sum(path.stat().st_size for path in log.folder.glob("*.log")) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    client = await connect(broker)
    await client.send_bytes(frame(PRODUCE, 3, produce_body("t", 0, one(b"w"))))
    assert produced(await client.payload(), "t") == (0, 1)
