"""The supervisor with children that only pretend."""

import asyncio
import io
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from schemas.clock import SystemClock
from sluice.settings import load
from sluice.supervisor import child as child_module
from sluice.supervisor.child import ChildFailed, Spec
from sluice.supervisor.plan import SHARES, Plan
from sluice.supervisor.relay import Relay
from sluice.supervisor.serve import RESERVE, Supervisor
from sluice.supervisor.state import DataDirUnusable, owned

FAKE = Path(__file__).with_name("fake_role.py")
ROLES = ["broker", "streams", "sinks", "ingress"]


class Fakes:
    """A supervisor of pretending roles, and what they noted."""

    def __init__(self, folder: Path, **behaviours: str) -> None:
        self.folder = folder
        self.out = io.StringIO()
        self.addresses: dict[str, str] = {}
        self.behaviours = behaviours
        self.supervisor = Supervisor(
            ROLES, self.spec, self.addresses.__setitem__,
            Relay(self.out, json=False, colour=False), SystemClock(),
        )  # fmt: skip

    def spec(self, role: str) -> Spec:
        behaviour = self.behaviours.get(role, "good")
        command = (sys.executable, str(FAKE), str(self.folder), role, behaviour)
        return Spec(role, command, {**os.environ, "SLUICE_FAULT_POINT": "x"})

    def events(self) -> list[str]:
        path = self.folder / "events"
        return path.read_text().splitlines() if path.exists() else []

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, (self.events(), self.out.getvalue())
            await asyncio.sleep(0.02)

    async def drain(self, seconds: float = 30.0) -> bool:
        return await self.supervisor.drain(seconds, lambda role: seconds * SHARES[role])


@pytest.fixture
async def fakes(tmp_path: Path) -> AsyncIterator[Callable[..., Fakes]]:
    made: list[Fakes] = []

    def make(**behaviours: str) -> Fakes:
        made.append(Fakes(tmp_path, **behaviours))
        return made[-1]

    yield make
    for one in made:
        for child in one.supervisor.children.values():
            child.kill()
        await one.drain(5)


async def test_starts_in_order_and_stops_in_order(fakes: Callable[..., Fakes]) -> None:
    """One after the other, each when the one before is ready; the stop begins at the ingress."""
    fake = fakes()
    assert await fake.supervisor.start()
    assert [event.split()[1] for event in fake.events()] == ROLES
    assert fake.addresses == {role: f"{role}:1" for role in ROLES}
    assert await fake.drain()
    assert fake.events()[4:] == ["stop ingress", "stop streams", "stop sinks", "stop broker"]


async def test_a_dead_child_is_restarted(fakes: Callable[..., Fakes]) -> None:
    """kill -9 of a child brings a new one, again and again, without the fault point that killed it."""
    fake = fakes()
    await fake.supervisor.start()
    victim = fake.supervisor.children["sinks"]
    for number in (1, 2):
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        await fake.until(lambda n=number: len(fake.events()) == 4 + n)
        await fake.until(lambda: victim.pid is not None)
    starts = [event.split() for event in fake.events() if event.startswith("start sinks")]
    assert len({pid for _, _, pid, _ in starts}) == 3
    assert [point for *_, point in starts] == ["x", "-", "-"]
    assert victim.restarts == 2
    assert await fake.drain()


async def test_backoff_grows_and_is_forgotten(
    fakes: Callable[..., Fakes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each death in a row doubles the wait up to its limit; one after a good run starts afresh."""
    pauses: list[float] = []

    async def pause(self: object, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(child_module.Child, "_pause", pause)
    fake = fakes()
    await fake.supervisor.start()
    victim = fake.supervisor.children["streams"]

    async def die() -> None:
        before = len(fake.events())
        await fake.until(lambda: victim.pid is not None)
        os.kill(victim.pid or 0, signal.SIGKILL)
        await fake.until(lambda: len(fake.events()) > before)

    for _ in range(9):
        await die()
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    monkeypatch.setattr(child_module, "RAN_WELL", 0.0)
    await die()
    assert pauses[-1] == 0.1


async def test_a_child_that_cannot_start_ends_it(fakes: Callable[..., Fakes]) -> None:
    """A role that ends before it was ever ready is not tried again; its words are passed on."""
    fake = fakes(sinks="fails")
    with pytest.raises(ChildFailed, match="sinks ended with exit code 3"):
        await fake.supervisor.start()
    await fake.until(lambda: "sinks   | port taken\n" in fake.out.getvalue())
    await fake.drain()
    assert fake.events()[2:] == ["stop streams", "stop broker"]


async def test_a_stop_during_the_start(fakes: Callable[..., Fakes]) -> None:
    """Asked to stop while a role is not ready yet, it starts no more and stops what runs."""
    fake = fakes(streams="silent")
    task = asyncio.get_running_loop().create_task(fake.supervisor.start())
    await fake.until(lambda: len(fake.events()) == 2)
    fake.supervisor.stop()
    assert await task is False
    assert await fake.drain()
    assert fake.events()[2:] == ["stop streams", "stop broker"]


async def test_a_stubborn_child_is_killed_in_time(fakes: Callable[..., Fakes]) -> None:
    """A child that ignores SIGTERM is killed at the end of its share, and the others still stop."""
    fake = fakes(streams="stubborn")
    await fake.supervisor.start()
    assert await fake.drain(2.0) is False
    assert fake.events()[4:] == ["stop ingress", "stop sinks", "stop broker"]
    assert fake.supervisor.children["streams"].pid is None


async def test_the_second_interrupt_forces(
    fakes: Callable[..., Fakes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C twice kills everything at once; two signals of one Ctrl-C count once."""
    fake = fakes(ingress="stubborn")
    await fake.supervisor.start()
    fake.supervisor.interrupt()
    fake.supervisor.interrupt()
    assert not fake.supervisor.forced
    drained = asyncio.get_running_loop().create_task(fake.drain(600))
    monkeypatch.setattr("sluice.supervisor.serve.SAME_INTERRUPT", 0.0)
    await asyncio.sleep(0.01)
    fake.supervisor.interrupt()
    assert fake.supervisor.forced
    assert await drained is False
    assert all(child.pid is None for child in fake.supervisor.children.values())


async def test_logs_say_whose_they_are(fakes: Callable[..., Fakes]) -> None:
    """Every line has its role; the last one counts without a newline too."""
    fake = fakes()
    await fake.supervisor.start()
    await fake.until(lambda: "hello from ingress" in fake.out.getvalue())
    await fake.drain()
    lines = fake.out.getvalue().splitlines()
    for role in ROLES:
        assert f"{role:<7} | hello from {role}" in lines
        assert f"{role:<7} | no newline" in lines


async def passed_on(relay: Relay, data: bytes) -> str:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    await relay.pass_on("sim", reader)
    assert isinstance(relay.out, io.StringIO)
    return relay.out.getvalue()


async def test_relay_of_json() -> None:
    """JSON lines pass as they are, what is none becomes an event."""
    text = await passed_on(Relay(io.StringIO(), json=True, colour=False), b'{"a":1}\nTraceback\n')
    first, second = text.splitlines()
    assert first == '{"a":1}'
    assert json.loads(second) == {"role": "sim", "event": "output", "text": "Traceback"}


async def test_relay_of_long_and_broken_lines() -> None:
    """A line without an end is passed on in parts, and bytes that are no UTF-8 are replaced."""
    text = await passed_on(Relay(io.StringIO(), json=False, colour=True), b"x" * 200_000 + b"\xff")
    assert text.count("x") == 200_000
    assert "\ufffd" in text
    assert text.startswith("\x1b[33msim     |\x1b[0m x")


def test_the_shares_are_within_the_whole() -> None:
    """The parts of SHUTDOWN_TIMEOUT and the supervisor's own are no more than all of it."""
    assert sum(SHARES.values()) + RESERVE <= 1.0


def test_plan_of_an_empty_environment(tmp_path: Path) -> None:
    """Nothing configured: embedded broker, simulated provider, and both addresses told to the roles."""
    plan = Plan(load({"METRICS_PORT": "9100"}, tmp_path), {"HOME": "/h"}, colour=False)
    assert plan.roles == ["broker", "sim", "streams", "sinks", "ingress"]
    plan.started("broker", "127.0.0.1:7")
    plan.started("sim", "http://127.0.0.1:8")
    streams, sinks = plan.spec("streams"), plan.spec("sinks")
    assert streams.command == (sys.executable, "-m", "sluice", "streams")
    assert streams.environment["HOME"] == "/h"
    assert streams.environment["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:7"
    assert streams.environment["SLUICE_SIM_URL"] == "http://127.0.0.1:8/v1"
    assert streams.environment["KAFKA_GROUP_INSTANCE_ID"].startswith("serve-")
    assert sinks.environment["METRICS_PORT"] == "9101"
    assert "METRICS_PORT" not in streams.environment


def test_plan_of_a_configured_environment(tmp_path: Path) -> None:
    """With Kafka and a key neither the broker nor the simulated provider is started."""
    environ = {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "OPENAI_API_KEY": "sk"}
    plan = Plan(load(environ, tmp_path), environ, colour=False)
    assert plan.roles == ["streams", "sinks", "ingress"]
    assert "KAFKA_GROUP_INSTANCE_ID" not in plan.spec("streams").environment


def test_a_data_folder_has_one_owner(tmp_path: Path) -> None:
    """A second owner is refused and told the first one's process; a stale file is no obstacle."""
    (tmp_path / "serve.lock").write_text("999999999999\n")
    mine = f"process {os.getpid()}"
    with owned(tmp_path), pytest.raises(DataDirUnusable, match=mine), owned(tmp_path):
        pass
    with owned(tmp_path):
        pass


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A folder below a file names itself and the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnusable, match="SLUICE_DATA_DIR"), owned(tmp_path / "file" / "x"):
        pass
