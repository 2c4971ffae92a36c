"""The gateway as the processes that it is: started, armed, killed, counted."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas import exchange as exchanges
from schemas.exchange import OUTCOME_TYPES, Exchange
from schemas.topics import Topics
from tests import services

READY_SECONDS = 60.0


class Process:
    """One `sluice` command line. It dies with the tests."""

    def __init__(
        self, folder: Path, env: Mapping[str, str], *arguments: str, module: str = "sluice"
    ) -> None:
        self.log = folder / f"{'-'.join(arguments)}-{time.monotonic_ns()}.log"
        reading, writing = os.pipe()
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env={**_inherited(), **env, "SLUICE_SUPERVISOR": f"{os.getpid()}:{writing}"},
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                cwd=folder,
            )
        os.close(writing)
        self._ready = reading
        os.set_blocking(reading, False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    async def ready(self) -> "Process":
        """Wait until it says that it is ready; its log is the message if it is not."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                if os.read(self._ready, 200):
                    return self
            except BlockingIOError:
                pass
            if self.returncode is not None:
                break
            await asyncio.sleep(0.02)
        raise AssertionError(f"not ready, exit code {self.returncode}:\n{self.text()[-4000:]}")

    def text(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        """kill -9."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    async def stop(self) -> None:
        """SIGTERM, at which it must end in order."""
        self.terminate()
        assert await self.ended() == 0, self.text()[-4000:]

    async def ended(self, seconds: float = 60.0) -> int:
        """The exit code; -9 after a fault point."""
        deadline = time.monotonic() + seconds
        while self.returncode is None:
            assert time.monotonic() < deadline, f"still running:\n{self.text()[-4000:]}"
            await asyncio.sleep(0.02)
        return self.returncode

    def erase(self) -> None:
        if self.returncode is None:
            self.kill()
        os.close(self._ready)


def _inherited() -> dict[str, str]:
    """What a process needs of the tests' environment, and nothing that configures it."""
    keep = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
    found = {name: os.environ[name] for name in keep if name in os.environ}
    return found | {"PYTHONPATH": str(services.ROOT)}


class Stack:
    """Roles on one log, with a simulated provider and a SQLite store."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str, **env: str) -> None:
        self.folder = folder
        self.bootstrap = bootstrap
        self.topics = Topics(prefix)
        self.partitions = int(env.get("SLUICE_PARTITIONS", "4"))
        self.http = services.free_port()
        self.sim_port = services.free_port()
        self.database = folder / "data" / "sluice.db"
        self.env = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "SLUICE_TOPIC_PREFIX": prefix,
            "SLUICE_DATA_DIR": str(folder / "data"),
            "SLUICE_PARTITIONS": str(self.partitions),
            "SLUICE_REPLY_PARTITIONS": "4",
            "SLUICE_SIM_URL": f"http://127.0.0.1:{self.sim_port}/v1",
            "SLUICE_SIM_PORT": str(self.sim_port),
            "PORT": str(self.http),
            "STORAGE_TYPE": "sqlite",
            "STREAMS_SESSION_TIMEOUT": "6s",
            "STREAMS_HEARTBEAT_INTERVAL": "1s",
            "SINKS_SESSION_TIMEOUT": "6s",
            "LOG_FORMAT": "json",
            **env,
        }
        self.processes: list[Process] = []
        self.base: dict[str, Process] = {}  # by role: what lives longer than one test

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    def launch(self, *arguments: str, module: str = "sluice", **env: str) -> Process:
        process = Process(self.folder, self.env | env, *arguments, module=module)
        self.processes.append(process)
        return process

    async def start(self, *arguments: str, module: str = "sluice", **env: str) -> Process:
        return await self.launch(*arguments, module=module, **env).ready()

    async def start_all(self) -> None:
        """Simulated provider, worker, sink and ingress; the topics are made by the first that asks."""
        await self.start("sim")
        await asyncio.gather(self.start("streams"), self.start("sinks"))
        await self.start("ingress")

    def erase(self) -> None:
        for process in reversed(self.processes):
            process.erase()

    async def read(
        self, topic: str
    ) -> list[tuple[int, int, dict[str, bytes], bytes | None, bytes | None]]:
        """Everything that stands on a topic now: partition, offset, headers, key, value."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
        )
        await consumer.start()
        try:
            await consumer._client.force_metadata_update()
            numbers = await consumer._client._wait_on_metadata(topic)
            tps = [TopicPartition(topic, number) for number in sorted(numbers)]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            found = []
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [
                        (r.partition, r.offset, dict(r.headers), r.key, r.value) for r in records
                    ]
            return found
        finally:
            await consumer.stop()

    async def request_ids(self) -> list[tuple[str, str]]:
        """ce_id and ce_source of every request in the log; empty where a producer gave none."""
        return [
            (headers.get("ce_id", b"").decode(), headers.get("ce_source", b"/kafka").decode())
            for topic in self.topics.lanes
            for _, _, headers, _, _ in await self.read(topic)
        ]

    async def describe(self, names: list[str]) -> str:
        """Where requests stand in the log, and what the workers' group has committed: for messages."""
        where = [
            (partition, offset, dict(headers).get("ce_id"))
            for partition, offset, headers, _, _ in await self.read(self.topics.requests)
            if any(headers.get("ce_id", b"?").decode() in name for name in names)
        ]
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            group = self.topics.group("streams")
            return f"{where} {await admin.list_consumer_group_offsets(group)}"
        finally:
            await admin.close()

    async def exchanges(self) -> list[Exchange]:
        """All outcomes, in log order; an id may stand there twice, its first is the outcome."""
        return [
            exchanges.decode(value)
            for _, _, headers, _, value in await self.read(self.topics.exchanges)
            if headers.get("ce_type") in OUTCOME_TYPES and value is not None
        ]

    def documents(self) -> list[str]:
        """The ids in the store."""
        import sqlite3

        if not self.database.exists():
            return []
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return [row[0] for row in connection.execute("select request_id from exchanges")]
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()


async def until(condition: Callable[[], object], seconds: float = 60.0, what: str = "") -> None:
    """Poll a condition; fails with `what` when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, what or "the condition did not come true"
        await asyncio.sleep(0.1)
