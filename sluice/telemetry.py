"""Logs of a process: structlog events, one line each, with the library loggers routed through."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog
from typing_extensions import override

from schemas.clock import Clock, SystemClock
from schemas.tracing import ABOUT, trace_id
from sluice.settings import Settings, gateway
from sluice.settings.kinds import LogLevel

Event = MutableMapping[str, Any]
LEVELS: dict[LogLevel, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
REDACTED = "[redacted]"
SECRET_WORDS = ("authorization", "api_key", "api-key", "apikey", "password", "secret", "master_key")
SECRET_NAMES = frozenset({"key", "token", "access_token", "cookie", "set-cookie"})
# What the libraries say below this level is about themselves.
LIBRARY_LEVEL = logging.WARNING
REPEAT_SECONDS = 30.0
MAX_REPEATED_LINES = 500


def log_format(settings: Settings) -> Literal["json", "text"]:
    """`auto` resolved."""
    chosen = settings[gateway.LOG_FORMAT]
    if chosen == "auto":
        return "text" if sys.stderr.isatty() else "json"
    return chosen


def tell(settings: Settings) -> None:
    """Say what is set and has no effect, once for all processes that are started together."""
    log = structlog.get_logger()
    for note in settings.notes:
        log.warning("setting_without_effect", reason=note)


def colours(settings: Settings) -> bool:
    """Whether text logs have colours: https://no-color.org and https://force-color.org."""
    if settings[gateway.NO_COLOR]:
        return False
    return settings[gateway.FORCE_COLOR] or sys.stderr.isatty()


class _Stderr(structlog.WriteLogger):
    """Writes to stderr. A full disk or a broken pipe there costs the line and not the request."""

    def __init__(self, *args: object) -> None:
        super().__init__(sys.stderr)

    @override
    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
            super().msg(message)

    log = debug = info = warn = warning = error = err = msg
    fatal = failure = critical = exception = msg


def configure(settings: Settings, role: str, *, supervised: bool = False) -> None:
    """Set up structlog and the standard loggers of this process; every event says its role.

    Except for text under a supervisor, which marks each line with it.
    """
    level = LEVELS[settings[gateway.LOG_LEVEL]]
    json = log_format(settings) == "json"
    bound = {} if supervised and not json else {"role": role}
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        about,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if json else "%H:%M:%S", utc=json, key="time"),
        redact,
        structlog.processors.UnicodeDecoder(),
    ]
    renderer: list[structlog.typing.Processor]
    if json:
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        renderer = [structlog.dev.ConsoleRenderer(colors=colours(settings), timestamp_key="time")]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared, _also(bound)],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    handler.addFilter(RepeatFilter(SystemClock()))
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(level, LIBRARY_LEVEL) if level > logging.DEBUG else logging.INFO)
    logging.captureWarnings(True)


def _also(bound: dict[str, str]) -> structlog.typing.Processor:
    """Library records come from threads that have no context of ours."""

    def add(_logger: Any, _method: str, event: Event) -> Event:
        return {**bound, **event}

    return add


def about(_logger: Any, _method: str, event: Event) -> Event:
    """The request that the code at work is about, and its trace, where the event does not say it."""
    if (found := ABOUT.get()) is not None:
        request_id, traceparent = found
        event.setdefault("request_id", request_id)
        if event["request_id"] == request_id and (trace := trace_id(traceparent)) is not None:
            event.setdefault("trace_id", trace)
    return event


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Replace values whose name says that they are secret."""
    for name, value in event.items():
        lowered = name.lower()
        if lowered in SECRET_NAMES or any(word in lowered for word in SECRET_WORDS):
            event[name] = REDACTED
        elif isinstance(value, dict):
            event[name] = redact(_logger, _method, dict(value))
    return event


class RepeatFilter(logging.Filter):
    """Lets the same line of a library through once in a while, with the number that was kept back.

    aiokafka repeats an error every 100 ms for as long as a broker is down.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}  # last let through, kept back

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        # By the unformatted text: the formatted one differs by node ids, counters, addresses.
        key = (record.name, str(record.msg))
        now = self._clock.monotonic()
        last, kept = self._seen.get(key, (float("-inf"), 0))
        if now - last < REPEAT_SECONDS:
            self._seen[key] = (last, kept + 1)
            return False
        if len(self._seen) >= MAX_REPEATED_LINES:
            self._seen.clear()
        self._seen[key] = (now, 0)
        if kept:
            record.msg = f"{record.getMessage()} ({kept} more like it kept back)"
            record.args = ()
        return True
