"""Groups: joining, sharing work out, leaving, static members, and what outlives a restart."""

import asyncio
from typing import Any

import pytest

from sluice.broker.errors import Code
from tests.sluice.broker.conftest import Connect, StartBroker
from tests.sluice.broker.support import RawClient, a_topic, abandon, until


def joining(member: str = "", instance: str | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "group": "g",
        "session": 10_000,
        "rebalance": 10_000,
        "member": member,
        "instance": instance,
        "type": "consumer",
        "protocols": [{"name": "range", "metadata": b"m"}],
    } | changes


async def join(client: RawClient, instance: str | None = None, **changes: Any) -> dict[str, Any]:
    """Join as a new member: dynamic ones are given an id first."""
    reply = await client.call("join_group", 5, **joining("", instance, **changes))
    if reply["error"] == Code.MEMBER_ID_REQUIRED:
        reply = await client.call("join_group", 5, **joining(reply["member"], **changes))
    return reply


async def sync(
    client: RawClient, joined: dict[str, Any], given: dict[str, bytes] | None = None, **changes: Any
) -> dict[str, Any]:
    assignments = [{"member": m, "assignment": a} for m, a in (given or {}).items()]
    return await client.call("sync_group", 3, **_named(joined, changes), assignments=assignments)


async def beat(client: RawClient, joined: dict[str, Any], **changes: Any) -> int:
    reply = await client.call("heartbeat", 3, **_named(joined, changes))
    return int(reply["error"])


def _named(joined: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    named = {"group": "g", "generation": joined["generation"], "member": joined["member"]}
    return named | {"instance": None} | changes


async def alone(client: RawClient, instance: str | None = None) -> dict[str, Any]:
    """A stable group of one."""
    joined = await join(client, instance)
    await sync(client, joined, {joined["member"]: b"all"}, instance=instance)
    return joined


@pytest.mark.parametrize("session", [0, 1, 5_999, 1_800_001, 2**31 - 1, -1])
async def test_session_time_outs_outside_kafkas_limits_are_refused(
    start_broker: StartBroker, connect: Connect, session: int
) -> None:
    """Less than 6 s or more than 30 min is INVALID_SESSION_TIMEOUT, and no group comes of it."""
    broker = await start_broker()
    client = await connect(broker)
    for version in (0, 1, 3, 5):
        reply = await client.call("join_group", version, **joining(session=session))
        assert reply["error"] == Code.INVALID_SESSION_TIMEOUT
    assert (await client.call("list_groups", 2))["groups"] == []


async def test_session_time_outs_at_the_limits_are_accepted(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Exactly 6 s and exactly 30 min are allowed."""
    client = await connect(await start_broker())
    for session in (6_000, 1_800_000):
        assert (await join(client, group=f"g{session}", session=session))["error"] == 0


async def test_two_members_share_the_work(start_broker: StartBroker, connect: Connect) -> None:
    """A newcomer makes the first join again; the leader hears of both, each gets its own share."""
    broker = await start_broker()
    one, two = await connect(broker), await connect(broker)
    first = await alone(one)
    newcomer = asyncio.get_running_loop().create_task(join(two))
    group = broker.offsets.groups.known["g"]
    await until(lambda: len(group.members) == 2)
    assert await beat(one, first) == Code.REBALANCE_IN_PROGRESS
    again = await one.call("join_group", 5, **joining(first["member"]))
    second = await newcomer
    assert again["generation"] == second["generation"] == first["generation"] + 1
    assert {m["member"] for m in again["members"]} == {first["member"], second["member"]}
    assert second["members"] == []
    waiting = asyncio.get_running_loop().create_task(sync(two, second))
    given = {first["member"]: b"a", second["member"]: b"b"}
    assert (await sync(one, again, given))["assignment"] == b"a"
    assert (await waiting)["assignment"] == b"b"
    assert [await beat(one, again), await beat(two, second)] == [0, 0]
    assert await beat(one, first) == Code.ILLEGAL_GENERATION


async def test_a_member_that_leaves_is_gone_at_once(
    start_broker: StartBroker, connect: Connect
) -> None:
    """After the last member left, the group is empty and the id unknown."""
    client = await connect(await start_broker())
    joined = await alone(client)
    reply = await client.call("leave_group", 1, group="g", member=joined["member"])
    assert reply["error"] == 0
    assert await beat(client, joined) == Code.UNKNOWN_MEMBER_ID
    described = (await client.call("describe_groups", 4, groups=["g", "none"]))["groups"]
    assert [d["state"] for d in described] == ["Empty", "Dead"]


async def test_a_silent_member_is_expired(start_broker: StartBroker, connect: Connect) -> None:
    """A member that is not heard of for its session is taken out, and the others share anew."""
    broker = await start_broker(min_session_ms=100)
    client = await connect(broker)
    joined = await join(client, session=150)
    await sync(client, joined, {joined["member"]: b"all"})
    group = broker.offsets.groups.known["g"]
    await until(lambda: not group.members)
    assert await beat(client, joined) == Code.UNKNOWN_MEMBER_ID


async def test_a_member_that_never_syncs_does_not_hold_up_the_group(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Who joins and does not ask for its share within the rebalance time-out is taken out."""
    broker = await start_broker()
    client = await connect(broker)
    joined = await join(client, rebalance=150)
    group = broker.offsets.groups.known["g"]
    await until(lambda: not group.members)
    assert await beat(client, joined) == Code.UNKNOWN_MEMBER_ID


async def test_a_static_member_takes_its_work_over(
    start_broker: StartBroker, connect: Connect
) -> None:
    """A restarted static member has its assignment without a rebalance; its former self is fenced."""
    broker = await start_broker()
    one, two = await connect(broker), await connect(broker)
    first = await alone(one, "i1")
    back = await two.call("join_group", 5, **joining("", "i1"))
    assert (back["error"], back["generation"]) == (0, first["generation"])
    assert back["member"] != first["member"] != ""
    assert back["members"] == []
    assert (await sync(two, back, instance="i1"))["assignment"] == b"all"
    assert await beat(one, first, instance="i1") == Code.FENCED_INSTANCE_ID
    assert await beat(two, back, instance="i1") == 0
    fenced = await one.call("join_group", 5, **joining(first["member"], "i1"))
    assert fenced["error"] == Code.FENCED_INSTANCE_ID


async def test_an_administrator_removes_a_static_member(
    start_broker: StartBroker, connect: Connect
) -> None:
    """Leave with an instance id and no member id removes whoever holds the instance (KIP-345)."""
    client = await connect(await start_broker())
    joined = await alone(client, "i1")
    reply = await client.call(
        "leave_group",
        3,
        group="g",
        members=[{"member": "", "instance": "i1"}, {"member": "", "instance": "i2"}],
    )
    assert [m["error"] for m in reply["members"]] == [0, Code.UNKNOWN_MEMBER_ID]
    assert await beat(client, joined, instance="i1") == Code.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("clean", [True, False])
async def test_groups_survive_a_restart(
    start_broker: StartBroker, connect: Connect, clean: bool
) -> None:
    """Dynamic and static members go on with their generation and assignment, offsets are there."""
    broker = await start_broker()
    client, other = await connect(broker), await connect(broker)
    await a_topic(client)
    dynamic = await alone(client)
    static = await join(other, "i1", group="s")
    given = [{"member": static["member"], "assignment": b"mine"}]
    named = {"group": "s", "generation": static["generation"], "member": static["member"]}
    await other.call("sync_group", 3, **named, instance="i1", assignments=given)
    part = {"index": 0, "offset": 7, "epoch": -1, "metadata": "é" * 3700}
    topics = [{"name": "t", "partitions": [part]}]
    await client.call("offset_commit", 7, **_named(dynamic, {}), topics=topics)
    if clean:
        await broker.close()
    else:
        await abandon(broker)
    broker = await start_broker()
    client, other = await connect(broker), await connect(broker)
    assert await beat(client, dynamic) == 0
    assert (await sync(client, dynamic))["assignment"] == b"all"
    back = await other.call("join_group", 5, **joining("", "i1", group="s"))
    assert back["generation"] == static["generation"]
    again = {**named, "member": back["member"], "instance": "i1", "assignments": []}
    assert (await other.call("sync_group", 3, **again))["assignment"] == b"mine"
    wanted = [{"name": "t", "partitions": [0]}]
    fetched = await client.call("offset_fetch", 5, group="g", topics=wanted)
    kept = fetched["topics"][0]["partitions"][0]
    assert (kept["offset"], kept["metadata"]) == (7, "é" * 3700)


async def test_foreign_protocols_are_refused(start_broker: StartBroker, connect: Connect) -> None:
    """A member of another type, without a common protocol, or with none at all, cannot join."""
    broker = await start_broker()
    client, other = await connect(broker), await connect(broker)
    await alone(client)
    for changes in (
        {"type": "connect"},
        {"protocols": [{"name": "sticky", "metadata": b""}]},
        {"protocols": []},
    ):
        reply = await other.call("join_group", 5, **joining(**changes))
        assert reply["error"] == Code.INCONSISTENT_GROUP_PROTOCOL


async def test_unknown_members_are_told_so(start_broker: StartBroker, connect: Connect) -> None:
    """An id that the broker never gave, or a group that it does not know, is UNKNOWN_MEMBER_ID."""
    client = await connect(await start_broker())
    nobody = {"generation": 1, "member": "x"}
    assert await beat(client, nobody) == Code.UNKNOWN_MEMBER_ID
    assert (await sync(client, nobody))["error"] == Code.UNKNOWN_MEMBER_ID
    assert (await client.call("join_group", 5, **joining("x")))["error"] == Code.UNKNOWN_MEMBER_ID
    await alone(client)
    assert (await client.call("join_group", 5, **joining("x")))["error"] == Code.UNKNOWN_MEMBER_ID
    left = await client.call("leave_group", 0, group="none", member="x")
    assert left["error"] == Code.UNKNOWN_MEMBER_ID
