"""The thread that a request stands in: what it went on with, and what went on with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Raw

from schemas.analytics import Reports
from schemas.kept import AnswerStore, Kept, Threads

LIMIT, MOST = 40, 200


async def thread(
    reports: Reports, answers: AnswerStore, threads: Threads, anchor: str, limit: int
) -> Sequence[Raw]:
    """Documents of the exchanges around that of the request id `anchor`, which is among them, the oldest
    first; nothing if it is not there. StoreUnavailable.

    Responses are linked by `previous_response_id`, as far as they were kept. First come those before
    the anchor, then those behind it, each answer before what went on with it: `limit` in all.
    """
    document = await reports.one(anchor)
    if document is None:
        return ()
    found = await answers.find(anchor)
    if found is None:
        return (document,)
    names = [*await _before(answers, found, limit - 1), anchor]
    names += await _behind(answers, threads, found, limit - len(names))
    documents = [document if each == anchor else await reports.one(each) for each in names]
    return [each for each in documents if each is not None]


async def _before(answers: AnswerStore, found: Kept, limit: int) -> list[str]:
    """Request ids, the oldest first."""
    names: deque[str] = deque()
    last: Kept | None = found
    while last is not None and last.previous_id and len(names) < limit:
        last = await answers.find(last.previous_id)
        if last is not None:
            names.appendleft(last.request_id)
    return list(names)


async def _behind(answers: AnswerStore, threads: Threads, found: Kept, limit: int) -> list[str]:
    """Request ids, level by level."""
    names: list[str] = []
    ends = deque([found.response_id])
    while ends and len(names) < limit:
        if (end := ends.popleft()) is None:
            continue
        for name in await threads.continuing(end, limit - len(names)):
            names.append(name)
            further = await answers.find(name)
            ends.append(further.response_id if further is not None else None)
    return names
