"""What a worker does with the folder that all roles share: files, batches, and bodies of claim checks."""

from __future__ import annotations

import asyncio

from schemas.batch_folder import BatchFolder
from schemas.files import DAY, Files
from schemas.models import ModelCatalog
from schemas.spool import Spool
from sluice.process import Context
from sluice.settings import batches, configs, kafka
from streams.app import Worker
from streams.batches.coordinator import Coordinator
from streams.batches.handling import LineHandling
from streams.batches.worker import Lines
from streams.stages.own import Own

FILES = "files"  # in SPOOL_DIR
BATCHES = "batches"


class Sharing:
    """The parts of it."""

    def __init__(self, context: Context, spool: Spool, catalog: ModelCatalog) -> None:
        settings = context.settings
        retention = settings[batches.RETENTION_DAYS] * DAY
        self._files = Files(spool.folder / FILES, retention)
        self._folder = BatchFolder(spool.folder / BATCHES, retention)
        self._config = configs.batch_config(settings)
        self._spool = spool
        self._clock = context.clock
        self._catalog = catalog
        self._partitions = settings[kafka.PARTITIONS]
        self.own = Own(self._files, self._folder, self._config.runner, context.clock)

    def attach(self, worker: Worker) -> None:
        """Let this worker run batches, keep what becomes of their lines, and remove bodies that nobody
        needs any more."""
        worker.inflight.settled = lambda claim: asyncio.to_thread(self._spool.remove, claim.dataref)
        boot_id = worker.beat.boot_id
        lines = Lines(self._folder, self._config, boot_id, self._clock)
        worker.inflight.lines = LineHandling(worker.handling, worker.outcomes, lines)
        worker.inflight.is_open = lines.is_open
        lane = (worker.inflight.lanes.batch.topic, self._partitions)
        coordinator = Coordinator(
            self._folder, self._files, worker.log, lane, self._config, self._clock
        )
        coordinator.names = self._names
        worker.loops.append(("batches", coordinator.run))
        worker.before_drain.append(coordinator.close)
        self.own.wake = coordinator.wake

    def _names(self, model: str, user_path: str) -> tuple[str, ...]:
        found = self._catalog.find(model, user_path)
        return () if found is None else (found.id,)


def opened(context: Context, spool: Spool | None, catalog: ModelCatalog) -> Sharing | None:
    """None if there is no such folder."""
    return None if spool is None else Sharing(context, spool, catalog)


def attach(sharing: Sharing | None, worker: Worker) -> None:
    """Let a worker do what can be done with the folder, if there is one."""
    if sharing is not None:
        sharing.attach(worker)
