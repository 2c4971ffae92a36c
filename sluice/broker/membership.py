"""Join, sync, heartbeat and leave: the requests of the classic group protocol, with static members."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from sluice.broker.errors import Code, KafkaError
from sluice.broker.groups import Group, Groups, Member, State
from sluice.broker.rebalance import Rebalance, joined_message
from sluice.broker.wire import Message

Reply = Message | asyncio.Future[Message]


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What a member may ask for as its session time-out, ms."""

    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Joining:
    """A checked join request; time-outs in seconds."""

    member: str
    instance: str | None
    client: str
    session: float
    rebalance: float
    type: str
    protocols: list[tuple[str, bytes]]


class Membership:
    """Answers members. Methods raise KafkaError; an answer that has to wait is a future."""

    def __init__(self, groups: Groups, rebalance: Rebalance, limits: SessionLimits) -> None:
        self.groups = groups
        self.rebalance = rebalance
        self.limits = limits

    def join(self, request: Message, version: int, client: str) -> Reply:
        joining = self._checked(request, client)
        group = self.groups.known.get(request["group"])
        if group is None:
            if joining.member:
                raise KafkaError(Code.UNKNOWN_MEMBER_ID)
            group = self.groups.obtain(request["group"])
        _check_protocols(group, joining)
        holder = group.static(joining.instance)
        if not joining.member:
            return self._newcomer(group, joining, holder, version)
        if holder and holder.id != joining.member:
            raise KafkaError(Code.FENCED_INSTANCE_ID)
        if joining.member in group.members:
            return self._again(group, group.members[joining.member], joining)
        if joining.member not in group.pending:
            raise KafkaError(Code.UNKNOWN_MEMBER_ID)
        return self._add(group, joining, joining.member)

    def _checked(self, request: Message, client: str) -> Joining:
        if not request["group"]:
            raise KafkaError(Code.INVALID_GROUP_ID)
        session: int = request["session"]
        rebalance: int = request.get("rebalance", session)
        if not self.limits.lowest <= session <= self.limits.highest:
            raise KafkaError(Code.INVALID_SESSION_TIMEOUT)
        protocols = [(p["name"], p["metadata"]) for p in request["protocols"]]
        if not protocols or not request["type"]:
            raise KafkaError(Code.INCONSISTENT_GROUP_PROTOCOL)
        return Joining(
            request["member"],
            request.get("instance"),
            client,
            session / 1000,
            max(rebalance, 0) / 1000,
            request["type"],
            protocols,
        )

    def _newcomer(
        self, group: Group, joining: Joining, holder: Member | None, version: int
    ) -> Reply:
        id_ = f"{joining.instance or joining.client}-{secrets.token_hex(16)}"
        if holder:
            return self._replace(group, holder, joining, id_)
        if version >= 4 and joining.instance is None:
            # so that a client which loses this answer does not leave a ghost behind
            group.pending.add(id_)
            loop = asyncio.get_running_loop()
            loop.call_later(joining.session, self._forget_pending, group, id_)
            return {"error": Code.MEMBER_ID_REQUIRED, "member": id_}
        return self._add(group, joining, id_)

    def _add(self, group: Group, joining: Joining, id_: str) -> Reply:
        group.pending.discard(id_)
        group.type = joining.type
        member = group.members[id_] = Member(
            id_,
            joining.instance,
            joining.client,
            joining.session,
            joining.rebalance,
            joining.protocols,
        )
        return self._wait(group, member)

    def _again(self, group: Group, member: Member, joining: Joining) -> Reply:
        """A member joins anew: to a change, or because an answer was lost."""
        unchanged = member.protocols == joining.protocols
        member.session, member.rebalance = joining.session, joining.rebalance
        member.protocols = joining.protocols
        settled = group.state is State.COMPLETING or (
            group.state is State.STABLE and group.leader != member.id
        )
        if unchanged and settled:
            self.rebalance.touch(group, member)
            return joined_message(group, member)
        return self._wait(group, member)

    def _wait(self, group: Group, member: Member) -> asyncio.Future[Message]:
        member.answer_pending(Code.REBALANCE_IN_PROGRESS)
        member.joining = future = asyncio.get_running_loop().create_future()
        self.rebalance.touch(group, member)
        if group.state is State.PREPARING:
            self.rebalance.complete_if_all_joined(group)
        else:
            self.rebalance.prepare(group)
        return future

    def _replace(self, group: Group, old: Member, joining: Joining, id_: str) -> Reply:
        """A static member came back under a new id; unchanged, it takes its work over at once."""
        old.answer_pending(Code.FENCED_INSTANCE_ID)
        if old.timer:
            old.timer.cancel()
        del group.members[old.id]
        member = group.members[id_] = Member(
            id_,
            old.instance,
            joining.client,
            joining.session,
            joining.rebalance,
            joining.protocols,
            old.assignment,
            synced=True,
        )
        leader = group.leader
        if leader == old.id:
            group.leader = id_
        if group.state is State.STABLE and old.protocols == member.protocols:
            self.rebalance.touch(group, member)
            self.groups.save(group)
            # under the old leader's name, so that it does not share the work out anew
            return {**joined_message(group, member), "leader": leader, "members": []}
        return self._wait(group, member)

    def _forget_pending(self, group: Group, id_: str) -> None:
        if id_ in group.pending:
            group.pending.discard(id_)
            if group.state is State.PREPARING:
                self.rebalance.complete_if_all_joined(group)

    def sync(self, request: Message) -> Reply:
        group = self.groups.get(request["group"])
        member = group.member(request["member"], request.get("instance"), request["generation"])
        self.rebalance.touch(group, member)
        if group.state is State.STABLE:
            member.synced = True
            return {"assignment": member.assignment}
        if group.state is not State.COMPLETING:
            raise KafkaError(Code.REBALANCE_IN_PROGRESS)
        member.answer_pending(Code.REBALANCE_IN_PROGRESS)
        member.synced = True
        member.syncing = future = asyncio.get_running_loop().create_future()
        if member.id == group.leader:
            given = {a["member"]: a["assignment"] for a in request["assignments"]}
            self.rebalance.assign(group, given)
        return future

    def heartbeat(self, request: Message) -> Message:
        group = self.groups.get(request["group"])
        member = group.member(request["member"], request.get("instance"), request["generation"])
        self.rebalance.touch(group, member)
        preparing = group.state is State.PREPARING
        return {"error": Code.REBALANCE_IN_PROGRESS if preparing else Code.NONE}

    def leave(self, request: Message, version: int) -> Message:
        group = self.groups.get(request["group"])
        if version < 3:
            return {"error": self._leave(group, request["member"], None)}
        results = [
            {**leaver, "error": self._leave(group, leaver["member"], leaver["instance"])}
            for leaver in request["members"]
        ]
        return {"members": results}

    def _leave(self, group: Group, id_: str, instance: str | None) -> int:
        """Without an id, an administrator removes whoever is the static member."""
        holder = group.static(instance)
        if holder and not id_:
            id_ = holder.id
        try:
            member = group.member(id_, instance)
        except KafkaError as exc:
            pending = id_ in group.pending
            self._forget_pending(group, id_)
            return Code.NONE if pending else exc.code
        self.rebalance.remove(group, member)
        return Code.NONE


def _check_protocols(group: Group, joining: Joining) -> None:
    others = [m for m in group.members.values() if m.id != joining.member]
    if group.members and group.type != joining.type:
        raise KafkaError(Code.INCONSISTENT_GROUP_PROTOCOL)
    if not any(all(m.supports(name) for m in others) for name, _ in joining.protocols):
        raise KafkaError(Code.INCONSISTENT_GROUP_PROTOCOL)
