"""Logs: structured, without secrets, and quiet about what repeats."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from schemas.tracing import ABOUT
from sluice import telemetry
from sluice.settings import load


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """`lines(**environment)` configures logging and returns a reader of what was written."""
    handlers = logging.getLogger().handlers[:]
    out = io.StringIO()

    def configure(**environ: str) -> Any:
        monkeypatch.setattr(sys, "stderr", out)  # here: pytest puts its own between the phases
        telemetry.configure(load(environ, tmp_path), "tests")
        return lambda: out.getvalue().splitlines()

    yield configure
    logging.captureWarnings(False)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(logging.WARNING)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    ABOUT.set(None)


def test_a_line_names_its_request_and_its_trace(log_lines: Any) -> None:
    """What is logged while a request is worked on has its id and trace; a line about another has not."""
    lines = log_lines()
    ABOUT.set(("r1", f"00-{'a' * 32}-{'b' * 16}-01"))
    structlog.get_logger().info("mine")
    structlog.get_logger().info("another", request_id="r2")
    logging.getLogger("library").warning("also mine")
    mine, another, library = map(json.loads, lines())
    assert (mine["request_id"], mine["trace_id"]) == ("r1", "a" * 32)
    assert (another["request_id"], "trace_id" in another) == ("r2", False)
    assert (library["request_id"], library["trace_id"]) == ("r1", "a" * 32)


def test_events_are_json_with_their_role(log_lines: Any) -> None:
    """Off a terminal an event is one JSON line with role, level, time and what is bound."""
    lines = log_lines()
    structlog.get_logger().bind(request_id="r1").info("request_done", status=200)
    event = json.loads(lines()[0])
    assert event.pop("time").endswith("Z")
    assert event == {
        "event": "request_done", "role": "tests", "level": "info", "request_id": "r1", "status": 200,
    }  # fmt: skip


def test_secrets_are_redacted(log_lines: Any) -> None:
    """Values under names that mean a secret are not written, nested ones neither."""
    lines = log_lines()
    structlog.get_logger().info(
        "x",
        authorization="Bearer hunter2",
        openai_api_key="hunter2",
        headers={"Authorization": "hunter2", "accept": "*/*"},
        input_tokens=3,
    )
    assert "hunter2" not in lines()[0]
    assert json.loads(lines()[0])["headers"]["accept"] == "*/*"
    assert json.loads(lines()[0])["input_tokens"] == 3


def test_exceptions_are_in_the_event(log_lines: Any) -> None:
    """A traceback is a field of its event, and no further lines."""
    lines = log_lines()
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("x")
    (line,) = lines()
    assert "ValueError: broken" in json.loads(line)["exception"]


def test_level_and_text(log_lines: Any) -> None:
    """LOG_LEVEL hides what is below it; LOG_FORMAT=text without colours is plain."""
    lines = log_lines(LOG_LEVEL="error", LOG_FORMAT="text", NO_COLOR="1")
    structlog.get_logger().warning("hidden")
    structlog.get_logger().error("shown", number=1)
    (line,) = lines()
    assert "shown" in line
    assert "number=1" in line
    assert "\x1b" not in line


def test_library_loggers_are_routed_through(log_lines: Any) -> None:
    """A library's line becomes an event with its logger's name; what is below a warning is dropped."""
    lines = log_lines()
    logging.getLogger("aiokafka.conn").error("Unable to connect to %s", "b:1")
    logging.getLogger("aiokafka.conn").info("chatter")
    (line,) = lines()
    event = json.loads(line)
    assert event["event"] == "Unable to connect to b:1"
    assert event["logger"] == "aiokafka.conn"
    assert event["role"] == "tests"


def test_repeated_library_lines_are_kept_back() -> None:
    """The same complaint passes once in a while, with how many were kept back; others pass at once."""
    clock = HandClock()
    repeat = telemetry.RepeatFilter(clock)

    def passes(text: str, node: int) -> str | None:
        record = logging.LogRecord("aiokafka", logging.ERROR, "f", 1, text, (node,), None)
        return record.getMessage() if repeat.filter(record) else None

    assert passes("no node %s", 1) == "no node 1"
    assert passes("no node %s", 2) is None
    assert passes("no node %s", 3) is None
    assert passes("other %s", 1) == "other 1"
    clock.now += telemetry.REPEAT_SECONDS
    assert passes("no node %s", 4) == "no node 4 (2 more like it kept back)"


def test_a_full_disk_under_stderr_costs_a_line_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An event that cannot be written raises in nobody's request."""

    class Full:
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stderr", Full())
    logger = telemetry._Stderr()
    logger.info("event")
    logger.error("event")
