"""The types of settings: what text each accepts, what it means, and how it is written back."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Literal, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

T = TypeVar("T")
Name = TypeVar("Name", bound=str)


class Kind(Struct, Generic[T], frozen=True):
    """One type. `parse` raises ValueError with the problem alone; `accepts` completes "accepted: "."""

    accepts: str
    parse: Callable[[str], T]
    show: Callable[[T], str]  # parse(show(value)) == value


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_SIZE = re.compile(r"([0-9]+)([KMG])?B?", re.IGNORECASE)
_SHIFT = {"": 0, "K": 10, "M": 20, "G": 30}
_HOST = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{0,100}")
_PATTERN = re.compile(r"[A-Za-z0-9._*?-]{1,249}")
_BASE_PATH = re.compile(r"/|(?:/[A-Za-z0-9._~-]+)+/?")
_SECRET = re.compile(r"[\x21-\x7e]+")


def optional(kind: Kind[T]) -> Kind[T | None]:
    """The same for a setting that may be unset."""
    return Kind(kind.accepts, kind.parse, lambda value: "" if value is None else kind.show(value))


def _boolean(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise ValueError("neither true nor false")
    return values[text.lower()]


BOOLEAN = Kind("true, 1, false or 0", _boolean, lambda value: "true" if value else "false")
TEXT = Kind[str]("any text", lambda text: text, str)
PATH = Kind[str]("a path", lambda text: text, str)


def _present(text: str) -> bool:
    return bool(text)


PRESENCE = Kind("anything (present or absent)", _present, lambda value: "1" if value else "")


def _within(value: float, low: float, high: float, show: Callable[[float], str]) -> None:
    if value < low:
        raise ValueError(f"smaller than {show(low)}")
    if value > high:
        raise ValueError(f"larger than {show(high)}")


def integer(low: int, high: int) -> Kind[int]:
    """A whole number in a range."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise ValueError("not a whole number")
        _within(int(text), low, high, "{:.0f}".format)
        return int(text)

    return Kind(f"a whole number from {low} to {high}", parse, str)


def number(low: float, high: float) -> Kind[float]:
    """A decimal number in a range."""

    def parse(text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise ValueError("not a number")
        _within(float(text), low, high, "{:g}".format)
        return float(text)

    return Kind(f"a number from {low:g} to {high:g}", parse, "{:g}".format)


PORT = Kind[int]("a port, 1 to 65535", integer(1, 65535).parse, str)


def show_duration(seconds: float) -> str:
    """`1.5s`, `250ms`, `48h`: the largest unit that gives a whole number."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _UNITS[unit]
        if count >= 1 and count == int(count) and (unit != "d" or count > 2):
            return f"{int(count)}{unit}"
    return f"{round(seconds * 1000)}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def duration(low: float, high: float) -> Kind[float]:
    """Seconds, written with a unit or as a bare number."""

    def parse(text: str) -> float:
        if _NUMBER.fullmatch(text):
            seconds = float(text)
        elif _DURATION.fullmatch(text):
            parts = _DURATION_PART.findall(text)
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        else:
            raise ValueError("not a duration")
        _within(seconds, low, high, show_duration)
        return seconds

    limits = f"{show_duration(low)} to {show_duration(high)}"
    return Kind(
        f"a duration such as 500ms, 30s, 10m or a number of seconds, {limits}", parse, show_duration
    )


def show_size(count: float) -> str:
    """`10M`: the largest unit that gives a whole number."""
    value = int(count)
    for unit in ("G", "M", "K"):
        if value and not value % (1 << _SHIFT[unit]):
            return f"{value >> _SHIFT[unit]}{unit}"
    return str(value)


def size(low: int, high: int) -> Kind[int]:
    """Bytes; K, M and G are powers of 1024."""

    def parse(text: str) -> int:
        if not (match := _SIZE.fullmatch(text)):
            raise ValueError("not a size")
        count = int(match[1]) << _SHIFT[(match[2] or "").upper()]
        _within(count, low, high, show_size)
        return count

    return Kind(
        f"a size such as 512K or 10M, {show_size(low)} to {show_size(high)}", parse, show_size
    )


def choice(names: tuple[Name, ...], aliases: dict[str, Name] | None = None) -> Kind[Name]:
    """One of some words, in either case."""
    values = {name.lower(): name for name in names} | (aliases or {})

    def parse(text: str) -> Name:
        if text.lower() not in values:
            raise ValueError("not one of them")
        return values[text.lower()]

    return Kind(", ".join(names[:-1]) + f" or {names[-1]}", parse, str)


def url(*schemes: str) -> Kind[str]:
    """An absolute URL."""

    def parse(text: str) -> str:
        parts = urlsplit(text)  # ValueError for bad ports and brackets
        if parts.scheme not in schemes or not parts.netloc:
            raise ValueError("not such a URL")
        return text

    return Kind("a URL that begins with " + " or ".join(f"{s}://" for s in schemes), parse, str)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _servers(text: str) -> str:
    for item in _items(text):
        host, _, port = item.rpartition(":")
        if (
            not _HOST.fullmatch(host)
            or not (port.isascii() and port.isdigit())
            or not 0 < int(port) < 65536
        ):
            raise ValueError(f"{item!r} is not host:port")
    return ",".join(_items(text))


SERVERS = Kind[str]("a list of host:port, separated by commas", _servers, str)


def _networks(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(item)) for item in _items(text))


NETWORKS = Kind("a list of networks such as 10.0.0.0/8, separated by commas", _networks, ",".join)


def _patterns(text: str) -> tuple[str, ...]:
    for item in _items(text):
        if not _PATTERN.fullmatch(item):
            raise ValueError(f"{item!r} cannot match a topic's name")
    return tuple(_items(text))


PATTERNS = Kind("topic names, * allowed, separated by commas", _patterns, ",".join)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_items(text)))


PROVIDERS = Kind(
    "vendors or instances, separated by commas; all or * is every one", _names, ",".join
)


def _base_path(text: str) -> str:
    if not _BASE_PATH.fullmatch(text):
        raise ValueError("not a path")
    return text.rstrip("/")


BASE_PATH = Kind[str]("a path with a slash in front", _base_path, lambda path: path or "/")


def _proxy(text: str) -> str:
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not the address of an HTTP proxy")
    return text


PROXY = Kind[str]("host:port or a URL that begins with http:// or https://", _proxy, str)


def _topic_prefix(text: str) -> str:
    if not _TOPIC.fullmatch(text):
        raise ValueError("not a topic name's beginning")
    return text


TOPIC_PREFIX = Kind("letters, digits, dot, dash, underscore", _topic_prefix, str)


def _host(text: str) -> str:
    if not _HOST.fullmatch(text) and not re.fullmatch(r"[0-9a-fA-F:]+", text):
        raise ValueError("not an address")
    return text


HOST = Kind("an address or a host name", _host, str)


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return text


FILE = Kind("the path of a file", _file, str)


def _secret(text: str) -> str:
    if not _SECRET.fullmatch(text):
        raise ValueError("it has spaces or characters beyond ASCII, which no HTTP header carries")
    return text


HEADER_SECRET = Kind("printable ASCII without spaces", _secret, str)


def checked(accepts: str, check: Callable[[str], object]) -> Kind[str]:
    """Text that `check` takes without a ValueError."""

    def parse(text: str) -> str:
        check(text)
        return text

    return Kind(accepts, parse, str)


LogLevel = Literal["debug", "info", "warn", "error"]
LogFormat = Literal["auto", "json", "text"]
