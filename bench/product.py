"""The product as it is run: three roles on a real Kafka, or `sluice serve` with the embedded broker."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from bench.processes import children
from bench.waiting import until
from sluice.ports import free_port

ROLES = ("ingress", "streams", "sinks")
ROOT = Path(__file__).resolve().parents[1]
START = 60.0  # seconds
STOP = 40.0


class Product:
    """A running gateway with a master key, exchanges to SQLite, and one provider."""

    def __init__(self, folder: Path, provider_url: str, kafka: str | None, **settings: str) -> None:
        """`kafka`: the bootstrap servers; None for the embedded broker. `settings` are more of it."""
        self._folder = folder
        self._kafka = kafka
        self._processes: list[subprocess.Popen[bytes]] = []
        self.key = secrets.token_hex(12)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._prefix = f"bench-{secrets.token_hex(3)}."
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "PORT": str(port),
            "SLUICE_MASTER_KEY": self.key,
            "SLUICE_DATA_DIR": str(folder / "data"),
            "STORAGE_TYPE": "sqlite",
            "OPENAI_API_KEY": "bench",
            "OPENAI_BASE_URL": f"{provider_url}/v1",
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": f"{provider_url}/v1",
            "GEMINI_API_KEY": "bench",
            "GEMINI_BASE_URL": f"{provider_url}/v1beta",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "warning",
            **settings,
        }
        if kafka:
            self._environment |= {
                "KAFKA_BOOTSTRAP_SERVERS": kafka,
                "SLUICE_TOPIC_PREFIX": self._prefix,
            }

    @property
    def database(self) -> Path:
        return self._folder / "data" / "sluice.db"

    def start(self) -> None:
        """SystemExit with the place of the log if it does not become ready."""
        (self._folder / "data").mkdir(parents=True)
        for role in ROLES if self._kafka else ("serve",):
            with (self._folder / f"{role}.log").open("wb") as log:
                command = [sys.executable, "-m", "sluice", role]
                self._processes.append(
                    subprocess.Popen(
                        command, env=self._environment, cwd=self._folder, stdout=log, stderr=log
                    )
                )
        until(self._ready, START, f"the product; its logs are in {self._folder}")
        self.ask()

    def _ready(self) -> bool:
        for process in self._processes:
            if process.poll() is not None:
                raise SystemExit(f"bench: a role ended, see {self._folder}")
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5):
                # The models must be known too, else the first answers are 404.
                listed = self._get("/v1/models")
                return all(
                    name in listed for name in (b"mock-20", b"mock-messages", b"mock-gemini")
                )
        except urllib.error.HTTPError:
            return False

    def _get(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def ask(self) -> None:
        """One plain answer, checked: a wrong one must not be measured as a fast one."""
        body = {"model": "mock-0", "messages": [{"role": "user", "content": "Hello"}]}
        answer = json.loads(self._get("/v1/chat/completions", json.dumps(body).encode()))
        assert answer["choices"][0]["message"]["content"].startswith("An answer of fixed"), answer

    def pids(self) -> dict[str, int]:
        """By role; `broker` is the embedded one, `serve` the supervisor."""
        if self._kafka:
            return dict(zip(ROLES, (process.pid for process in self._processes), strict=True))
        serve = self._processes[0].pid
        found = {command[-1]: pid for pid, command in children(serve).items()}
        return {role: found[role] for role in (*ROLES, "broker")} | {"serve": serve}

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._kafka:
            asyncio.run(_delete_topics(self._kafka, self._prefix))


async def _delete_topics(kafka: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([t for t in await admin.list_topics() if t.startswith(prefix)])
    finally:
        await admin.close()
