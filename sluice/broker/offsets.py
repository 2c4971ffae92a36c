"""Committed offsets: commit, fetch and expiry, and what administrators ask of groups."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from sluice.broker.disk import disk_trouble
from sluice.broker.errors import Code, KafkaError
from sluice.broker.groups import Committed, Group, Groups, OffsetRow, State
from sluice.broker.journal import Key
from sluice.broker.rebalance import Rebalance
from sluice.broker.wire import Message

log = structlog.get_logger()

MAX_METADATA = 4096  # Kafka's offset.metadata.max.bytes
_NO_OPERATIONS = -(1 << 31)  # "authorized operations" of a broker without authorization


class Offsets:
    """Offsets of all groups; `exists` says whether a partition does."""

    def __init__(
        self, groups: Groups, rebalance: Rebalance, exists: Callable[[str, int], bool]
    ) -> None:
        self.groups = groups
        self.rebalance = rebalance
        self.exists = exists

    def commit(self, request: Message) -> Message:
        """Errors are told for each partition. What is answered without one is in the journal."""
        error, rows, now = Code.NONE, {}, self.groups.clock.time()
        try:
            group = self._committer(request)
        except KafkaError as exc:
            error = exc.code
        topics: list[Message] = []
        for topic in request["topics"]:
            parts = []
            for part in topic["partitions"]:
                code = error or self._refusal(topic["name"], part)
                if code == Code.NONE:
                    text, epoch = part["metadata"] or "", part.get("epoch", -1)
                    rows[topic["name"], part["index"]] = Committed(part["offset"], text, epoch, now)
                parts.append({"index": part["index"], "error": code})
            topics.append({"name": topic["name"], "partitions": parts})
        if rows and not self._store(group, rows):
            for topic in topics:
                for part in topic["partitions"]:
                    # as Kafka tells a full disk here: clients look for the coordinator and retry
                    part["error"] = part["error"] or Code.NOT_COORDINATOR
        return {"topics": topics}

    def _committer(self, request: Message) -> Group:
        name, generation = request["group"], request["generation"]
        group = self.groups.known.get(name)
        if group is None:
            if generation >= 0:
                raise KafkaError(Code.ILLEGAL_GENERATION)
            return self.groups.obtain(name)
        if generation < 0 and group.state is State.EMPTY:
            return group
        member = group.member(request["member"], request.get("instance"), generation)
        self.rebalance.touch(group, member)
        if group.state is State.COMPLETING:
            raise KafkaError(Code.REBALANCE_IN_PROGRESS)
        return group

    def _refusal(self, topic: str, part: Message) -> int:
        if not self.exists(topic, part["index"]):
            return Code.UNKNOWN_TOPIC_OR_PARTITION
        if len(part["metadata"] or "") > MAX_METADATA:
            return Code.OFFSET_METADATA_TOO_LARGE
        return Code.NONE

    def _store(self, group: Group, rows: dict[tuple[str, int], Committed]) -> bool:
        entries: dict[Key, OffsetRow] = {
            ("offset", group.id, *place): OffsetRow(c.offset, c.metadata, c.epoch, c.at)
            for place, c in rows.items()
        }
        try:
            self.groups.journal.put(entries)
        except OSError as exc:
            disk_trouble("offsets_not_committed", group=group.id, error=str(exc))
            return False
        group.offsets.update(rows)
        return True

    def fetch(self, request: Message) -> Message:
        group = self.groups.known.get(request["group"])
        offsets = group.offsets if group else {}
        wanted = request["topics"]
        if wanted is None:
            found: dict[str, list[int]] = {}
            for name, number in offsets:
                found.setdefault(name, []).append(number)
            wanted = [{"name": name, "partitions": numbers} for name, numbers in found.items()]
        nothing = Committed(-1, "", -1, 0.0)
        topics = []
        for topic in wanted:
            parts = []
            for number in topic["partitions"]:
                c = offsets.get((topic["name"], number), nothing)
                parts.append(
                    {"index": number, "offset": c.offset, "metadata": c.metadata, "epoch": c.epoch}
                )
            topics.append({"name": topic["name"], "partitions": parts})
        return {"topics": topics}

    def expire(self, retention: float) -> None:
        """Drop offsets that nobody has used for `retention` seconds, and groups with nothing left.

        As in Kafka, the time of a group that had members runs from when the last one left. Raises
        OSError.
        """
        now = self.groups.clock.time()
        for group in tuple(self.groups.known.values()):
            if group.members or group.pending:
                continue
            since = group.since if group.type else 0.0
            old = [
                place for place, c in group.offsets.items() if now - max(c.at, since) >= retention
            ]
            if old:
                self.groups.journal.put({("offset", group.id, *place): None for place in old})
            for place in old:
                del group.offsets[place]
            if not group.offsets:
                self.groups.remove(group)
            if old:
                log.info("offsets_expired", group=group.id, offsets=len(old))

    # -- administration

    def delete(self, name: str) -> int:
        """Delete a group without members; the error code."""
        group = self.groups.known.get(name)
        if group is None:
            return Code.GROUP_ID_NOT_FOUND
        if group.members:
            return Code.NON_EMPTY_GROUP
        try:
            self.groups.remove(group)
        except OSError as exc:
            disk_trouble("group_not_deleted", group=name, error=str(exc))
            return Code.NOT_COORDINATOR
        return Code.NONE

    def listing(self) -> list[Message]:
        return [{"group": g.id, "type": g.type or ""} for g in self.groups.known.values()]

    def describe(self, name: str) -> Message:
        group = self.groups.known.get(name)
        told: Message = {"group": name, "state": "Dead", "type": "", "ops": _NO_OPERATIONS}
        if group is None:
            return told | {"protocol": ""}
        stable = group.state is State.STABLE
        members = [
            {
                "member": m.id,
                "instance": m.instance,
                "client": m.client,
                "host": "/127.0.0.1",
                "metadata": m.metadata(group.protocol) if stable else b"",
                "assignment": m.assignment if stable else b"",
            }
            for m in group.members.values()
        ]
        return told | {
            "state": group.state.value,
            "type": group.type or "",
            "protocol": (group.protocol or "") if stable else "",
            "members": members,
        }
