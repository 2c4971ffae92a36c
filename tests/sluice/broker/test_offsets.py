"""Committed offsets: who may commit, limits, expiry by the clock, deletion."""

from pathlib import Path

import pytest

from sluice.broker.errors import Code
from sluice.broker.groups import Groups
from sluice.broker.journal import Journal
from sluice.broker.offsets import Offsets
from sluice.broker.rebalance import Rebalance
from sluice.broker.wire import Message
from tests.sluice.broker.support import HandClock, a_store

WEEK = 10_080 * 60


@pytest.fixture
def offsets(tmp_path: Path, clock: HandClock) -> Offsets:
    store = a_store(tmp_path, clock)
    groups = Groups(Journal(tmp_path / "groups.log", store.disk, store.syncer), clock)
    return Offsets(groups, Rebalance(groups, 0.0), lambda topic, number: number < 2)


def commit(offsets: Offsets, metadata: str = "", number: int = 0, **changes: object) -> int:
    part = {"index": number, "offset": 5, "metadata": metadata, "epoch": -1}
    request = {"group": "g", "generation": -1, "member": "", "instance": None} | changes
    reply = offsets.commit(request | {"topics": [{"name": "t", "partitions": [part]}]})
    code: int = reply["topics"][0]["partitions"][0]["error"]
    return code


def committed(offsets: Offsets) -> list[Message]:
    reply = offsets.fetch({"group": "g", "topics": None})
    return [part for topic in reply["topics"] for part in topic["partitions"]]


def test_metadata_up_to_4096_characters_is_kept(offsets: Offsets) -> None:
    """The limit is Kafka's: 4,096 characters are kept as they are, one more is refused."""
    assert commit(offsets, "x" * 4096) == 0
    assert commit(offsets, "y" * 4097) == Code.OFFSET_METADATA_TOO_LARGE
    assert [c["metadata"] for c in committed(offsets)] == ["x" * 4096]


def test_a_partition_that_does_not_exist_is_refused(offsets: Offsets) -> None:
    """A commit for an unknown partition is an error and is not stored."""
    assert commit(offsets, number=2) == Code.UNKNOWN_TOPIC_OR_PARTITION
    assert committed(offsets) == []


def test_commits_of_strangers_are_refused(offsets: Offsets) -> None:
    """A generation of a group that does not exist, or a member that is none, cannot commit."""
    assert commit(offsets, generation=3, member="m") == Code.ILLEGAL_GENERATION
    assert commit(offsets) == 0
    assert commit(offsets, generation=3, member="m") == Code.UNKNOWN_MEMBER_ID


def test_offsets_expire_a_week_after_their_last_use(offsets: Offsets, clock: HandClock) -> None:
    """Without members an offset goes a week after its commit; each is judged by itself."""
    commit(offsets, number=0)
    clock.now += WEEK - 1
    commit(offsets, number=1)
    offsets.expire(WEEK)
    assert [c["index"] for c in committed(offsets)] == [0, 1]
    clock.now += 1
    offsets.expire(WEEK)
    assert [c["index"] for c in committed(offsets)] == [1]
    clock.now += WEEK
    offsets.expire(WEEK)
    assert offsets.groups.known == {}


def test_a_group_that_had_members_expires_a_week_after_the_last_left(
    offsets: Offsets, clock: HandClock
) -> None:
    """The time runs from when the group became empty, not from the commit."""
    commit(offsets)
    group = offsets.groups.known["g"]
    clock.now += WEEK
    group.type, group.since = "consumer", clock.now
    offsets.expire(WEEK)
    assert len(committed(offsets)) == 1
    clock.now += WEEK
    offsets.expire(WEEK)
    assert offsets.groups.known == {}


def test_expired_offsets_do_not_come_back(
    offsets: Offsets, clock: HandClock, tmp_path: Path
) -> None:
    """What expired or was deleted is gone from the journal, too."""
    commit(offsets)
    commit(offsets, group="other")
    clock.now += WEEK
    commit(offsets, group="kept")
    offsets.expire(WEEK)
    store = a_store(tmp_path, clock)
    again = Groups(Journal(tmp_path / "groups.log", store.disk, store.syncer), clock)
    assert list(again.known) == ["kept"]


def test_a_full_disk_refuses_the_commit_and_keeps_the_old_one(
    offsets: Offsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written is not answered as committed, nor seen by a fetch."""
    commit(offsets, "old")

    def full(entries: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(offsets.groups.journal, "put", full)
    assert commit(offsets, "new") == Code.NOT_COORDINATOR
    assert [c["metadata"] for c in committed(offsets)] == ["old"]
    assert offsets.delete("g") == Code.NOT_COORDINATOR
    monkeypatch.undo()
    assert commit(offsets, "new") == 0


def test_groups_are_deleted_with_their_offsets(offsets: Offsets) -> None:
    """An empty group can be deleted once; then it is not known any more."""
    commit(offsets)
    assert [offsets.delete("g"), offsets.delete("g")] == [0, Code.GROUP_ID_NOT_FOUND]
    assert committed(offsets) == []


def test_a_deleted_topics_offsets_are_forgotten(offsets: Offsets) -> None:
    """A new topic of the same name does not begin at the old one's offsets."""
    commit(offsets)
    offsets.groups.forget_topic("t")
    assert committed(offsets) == []
