"""The command line: cheap to start, and clear where something is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("faust", "aiokafka", "sanic", "aiohttp", "pymongo", "redis", "prometheus_client", "uvloop")


def run(folder: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sluice", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    """Help of every command answers without loading Faust, Sanic or any client library."""
    code = (
        "import sys; from sluice.cli import main\n"
        f"try: main({arguments!r}, prog_name='sluice')\n"
        f"except SystemExit as end: print(end.code, [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"


def test_every_command_has_its_help_line(tmp_path: Path) -> None:
    """The list of commands agrees with the commands themselves."""
    import importlib

    for name, (module, text) in COMMANDS.items():
        command = getattr(importlib.import_module(f"sluice.cli.{module}"), name)
        assert command.name == name
        assert command.help
        assert text.endswith(".")


def test_an_unknown_command_is_corrected(tmp_path: Path) -> None:
    """A typing mistake gets the nearest command."""
    done = run(tmp_path, "sreve")
    assert done.returncode == 2
    assert "Did you mean 'serve'?" in done.stderr


@pytest.mark.parametrize(
    "command",
    [["serve"], ["ingress"], ["streams"], ["sinks"], ["broker"], ["sim"], ["doctor"], ["settings"],
     ["topics", "create"], ["topics", "describe"], ["dlq", "list"], ["dlq", "redrive", "--all"],
     ["replay", "--model", "x"], ["requests", "show", "x"], ["tail"]],
)  # fmt: skip
def test_wrong_settings_stop_every_command(tmp_path: Path, command: list[str]) -> None:
    """Exit code 2, each wrong setting on a line, and nothing is started or made."""
    done = run(tmp_path, *command, PORT="x", LOG_LEVEL="loud")
    assert done.returncode == 2
    assert "PORT='x' (environment): not a whole number; accepted: a port, 1 to 65535" in done.stderr
    assert "LOG_LEVEL='loud' (environment)" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_settings_shows_what_is_set(tmp_path: Path) -> None:
    """Values with their places; secrets as such."""
    (tmp_path / ".env").write_text("SLUICE_MASTER_KEY=hunter2\n")
    done = run(tmp_path, "settings", PORT="1234")
    assert done.stdout == ("PORT=1234  # environment\nGOMODEL_MASTER_KEY=(secret)  # .env line 1\n")
    rows = json.loads(run(tmp_path, "settings", "--json").stdout)
    assert {"name": "PORT", "value": "8080"}.items() <= rows[1].items()


def test_version(tmp_path: Path) -> None:
    """The version as text and as JSON."""
    assert "sluice " in run(tmp_path, "version").stdout
    assert "aiokafka" in json.loads(run(tmp_path, "version", "--json").stdout)


@pytest.mark.parametrize("role", ["ingress", "streams", "sinks"])
def test_a_role_says_when_nobody_tells_it_where_kafka_is(tmp_path: Path, role: str) -> None:
    """A role without a cluster and without an embedded broker ends with what to set."""
    done = run(tmp_path, role, LOG_FORMAT="json")
    assert done.returncode == 1
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_topics_without_kafka(tmp_path: Path) -> None:
    """`topics` says what to set, and what cannot be reached."""
    done = run(tmp_path, "topics", "describe")
    assert done.returncode == 1
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in done.stderr
    done = run(tmp_path, "topics", "create", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    assert done.returncode == 1
    assert "Kafka at 127.0.0.1:9 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
