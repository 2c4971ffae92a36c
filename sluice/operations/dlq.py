"""Reads `llm.dead-letters`, and produces what stands there to where it came from."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

import msgspec
from aiokafka import TopicPartition
from msgspec import Struct

from schemas import headers as h
from schemas.clock import Clock
from schemas.exchange import OUTCOME_TYPES, Attempt, Outcome
from sluice.operations.letters import Letter, letter
from sluice.operations.log import Log, Progress, untold
from sluice.operations.redrive import AGAIN, Known, Step, bases, plan

SKEW = 60.0  # seconds by which the clocks of producers may differ


class Wanted(Struct, frozen=True):
    """Which letters are meant; what is not given does not matter."""

    names: tuple[str, ...] = ()  # their numbers, or the ids of their requests
    reason: str | None = None  # part of the error's class or of the reason
    since: float | None = None  # epoch seconds
    until: float | None = None

    def takes(self, found: Letter) -> bool:
        """Whether it is one of them. The times were looked at when it was read."""
        if self.names and not {str(found.number), found.request_id} & {*self.names}:
            return False
        said = f"{found.exception}: {found.reason}".lower()
        return self.reason is None or self.reason.lower() in said


async def letters(
    log: Log, wanted: Wanted, progress: Progress = untold
) -> AsyncGenerator[Letter, None]:
    """Those that are meant, the oldest first; to be iterated under `aclosing`."""
    extents = await extent(log, wanted)
    async with aclosing(log.records(extents, progress)) as batches:
        async for batch in batches:
            for record in batch:
                content = (list(record.headers), record.key, record.value)
                found = letter(record.offset, record.timestamp / 1000, content, log.topics)
                if wanted.takes(found):
                    yield found


async def extent(log: Log, wanted: Wanted) -> dict[TopicPartition, range]:
    """Where they may stand."""
    partitions = await log.partitions(log.topics.dead_letters)
    return await log.extents(partitions, wanted.since, wanted.until)


class _Ended(Struct):
    """What is looked at in an exchange."""

    outcome: Outcome
    attempts: tuple[Attempt, ...] = ()


_ended = msgspec.json.Decoder(_Ended)


async def outcomes_extent(log: Log, found: Iterable[Letter]) -> dict[TopicPartition, range]:
    """Where the outcomes of these requests may stand."""
    asked = [each for each in found if each.kind == "request" and each.origin is not None]
    if not asked:
        return {}
    numbers = {each.origin.partition for each in asked if each.origin is not None}
    partitions = [
        each for each in await log.partitions(log.topics.exchanges) if each.partition in numbers
    ]
    return await log.extents(partitions, min(each.made for each in asked) - SKEW)


async def outcomes(
    log: Log,
    found: Iterable[Letter],
    extents: dict[TopicPartition, range],
    progress: Progress = untold,
) -> dict[str, Known]:
    """What became of these requests, and of those that they were redriven as."""
    wanted = {base for each in found if each.kind == "request" for base in bases(each)}
    known: dict[str, Known] = {}
    async with aclosing(log.records(extents, progress)) as batches:
        async for batch in batches:
            for record in batch:
                name = (record.key or b"").decode(errors="replace")
                if name not in wanted and name.rpartition(AGAIN)[0] not in wanted:
                    continue
                kind = h.first(record.headers).get(h.CE_TYPE)
                if kind in OUTCOME_TYPES and record.value is not None and name not in known:
                    known[name] = _known(record.value)
    return known


def _known(value: bytes) -> Known:
    """An outcome that cannot be read is one: nothing is run again for it."""
    try:
        ended = _ended.decode(value)
    except msgspec.DecodeError:
        return Known("completed", called=True)
    return Known(ended.outcome, bool(ended.attempts))


def plans(
    found: Sequence[Letter], known: dict[str, Known], clock: Clock, *, force: bool
) -> list[Step]:
    """What is done with each of them; of several letters of one request the last is redriven."""
    last = {each.request_id: each.number for each in found if each.kind == "request"}
    steps = []
    for each in found:
        if last.get(each.request_id, each.number) != each.number and each.kind == "request":
            step = Step(each, "keep", f"letter {last[each.request_id]} is of the same request")
        else:
            step = plan(each, known, clock.time(), force=force)
        steps.append(step)
    return steps


async def redrive(log: Log, step: Step) -> Step:
    """Produce a record again, to the partition where it stood: beside what is known of it."""
    origin = step.letter.origin
    if step.action == "keep" or origin is None:
        return step
    to = TopicPartition(origin.topic, origin.partition)
    value = step.letter.value
    if value is None:  # with the reason it was too long: only where it stands is kept
        record = await log.record(to, origin.offset)
        if record is None or record.value is None:
            return Step(step.letter, "keep", "it stands in the log no longer", step.request_id)
        value = record.value
    await log.send(to, value, step.letter.key, step.headers)
    return step
