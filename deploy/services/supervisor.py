"""Starting and stopping services under one home folder, and the file that says where they listen."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.services import processes
from deploy.services.base import Service
from deploy.services.kafka import Kafka
from deploy.services.mongodb import MongoDB
from deploy.services.ports import chosen
from deploy.services.postgres import Postgres
from deploy.services.processes import Record
from deploy.services.redis import Redis
from deploy.services.terminal import ServiceError, setting
from deploy.services.weaviate import Weaviate

SERVICES: Mapping[str, Service] = {
    "kafka": Kafka(),
    "redis": Redis(),
    "mongodb": MongoDB(),
    "postgres": Postgres(),
    "weaviate": Weaviate(),
}


class Running:
    """One service in one home folder (data, log, what is remembered of its process).

    `make services` has one home, the clone's; a test that kills its broker has its own.
    """

    def __init__(self, service: Service, home: Path) -> None:
        self.service = service
        self.data = home / "data" / service.name
        self.log = home / "logs" / f"{service.name}.log"
        self._file = home / "run" / f"{service.name}.json"

    @property
    def record(self) -> Record:
        return Record.read(self._file)

    @property
    def alive(self) -> bool:
        return self.record.alive

    @property
    def endpoints(self) -> dict[str, str]:
        return self.service.endpoints(self.data, self.record.ports)

    def start(self, ports: Mapping[str, int] | None = None) -> bool:
        """Return once it answers; False if it ran already. The ports of last time are kept if free.

        May install and build first. Raises ServiceError with the end of the log.
        """
        record = self.record
        if record.alive:
            self._wait(record)
            return False
        self.service.install()
        self.data.mkdir(parents=True, exist_ok=True)
        if ports:
            self._start(ports)
        else:
            with chosen(self.service.ports, record.ports) as free:
                self._start(free)
        return True

    def _start(self, ports: Mapping[str, int]) -> None:
        command = self.service.command(self.data, ports)
        record = processes.spawn(command, self.log, self.data)
        record.ports = dict(ports)
        record.write(self._file)
        try:
            self._wait(record)
        except ServiceError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop what start() started, politely first; its data and ports stay."""
        record = self.record
        processes.stop(record, self.service.stop_signal)
        self._forget(record)

    def kill(self) -> None:
        """kill -9, for tests of what survives it."""
        record = self.record
        processes.stop(record, processes.KILL)
        self._forget(record)

    def erase(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def _forget(self, record: Record) -> None:
        if record.pid:
            Record(ports=record.ports).write(self._file)

    def _wait(self, record: Record) -> None:
        seconds = float(setting("SERVICES_TIMEOUT", "90"))
        deadline = time.monotonic() + seconds
        while not self.service.answers(record.ports):
            if not record.alive:
                raise ServiceError(f"{self.service.name} ended at once:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{self.service.name} does not answer after {seconds:g} s:\n{self._log_tail()}"
                )
            time.sleep(0.1)
        # Somebody else's server may answer on the port that ours could not get.
        if not record.alive:
            raise ServiceError(f"{self.service.name} ended at once:\n{self._log_tail()}")

    def _log_tail(self, lines: int = 15) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:]) or f"(nothing in {self.log})"


def write_endpoints(home: Path) -> dict[str, str]:
    """Write `env` (KEY=VALUE) for what runs now; no file when nothing runs."""
    lines: dict[str, str] = {}
    for service in SERVICES.values():
        running = Running(service, home)
        if running.alive:
            lines |= running.endpoints
    target = home / "env"
    if not lines:
        target.unlink(missing_ok=True)
        return lines
    partial = target.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    partial.replace(target)
    return lines
