"""One role as one process: signals, readiness, exit codes, and the end of its supervisor."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROLE = """
import asyncio, sys, threading
from sluice import process
from sluice.settings import load

async def works(context):
    context.ready("here")
    await context.stop.wait()

async def crashes(context):
    raise RuntimeError("boom")

async def ends(context):
    pass

async def cannot(context):
    raise process.CannotStart("set PORT")

async def leaves_a_thread(context):
    threading.Thread(target=threading.Event().wait).start()
    raise RuntimeError("boom")

async def lingers(context):
    context.ready("here")
    await asyncio.Event().wait()

process.leave(process.run("tests", globals()[sys.argv[1]], load()))
"""


class Role:
    """A process of one of these roles."""

    def __init__(self, folder: Path, name: str, **environ: str) -> None:
        self.log = folder / name
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", ROLE, name],
                cwd=folder, stderr=log, stdout=log,
                env={"PYTHONPATH": str(ROOT), "LOG_FORMAT": "json", **environ},
            )  # fmt: skip

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.read_text().splitlines()]

    def until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while "ready" not in self.log.read_text():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)


@pytest.fixture
def role(tmp_path: Path) -> Iterator[Callable[..., Role]]:
    made: list[Role] = []

    def make(name: str, **environ: str) -> Role:
        made.append(Role(tmp_path, name, **environ))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(role: Callable[..., Role], number: int) -> None:
    """SIGTERM and Ctrl-C let the role finish; the exit code is 0."""
    one = role("works")
    one.until_ready()
    one.process.send_signal(number)
    assert one.process.wait(30) == 0
    assert one.events() == ["ready", "stopped"]


def test_a_second_interrupt_ends_it_at_once(role: Callable[..., Role]) -> None:
    """A role that does not finish ends at the second Ctrl-C."""
    one = role("lingers")
    one.until_ready()
    one.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert one.process.poll() is None
    one.process.send_signal(signal.SIGINT)
    assert one.process.wait(30) == 130


@pytest.mark.parametrize("name", ["crashes", "ends", "leaves_a_thread"])
def test_what_goes_wrong_is_an_exit_code(role: Callable[..., Role], name: str) -> None:
    """A crash, an end that nobody asked for, and a thread that is left behind: exit code 1."""
    one = role(name)
    assert one.process.wait(30) == 1
    assert one.events() in (["crashed"], ["cannot_start"])


def test_what_the_user_must_mend_has_no_traceback(role: Callable[..., Role]) -> None:
    """CannotStart is one line with the remedy."""
    one = role("cannot")
    assert one.process.wait(30) == 1
    (line,) = one.log.read_text().splitlines()
    assert json.loads(line)["reason"] == "set PORT"
    assert "exception" not in json.loads(line)


def test_an_armed_fault_point_is_told(role: Callable[..., Role]) -> None:
    """SLUICE_FAULT_POINT is in the log, so that nobody has it armed unknowingly."""
    one = role("ends", SLUICE_FAULT_POINT="sinks.read")
    one.process.wait(30)
    assert one.events()[0] == "fault_point_armed"


def test_under_a_supervisor_it_ignores_interrupts(tmp_path: Path) -> None:
    """The supervisor gets its line, Ctrl-C is the supervisor's business, SIGTERM still counts."""
    reading, writing = os.pipe()
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-c", ROLE, "works"],
        cwd=tmp_path, stderr=log, pass_fds=(writing,),
        env={"PYTHONPATH": str(ROOT), "SLUICE_SUPERVISOR": f"{os.getpid()}:{writing}"},
    )  # fmt: skip
    log.close()
    os.close(writing)
    assert os.read(reading, 100) == b"here\n"
    assert os.read(reading, 100) == b""
    os.close(reading)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_it_does_not_outlive_its_supervisor(tmp_path: Path) -> None:
    """kill -9 of the parent ends the role, and one whose parent is already gone does not begin."""
    parent = (
        "import subprocess, sys, os, time\n"
        "env = {**os.environ, 'SLUICE_SUPERVISOR': f'{os.getpid()}:-1'}\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1], 'works'], env=env)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-c", parent, ROLE],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=log, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    log.close()
    assert process.stdout is not None
    child = int(process.stdout.readline())
    deadline = time.monotonic() + 30
    while "ready" not in (tmp_path / "log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    process.stdout.close()
    while not _gone(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    orphan = subprocess.run(
        [sys.executable, "-c", ROLE, "works"],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "SLUICE_SUPERVISOR": "999999:-1"},
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert orphan.returncode == 1


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
