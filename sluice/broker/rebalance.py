"""The states of a group: who is waited for, when a generation begins, who has been silent too long."""

from __future__ import annotations

import asyncio

import structlog

from sluice.broker.errors import Code
from sluice.broker.groups import Group, Groups, Member, State
from sluice.broker.wire import Message

log = structlog.get_logger()


class Rebalance:
    """Moves groups from state to state; `initial_delay` (s) lets the members of a new group gather."""

    def __init__(self, groups: Groups, initial_delay: float) -> None:
        self.groups = groups
        self.initial_delay = initial_delay

    def resume(self) -> None:
        """After a restart: every member has its session's time to show up."""
        for group in self.groups.known.values():
            for member in group.members.values():
                self.touch(group, member)

    def touch(self, group: Group, member: Member) -> None:
        """The member was heard of: its session begins anew."""
        if member.timer:
            member.timer.cancel()
        loop = asyncio.get_running_loop()
        member.timer = loop.call_later(member.session, self._expire, group, member)

    def _expire(self, group: Group, member: Member) -> None:
        if group.members.get(member.id) is not member:
            return
        if member.joining:  # the client waits for us, not we for it
            self.touch(group, member)
            return
        self.remove(group, member)
        log.info("member_expired", group=group.id, member=member.id, session=member.session)

    def remove(self, group: Group, member: Member) -> None:
        """Take a member out and let the others share its work."""
        self._discard(group, member)
        if group.state is State.PREPARING:
            self.complete_if_all_joined(group)
        else:
            self.prepare(group)

    def _discard(self, group: Group, member: Member) -> None:
        del group.members[member.id]
        if member.timer:
            member.timer.cancel()
        member.answer_pending(Code.UNKNOWN_MEMBER_ID)
        if group.leader == member.id:
            group.leader = None

    def prepare(self, group: Group) -> None:
        """All members have to join again: heartbeats tell them, until the longest time-out."""
        fresh = group.state is State.EMPTY
        for member in group.members.values():
            if member.syncing and not member.syncing.done():
                member.syncing.set_result({"error": Code.REBALANCE_IN_PROGRESS})
            member.syncing = None
        group.state = State.PREPARING
        longest = max((m.rebalance for m in group.members.values()), default=0.0)
        self._schedule(group, self.initial_delay if fresh else longest)
        if not (fresh and self.initial_delay):
            self.complete_if_all_joined(group)

    def _schedule(self, group: Group, delay: float) -> None:
        if group.timer:
            group.timer.cancel()
        group.timer = asyncio.get_running_loop().call_later(delay, self._complete, group)

    def complete_if_all_joined(self, group: Group) -> None:
        if not group.pending and all(m.joining for m in group.members.values()):
            self._complete(group)

    def _complete(self, group: Group) -> None:
        """End the join phase. Who has not joined is out; a static member has until its session ends."""
        if group.state is not State.PREPARING:
            return
        for member in [m for m in group.members.values() if not m.joining and m.instance is None]:
            self._discard(group, member)
        joined = [m for m in group.members.values() if m.joining]
        if group.members and not joined:
            self._schedule(group, max(m.rebalance for m in group.members.values()))
            return
        if group.timer:
            group.timer.cancel()
        group.generation += 1
        if joined:
            self._begin_generation(group, joined)
        else:
            self._empty(group)

    def _empty(self, group: Group) -> None:
        group.state, group.protocol, group.leader = State.EMPTY, None, None
        group.since = self.groups.clock.time()
        self.groups.save(group)

    def _begin_generation(self, group: Group, joined: list[Member]) -> None:
        leader = next((m for m in joined if m.id == group.leader), joined[0])
        group.leader, group.state = leader.id, State.COMPLETING
        group.protocol = next(
            name
            for name, _ in leader.protocols
            if all(m.supports(name) for m in group.members.values())
        )
        for member in joined:
            member.synced = False
            self.touch(group, member)
            future, member.joining = member.joining, None
            if future and not future.done():
                future.set_result(joined_message(group, member))
        longest = max(m.rebalance for m in joined)
        group.timer = asyncio.get_running_loop().call_later(
            longest, self._expire_unsynced, group, group.generation
        )

    def _expire_unsynced(self, group: Group, generation: int) -> None:
        """A member that joined and never asked for its assignment would hold up all others."""
        if group.generation != generation or group.state is State.PREPARING:
            return
        silent = [m for m in group.members.values() if not m.synced and m.instance is None]
        for member in silent:
            self._discard(group, member)
        if silent or group.state is State.COMPLETING:
            self.prepare(group)
            log.info("members_never_synced", group=group.id, members=[m.id for m in silent])

    def assign(self, group: Group, assignments: dict[str, bytes]) -> None:
        """The leader has shared the work out: answer all who wait for it."""
        group.state = State.STABLE
        for member in group.members.values():
            member.assignment = assignments.get(member.id, b"")
            if member.syncing and not member.syncing.done():
                member.syncing.set_result({"assignment": member.assignment})
            member.syncing = None
        self.groups.save(group)


def joined_message(group: Group, member: Member) -> Message:
    """The answer to a member's join; the leader's names all members."""
    everyone = group.members.values() if member.id == group.leader else ()
    return {
        "generation": group.generation,
        "protocol": group.protocol,
        "leader": group.leader,
        "member": member.id,
        "members": [
            {"member": m.id, "instance": m.instance, "metadata": m.metadata(group.protocol)}
            for m in everyone
        ],
    }
