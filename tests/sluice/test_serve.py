"""`sluice serve` as a user has it: the real roles on the embedded broker, killed, stopped, restarted."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import openai
import pytest

from tests import services

ROOT = Path(__file__).resolve().parents[2]
CHAT = {"model": "sim/sim-echo", "messages": [{"role": "user", "content": "Hello there"}]}


class Serve:
    """One `sluice serve` in its own folder."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.port = services.free_port()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "PORT": str(self.port),
            "LOG_FORMAT": "json",
            "SHUTDOWN_TIMEOUT": "20s",
            **environ,
        }
        self.runs = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> "subprocess.Popen[bytes]":
        self.runs += 1
        out, log = self.folder / f"out-{self.runs}", self.folder / f"log-{self.runs}"
        with out.open("wb") as stdout, log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sluice", "serve"],
                cwd=self.folder,
                env=self.environ,
                start_new_session=True,
                stdout=stdout,
                stderr=stderr,
            )
        return self.process

    def start(self) -> None:
        process = self.launch()
        self.until(lambda: "curl -N" in self.printed() or process.poll() is not None)
        assert process.poll() is None, self.log()

    def printed(self) -> str:
        return (self.folder / f"out-{self.runs}").read_text()

    def log(self) -> str:
        return (self.folder / f"log-{self.runs}").read_text()

    def events(self, name: str) -> list[dict[str, object]]:
        found = [json.loads(line) for line in self.log().splitlines()]
        return [event for event in found if event["event"] == name]

    def pids(self, role: str) -> list[int]:
        return [int(str(e["pid"])) for e in self.events("ready") if e["role"] == role]

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log()[-6000:]
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            answer = httpx.post(f"{self.url}/v1/chat/completions", json=CHAT, timeout=30)
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and "Hello there" in answer.text

    def documents(self) -> int:
        connection = sqlite3.connect(self.folder / "data" / "sluice.db")
        try:
            return int(connection.execute("select count(*) from exchanges").fetchone()[0])
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def erase(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serve]]:
    made: list[Serve] = []

    def make(**environ: str) -> Serve:
        made.append(Serve(tmp_path, **environ))
        return made[-1]

    yield make
    for one in made:
        one.erase()


def test_from_nothing_to_an_answer_and_back(serve: Callable[..., Serve]) -> None:
    """No settings: it answers plain and streamed, as the printed curl lines and the SDK ask; SIGTERM
    ends it cleanly, and after a restart everything recorded is there, at the same broker address."""
    gateway = serve()
    gateway.start()
    printed = gateway.printed()
    assert gateway.url in printed
    assert "UNSAFE MODE" in printed
    assert "simulated" in printed
    assert "data/sluice.db" in printed
    bootstrap = (gateway.folder / "data" / "bootstrap").read_text().strip()
    assert f"embedded, {bootstrap}" in printed

    commands = re.findall(r"  curl(?:[^\n]*\\\n)*[^\n]*", printed)
    plain, streamed = (
        subprocess.run(["sh", "-c", c], capture_output=True, text=True, check=True).stdout
        for c in commands
    )
    assert json.loads(plain)["choices"][0]["message"]["content"] == "Hello"
    assert streamed.startswith("data: {")
    assert streamed.endswith("data: [DONE]\n\n")

    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any")
    messages = [{"role": "user", "content": "Hello there"}]
    stream = client.chat.completions.create(model="sim/sim-echo", messages=messages, stream=True)  # type: ignore[call-overload]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Hello there"
    client.close()

    gateway.until(lambda: gateway.documents() == 3)
    pids = [gateway.pids(role)[0] for role in ("broker", "sim", "streams", "sinks", "ingress")]
    assert gateway.stop() == 0
    assert gateway.events("stopped")[-1]["clean"] is True
    assert all(gone(pid) for pid in pids)
    order = [event["role"] for event in gateway.events("stopped")]
    assert order == ["ingress", "streams", "sinks", "sim", "broker", "serve"]

    gateway.start()
    assert (gateway.folder / "data" / "bootstrap").read_text().strip() == bootstrap
    assert gateway.answers()
    gateway.until(lambda: gateway.documents() == 4)
    assert gateway.stop(signal.SIGINT) == 0


def test_every_child_may_die(serve: Callable[..., Serve]) -> None:
    """kill -9 of each child in turn: a new one takes its place, the others stay, and it answers."""
    gateway = serve()
    gateway.start()
    for role in ("sim", "sinks", "streams", "ingress", "broker"):
        before = gateway.pids(role)
        os.kill(before[-1], signal.SIGKILL)
        gateway.until(lambda r=role, b=before: len(gateway.pids(r)) > len(b))
        gateway.until(gateway.answers)
    restarted = [event["child"] for event in gateway.events("child_died")]
    assert restarted == ["sim", "sinks", "streams", "ingress", "broker"]
    assert gateway.stop() == 0


def test_the_death_of_the_supervisor(serve: Callable[..., Serve]) -> None:
    """kill -9 of the supervisor takes its children along, and the next start finds nothing in its way."""
    gateway = serve()
    gateway.start()
    assert gateway.answers()
    roles = ("broker", "sim", "streams", "sinks", "ingress")
    pids = [gateway.pids(role)[0] for role in roles]
    gateway.erase()
    gateway.until(lambda: all(gone(pid) for pid in pids), seconds=10)
    gateway.start()
    assert gateway.answers()
    gateway.until(lambda: gateway.documents() == 2)


def test_a_second_one_is_refused(serve: Callable[..., Serve]) -> None:
    """The data folder is refused to a second `serve`, the port to one with its own folder; both say why.
    The first goes on, and reads its files again when SIGHUP asks for it."""
    gateway = serve()
    gateway.start()
    assert gateway.process is not None
    second = serve()
    second.runs = 10
    assert second.launch().wait(30) == 1
    assert f"another `sluice serve` (process {gateway.process.pid})" in second.log()
    third = serve(SLUICE_DATA_DIR="other", PORT=str(gateway.port))
    third.runs = 20
    assert third.launch().wait(30) == 1
    assert f"127.0.0.1:{gateway.port}: Address already in use; set PORT" in third.log()
    assert gateway.answers()

    pids = gateway.pids("ingress")
    asked = {"model": "mine", "messages": CHAT["messages"]}
    (gateway.folder / "config.yaml").write_text("aliases: {mine: sim/sim-echo}")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.until(lambda: "mine" in models(gateway))
    gateway.until(
        lambda: httpx.post(f"{gateway.url}/v1/chat/completions", json=asked).status_code == 200
    )
    assert gateway.process.poll() is None
    assert gateway.pids("ingress") == pids


def models(running: Serve) -> set[str]:
    return {each["id"] for each in httpx.get(f"{running.url}/v1/models").json()["data"]}


def test_a_role_that_cannot_start_ends_it(serve: Callable[..., Serve]) -> None:
    """A broker port that is taken: exit code 1, the reason in the log, nothing left running."""
    gateway = serve()
    taken = services.free_port()
    with socket.create_server(("127.0.0.1", taken)):
        gateway.environ["SLUICE_BROKER_PORT"] = str(taken)
        assert gateway.launch().wait(30) == 1
    assert "SLUICE_BROKER_PORT" in gateway.log()
    assert gateway.events("cannot_start")[-1]["reason"] == "broker ended with exit code 1"


def test_the_key_stays_out_of_the_log(serve: Callable[..., Serve]) -> None:
    """With a master key the printed line names its variable, never the key; without it nobody gets in."""
    gateway = serve(GOMODEL_MASTER_KEY="hunter2-key")
    gateway.start()
    assert "hunter2" not in gateway.printed() + gateway.log()
    (command, _) = re.findall(r"curl(?:[^\n]*\\\n)*[^\n]*", gateway.printed())
    done = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "GOMODEL_MASTER_KEY": "hunter2-key"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Hello"
    assert httpx.post(f"{gateway.url}/v1/chat/completions", json=CHAT).status_code == 401


def test_on_real_kafka_with_a_password(
    serve: Callable[..., Serve], kafka_sasl_ssl: dict[str, str], topic_prefix: str
) -> None:
    """With KAFKA_BOOTSTRAP_SERVERS and SASL_SSL set, no broker is started, every client gets in, and the
    main job is done: an answer, and its document."""
    gateway = serve(SLUICE_TOPIC_PREFIX=topic_prefix, SLUICE_PARTITIONS="2", **kafka_sasl_ssl)
    gateway.start()
    assert "Kafka at" in gateway.printed()
    assert gateway.pids("broker") == []
    assert gateway.answers()
    gateway.until(lambda: gateway.documents() == 1)
    assert kafka_sasl_ssl["KAFKA_SASL_PASSWORD"] not in gateway.printed() + gateway.log()
    assert gateway.stop() == 0
