"""What is governed while everything runs: objects by kind and name, as `llm.config` holds them.

Every process reads all of the topic and holds it in memory; `sluice/config_log.py` does that. A kind is
declared beside its struct (`KEYS = Kind("keys", ManagedKey)`) and stands in `schemas/kinds.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct

from schemas.headers import OBJECT_REPLACES, OBJECT_VERSION, Headers

OBJECT_TYPE = b"llm.config.object"
T = TypeVar("T", bound=Struct)


class Kind(Struct, Generic[T], frozen=True):
    """One kind of object: the first part of its keys, and its struct."""

    name: str
    type: type[T]

    def key(self, name: str) -> bytes:
        """The key of its record, `kind/name`; a name may hold slashes."""
        return f"{self.name}/{name}".encode()


class Entry(Struct, Generic[T], frozen=True):
    """An object as it stands, None if it was deleted, and which of its versions that is."""

    value: T | None
    version: int


Taken = Literal["applied", "refused", "unreadable", "unknown"]
_ABSENT: Entry[Any] = Entry(None, 0)


class Table(Generic[T]):
    """The objects of one kind by name. Look-ups are those of a dict."""

    __slots__ = ("_decode", "_entries", "_live", "_watchers", "kind")

    def __init__(self, kind: Kind[T]) -> None:
        self.kind = kind
        self._decode = msgspec.json.Decoder(kind.type).decode
        self._entries: dict[str, Entry[T]] = {}
        self._live: dict[str, T] = {}
        self._watchers: list[Callable[[str, T | None], None]] = []

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(tuple(self._live.items()))

    def get(self, name: str) -> T | None:
        """The object, None if there is none."""
        return self._live.get(name)

    def entry(self, name: str) -> Entry[T]:
        """The object with its version; version 0 if nothing of that name was ever heard of."""
        return self._entries.get(name, _ABSENT)

    def watch(self, changed: Callable[[str, T | None], None]) -> None:
        """Call `changed(name, object or None)` for what is there, and at each change from now on.

        It is called as the record is read: it must not block, and what it raises ends the process.
        """
        self._watchers.append(changed)
        for name, value in self:
            changed(name, value)

    def take(self, name: str, value: bytes | None, version: int, replaces: int) -> Taken:
        """One record. Whoever reads the same records in the same order comes to the same objects.

        A version above the one at hand is applied, so that of two that replace the same one the first
        in the log counts; what creates (replaces 0) is refused where the object is there.
        """
        here = self.entry(name)
        if version <= here.version or (replaces == 0 and here.value is not None):
            return "refused"
        try:
            found = None if value is None else self._decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "unreadable"
        self._entries[name] = Entry(found, version)
        self._hold(name, found)
        return "applied"

    def _hold(self, name: str, value: T | None) -> None:
        if value is None:
            self._live.pop(name, None)
        else:
            self._live[name] = value
        for changed in self._watchers:
            changed(name, value)

    def clear(self) -> None:
        """Forget everything: the log began anew."""
        self._entries.clear()
        for name in tuple(self._live):
            self._hold(name, None)


class Objects:
    """All tables of one process."""

    def __init__(self, kinds: Iterable[Kind[Any]]) -> None:
        self._tables: dict[str, Table[Any]] = {kind.name: Table(kind) for kind in kinds}
        # Keys of which the last record in the log was refused: compaction would make it the object.
        self.overtaken: set[tuple[str, str]] = set()

    def table(self, kind: Kind[T]) -> Table[T]:
        """The objects of a kind; KeyError if this process does not read it."""
        return self._tables[kind.name]

    def take(self, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes]) -> Taken:
        """One record of the log. Kinds of a later version, and other programs' records, are `unknown`."""
        kind, _, name = (key or b"").decode(errors="replace").partition("/")
        table = self._tables.get(kind)
        if table is None or not name:
            return "unknown"
        version, replaces = _versions(headers, table.entry(name))
        taken = table.take(name, value, version, replaces)
        if taken == "applied":
            self.overtaken.discard((kind, name))
        else:
            self.overtaken.add((kind, name))
        return taken

    def clear(self) -> None:
        """Forget everything: the log began anew."""
        self.overtaken.clear()
        for table in self._tables.values():
            table.clear()


def _versions(headers: Mapping[str, bytes], here: Entry[Any]) -> tuple[int, int]:
    """Version and the one it replaces; a record without, say by hand, follows on what is there."""
    try:
        return int(headers[OBJECT_VERSION]), int(headers[OBJECT_REPLACES])
    except (KeyError, ValueError):
        return here.version + 1, max(here.version, 1)


def record(
    kind: Kind[T], name: str, value: T | None, version: int, replaces: int
) -> tuple[bytes, bytes | None, Headers]:
    """Key, value and headers of a write; a value of None is a tombstone."""
    return (
        kind.key(name),
        None if value is None else msgspec.json.encode(value),
        [
            ("ce_type", OBJECT_TYPE),
            (OBJECT_VERSION, b"%d" % version),
            (OBJECT_REPLACES, b"%d" % replaces),
        ],
    )


class Writer(Protocol):
    """Changes objects. Returns when this process has read its own write, so that the next request sees it."""

    async def put(
        self, kind: Kind[T], name: str, value: T, *, expected: int | None = None
    ) -> Entry[T]:
        """Write an object. `expected` is the version that it replaces, 0 to create it, None for any.

        Conflict if another stands there, or came first; LogUnavailable if the log does not take it.
        """
        ...

    async def delete(self, kind: Kind[T], name: str, *, expected: int | None = None) -> None:
        """Delete an object; NotFound if there is none, else as `put`."""
        ...


class ObjectLog(Writer, Protocol):
    """`llm.config` as a role is handed it: the objects, their writer, and how far it was read."""

    objects: Objects
    read_up_to: int  # the offset of the next record

    async def start(self) -> None: ...
    async def run(self) -> None: ...
    async def mend(self) -> None: ...
    async def stop(self) -> None: ...
