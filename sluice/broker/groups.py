"""Consumer groups as data, and their place in the journal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from schemas.clock import Clock
from sluice.broker.disk import disk_trouble
from sluice.broker.errors import Code, KafkaError
from sluice.broker.journal import Journal, Key
from sluice.broker.wire import Message


class State(StrEnum):
    """Kafka's names, as clients see them."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


@dataclass(slots=True, eq=False)
class Member:
    """A member: time-outs in seconds, `protocols` in its order of preference."""

    id: str
    instance: str | None
    client: str
    session: float
    rebalance: float
    protocols: list[tuple[str, bytes]]
    assignment: bytes = b""
    joining: asyncio.Future[Message] | None = None
    syncing: asyncio.Future[Message] | None = None
    synced: bool = False  # it asked for its assignment of this generation
    timer: asyncio.TimerHandle | None = None

    def supports(self, protocol: str) -> bool:
        return any(name == protocol for name, _ in self.protocols)

    def metadata(self, protocol: str | None) -> bytes:
        return next((data for name, data in self.protocols if name == protocol), b"")

    def answer_pending(self, error: int) -> None:
        """Answer whatever request of the member waits with an error."""
        for future in (self.joining, self.syncing):
            if future and not future.done():
                future.set_result({"error": error, "member": self.id})
        self.joining = self.syncing = None


@dataclass(frozen=True, slots=True)
class Committed:
    """A committed offset; `at` is epoch seconds of the commit."""

    offset: int
    metadata: str
    epoch: int
    at: float


@dataclass(slots=True, eq=False)
class Group:
    """A group; `since` is when it was last left empty, epoch seconds."""

    id: str
    since: float
    state: State = State.EMPTY
    generation: int = 0
    type: str | None = None
    protocol: str | None = None
    leader: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)  # ids handed out that have not joined yet
    timer: asyncio.TimerHandle | None = None
    offsets: dict[tuple[str, int], Committed] = field(default_factory=dict)

    def static(self, instance: str | None) -> Member | None:
        """The member that holds a `group.instance.id`."""
        if instance is None:
            return None
        return next((m for m in self.members.values() if m.instance == instance), None)

    def member(self, id_: str, instance: str | None, generation: int | None = None) -> Member:
        """The member as a request names it; KafkaError if another holds its place."""
        holder = self.static(instance)
        if holder is not None and holder.id != id_:
            raise KafkaError(Code.FENCED_INSTANCE_ID)
        member = self.members.get(id_)
        if member is None:
            raise KafkaError(Code.UNKNOWN_MEMBER_ID)
        if generation is not None and generation != self.generation:
            raise KafkaError(Code.ILLEGAL_GENERATION)
        return member


class MemberRow(msgspec.Struct, array_like=True):
    """A member in the journal."""

    id: str
    instance: str | None
    client: str
    session: float
    rebalance: float
    protocols: list[tuple[str, bytes]]
    assignment: bytes


class GroupRow(msgspec.Struct, array_like=True):
    """A group in the journal; members only if it was stable."""

    generation: int
    type: str | None
    protocol: str | None
    leader: str | None
    since: float
    members: list[MemberRow]


class OffsetRow(msgspec.Struct, array_like=True):
    """A committed offset in the journal."""

    offset: int
    metadata: str
    epoch: int
    at: float


class Groups:
    """All groups. Stable ones and committed offsets survive the process."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Load what the journal has; the sessions of the members begin anew."""
        self.journal = journal
        self.clock = clock
        self.known: dict[str, Group] = {}
        for key, value in journal.items():
            group = self.obtain(str(key[1]))
            if key[0] == "group":
                _restore(group, msgspec.json.decode(value, type=GroupRow))
            else:
                row = msgspec.json.decode(value, type=OffsetRow)
                committed = Committed(row.offset, row.metadata, row.epoch, row.at)
                group.offsets[str(key[2]), int(key[3])] = committed

    def obtain(self, name: str) -> Group:
        """The group, made if it is new."""
        group = self.known.get(name)
        if group is None:
            group = self.known[name] = Group(name, self.clock.time())
        return group

    def get(self, name: str) -> Group:
        """Raises KafkaError(UNKNOWN_MEMBER_ID), which is what members of no group are told."""
        group = self.known.get(name)
        if group is None:
            raise KafkaError(Code.UNKNOWN_MEMBER_ID)
        return group

    def save(self, group: Group) -> None:
        """Keep a stable or empty group; on a full disk it merely has to join again after a crash."""
        members = [
            MemberRow(m.id, m.instance, m.client, m.session, m.rebalance, m.protocols, m.assignment)
            for m in group.members.values()
        ]
        row = GroupRow(
            group.generation, group.type, group.protocol, group.leader, group.since, members
        )
        try:
            self.journal.put({("group", group.id): row})
        except OSError as exc:
            disk_trouble("group_not_saved", group=group.id, error=str(exc))

    def remove(self, group: Group) -> None:
        """Forget a group and its offsets; raises OSError, then it stays."""
        gone: dict[Key, None] = {("offset", group.id, *place): None for place in group.offsets}
        self.journal.put({**gone, ("group", group.id): None})
        if group.timer:
            group.timer.cancel()
        del self.known[group.id]

    def forget_topic(self, topic: str) -> None:
        """Drop the offsets of a deleted topic; raises OSError."""
        for group in self.known.values():
            places = [place for place in group.offsets if place[0] == topic]
            self.journal.put({("offset", group.id, *place): None for place in places})
            for place in places:
                del group.offsets[place]


def _restore(group: Group, row: GroupRow) -> None:
    group.generation, group.type, group.protocol = row.generation, row.type, row.protocol
    group.leader, group.since = row.leader, row.since
    group.state = State.STABLE if row.members else State.EMPTY
    for m in row.members:
        group.members[m.id] = Member(
            m.id,
            m.instance,
            m.client,
            m.session,
            m.rebalance,
            m.protocols,
            m.assignment,
            synced=True,
        )
