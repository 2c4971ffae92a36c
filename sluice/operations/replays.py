"""Replays that were begun over HTTP: `sluice replay` in the background of an ingress."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec
import structlog
from msgspec import Struct

from schemas.clock import rfc3339
from schemas.errors import Conflict, GatewayError, InvalidRequest, NotFound
from schemas.exchange import Exchange
from schemas.ids import new_id
from schemas.operating import Rerun
from schemas.tasks import Tasks
from sluice.operations import recorded
from sluice.operations.comparing import compare, make_shadow, shadow
from sluice.operations.comparison import Comparison
from sluice.operations.desk import Reader, said_in_http
from sluice.operations.filters import parse
from sluice.operations.recorded import Wanted, completed
from sluice.operations.replay import Replay, Terms
from sluice.settings import Settings, configs

log = structlog.get_logger()

REMEMBERED = 20  # runs
MOST = 1000  # requests of a run: both answers of each are in memory
MOST_AT_ONCE = 64
_encode = msgspec.json.Encoder().encode


class Run(Struct, kw_only=True, omit_defaults=True):
    """One run, as it is told."""

    id: str
    status: Literal["reading", "running", "completed", "failed", "cancelled"]
    model: str
    created_at: str  # RFC 3339
    requests: int | None = None  # that are meant
    done: int = 0
    comparison: Comparison | None = None
    error: str | None = None


class ReplayDesk:
    """The runs of this process: one at a time, the last few are remembered."""

    def __init__(self, settings: Settings, reader: Reader, slot: int) -> None:
        self._settings = settings
        self._reader = reader
        self._slot = slot
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._tasks = Tasks()
        self._running: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End what runs, and what it runs in turn."""
        await self._tasks.abort()

    async def begin(self, wanted: Rerun) -> tuple[str, bytes]:
        if self._running is not None and not self._running.done():
            raise Conflict("Another replay runs here: wait for its end, or end it.")
        meant = self._wanted(wanted)
        now = self._reader.clock.time()
        run = Run(
            id=new_id(int(now * 1000), self._slot),
            status="reading",
            model=wanted.model,
            created_at=rfc3339(now),
        )
        self._runs[run.id] = run
        if len(self._runs) > REMEMBERED:
            self._runs.popitem(last=False)
        work = self._run(run, wanted, meant)
        self._running = self._tasks.start(work, name=f"replay {run.id}")
        return run.id, _encode(run)

    def _wanted(self, wanted: Rerun) -> Wanted:
        if not 1 <= wanted.limit <= MOST or not 1 <= wanted.concurrency <= MOST_AT_ONCE:
            raise InvalidRequest(
                f"`limit` must be 1 to {MOST}, `concurrency` 1 to {MOST_AT_ONCE}.", param="limit"
            )
        if wanted.timeout < 1 or wanted.source not in ("log", "store"):
            raise InvalidRequest("`timeout` must be a second or more, `source` log or store.")
        with said_in_http():
            filters = completed(tuple(parse(each) for each in wanted.filters))
        since, until = self._reader.time(wanted.since), self._reader.time(wanted.until)
        return Wanted(since, until, filters, wanted.limit)

    def overview(self) -> bytes:
        """The newest first, without their comparisons."""
        runs = [
            msgspec.structs.replace(each, comparison=None) for each in reversed(self._runs.values())
        ]
        return _encode({"replays": runs})

    def show(self, name: str) -> bytes:
        return _encode(self._known(name))

    async def end(self, name: str) -> bytes:
        run = self._known(name)
        if run.status in ("reading", "running") and self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))
        return _encode(run)

    def _known(self, name: str) -> Run:
        if (run := self._runs.get(name)) is None:
            raise NotFound(
                "There is no such replay here: only the ingress process that began it knows it."
            )
        return run

    async def _run(self, run: Run, wanted: Rerun, meant: Wanted) -> None:
        try:
            found = await self._recorded(meant, wanted.source)
            run.requests = len(found)
            if wanted.dry_run:
                run.status = "completed"
                return
            run.status = "running"
            await self._replayed(run, wanted, found)
        except GatewayError as error:
            run.status, run.error = "failed", error.message
        except asyncio.CancelledError:
            run.status = "cancelled"
            raise
        except Exception as error:  # the edge of a run: whoever asks is told
            log.exception("replay_failed", replay=run.id)
            run.status, run.error = "failed", repr(error)

    async def _recorded(self, meant: Wanted, source: str) -> list[Exchange]:
        if source == "store":
            with said_in_http():
                return await recorded.from_store(configs.sink_config(self._settings), meant)
        async with self._reader.opened() as opened:
            return await recorded.from_log(opened, meant)

    async def _replayed(self, run: Run, wanted: Rerun, found: list[Exchange]) -> None:
        kafka, clock = self._reader.kafka, self._reader.clock
        terms = Terms(
            model=wanted.model,
            shadow=shadow(kafka),
            run=run.id,
            concurrency=wanted.concurrency,
            timeout=wanted.timeout,
            user_path=wanted.user_path,
            drop_params=wanted.drop_params,
        )
        async with self._reader.opened() as opened:
            await make_shadow(self._settings, kafka)
            pairs = await Replay(opened, terms, clock).run(found, _counting(run))
        run.comparison = await compare(self._settings, wanted.model, pairs, clock)
        run.status = "completed"


def _counting(run: Run) -> Callable[[int], None]:
    def count(more: int) -> None:
        run.done += more

    return count
