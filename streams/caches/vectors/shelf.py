"""The entries of one namespace in memory: about 550 bytes each beside text, names and answer."""

from __future__ import annotations

import math
import mmap
import sys
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from streams.caches.vectors.base import Entry, Neighbour, Vector

SCANNED = 2_048  # up to so many every vector is compared; above, the likely ones only
SHORTLIST = 400
FIRST_ROOM = 8
GROWTH = 1.25
LARGE = 1 << 18  # bytes
COLUMNS = ("_vectors", "_scales", "_expires", "_hashes", "numbers")
_LEVELS = 127.0
Slots = NDArray[np.intp]
T = TypeVar("T", bound=np.generic)


class _Kept(Struct, frozen=True, array_like=True):
    """What is not needed for the search, in one string of bytes."""

    id: str
    group: str
    text: str
    labels: tuple[str, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class Shelf:
    """Vectors as 8 bits a dimension, and their signs for a first choice among many."""

    __slots__ = (
        *("_answers", "_expires", "_hashes", "_kept", "_known", "_scales", "_signs", "_vectors"),
        *("numbers", "used"),
    )

    def __init__(self, dimension: int) -> None:
        self.used = 0
        self.numbers: NDArray[np.uint32] = np.empty(0, np.uint32)  # order of arrival
        self._vectors: NDArray[np.int8] = np.empty((0, dimension), np.int8)
        # One column for 64 dimensions each: a sum over columns is ten times one over rows.
        self._signs = [np.empty(0, np.uint64) for _ in range(-(-dimension // 64))]
        self._scales: NDArray[np.float32] = np.empty(0, np.float32)
        self._expires: NDArray[np.float64] = np.empty(0, np.float64)
        self._hashes: NDArray[np.uint64] = np.empty(0, np.uint64)  # of ids
        self._known: set[int] = set()  # the same: whether it is worth looking
        self._kept: list[bytes] = []
        self._answers: list[bytes] = []

    @property
    def dimension(self) -> int:
        return int(self._vectors.shape[1])

    def find(self, entry_id: str) -> int | None:
        """The place of an entry."""
        if _hash(entry_id) not in self._known:
            return None
        for place in np.flatnonzero(self._hashes[: self.used] == _hash(entry_id)):
            if _decode(self._kept[place]).id == entry_id:
                return int(place)
        return None

    def put(self, entry: Entry, number: int) -> None:
        if self.used == len(self.numbers):
            self._resize(max(FIRST_ROOM, int(self.used * GROWTH) + 1))
        place, self.used = self.used, self.used + 1
        scale = float(np.abs(entry.vector).max()) or 1.0
        self._vectors[place] = np.rint(entry.vector * (_LEVELS / scale)).astype(np.int8)
        # Rounding changes the length a little: a vector shall have cosine 1 to itself.
        self._scales[place] = 1.0 / max(float(np.linalg.norm(self._vectors[place])), 1e-9)
        for column, bits in zip(self._signs, _signs(entry.vector), strict=True):
            column[place] = bits
        self._expires[place] = entry.expires
        self._hashes[place] = _hash(entry.id)
        self._known.add(_hash(entry.id))
        self.numbers[place] = number
        self._kept.append(_encode(_Kept(entry.id, entry.group, entry.text, entry.labels)))
        self._answers.append(entry.answer)

    def nearest(self, vector: Vector, count: int, now: float) -> list[Neighbour]:
        places: Slots = np.flatnonzero(self._expires[: self.used] > now)
        if len(places) > SCANNED:
            places = self._shortlist(places, vector, max(SHORTLIST, 8 * count))
        similarities = (self._vectors[places].astype(np.float32) @ vector) * self._scales[places]
        best = _largest(similarities, count)
        return [self._neighbour(int(places[at]), min(float(similarities[at]), 1.0)) for at in best]

    def _shortlist(self, places: Slots, vector: Vector, count: int) -> Slots:
        """Those with the most signs in common: of the nearest few, hardly one is missed."""
        different = np.zeros(self.used, np.uint16)
        for column, bits in zip(self._signs, _signs(vector), strict=True):
            different += np.bitwise_count(column[: self.used] ^ bits)
        if len(places) < self.used:
            different = different[places]
        return places[np.argpartition(different, count)[:count]]

    def _neighbour(self, place: int, similarity: float) -> Neighbour:
        kept = _decode(self._kept[place])
        return Neighbour(kept.id, kept.group, kept.text, self._answers[place], similarity)

    def expired(self, before: float) -> Slots:
        return np.flatnonzero(self._expires[: self.used] <= before)

    def older(self, number: int) -> Slots:
        return np.flatnonzero(self.numbers[: self.used] < number)

    def labelled(self, label: str) -> Sequence[int]:
        return [at for at, kept in enumerate(self._kept) if label in _decode(kept).labels]

    def memory(self) -> int:
        """Bytes in memory, without the answers."""
        arrays = (*(getattr(self, name) for name in COLUMNS), *self._signs)
        hashes = sys.getsizeof(self._known) + sum(map(sys.getsizeof, self._known))
        texts = sum(map(sys.getsizeof, self._kept)) + 2 * sys.getsizeof(self._kept)
        return sum(int(array.nbytes) for array in arrays) + hashes + texts

    def drop(self, places: Sequence[int] | Slots) -> list[tuple[str, int]]:
        """Ids and answer sizes of what was here; the last ones move to where they were."""
        dropped = []
        for place in sorted(map(int, places), reverse=True):
            self._known.discard(int(self._hashes[place]))
            dropped.append((_decode(self._kept[place]).id, len(self._answers[place])))
            last = self.used = self.used - 1
            for array in (*(getattr(self, name) for name in COLUMNS), *self._signs):
                array[place] = array[last]
            for column in (self._kept, self._answers):
                column[place] = column[last]
                column.pop()
        return dropped

    def entries(self, namespace: str) -> list[Entry]:
        """Everything, to be written down again; vectors as far as they are known."""
        found = []
        for at in range(self.used):
            kept = _decode(self._kept[at])
            vector = self._vectors[at].astype(np.float32) * self._scales[at]
            answer, expires = self._answers[at], float(self._expires[at])
            found.append(
                Entry(
                    kept.id, namespace, kept.group, kept.text, vector, answer, expires, kept.labels
                )
            )
        return found

    def _resize(self, room: int) -> None:
        for name in COLUMNS:
            setattr(self, name, _moved(getattr(self, name), room))
        self._signs = [_moved(column, room) for column in self._signs]


def _moved(old: NDArray[T], room: int) -> NDArray[T]:
    new = _empty((room, *old.shape[1:]), old.dtype)
    new[: len(old)] = old
    return new


def _empty(shape: tuple[int, ...], dtype: np.dtype[T]) -> NDArray[T]:
    """A large one has pages of its own: they are given back when it goes, and no memory is taken before
    they are written to. On the heap each growth leaves a hole that nothing fits into, a third in all."""
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)


def _hash(entry_id: str) -> int:
    return int.from_bytes(blake2b(entry_id.encode(), digest_size=8).digest())


def _signs(vector: Vector) -> NDArray[np.uint64]:
    bits = np.zeros(-(-len(vector) // 64) * 64, np.bool_)
    bits[: len(vector)] = vector > 0
    return np.packbits(bits).view(np.uint64)


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Places of the largest, the largest first."""
    if len(values) > count:
        some = np.argpartition(-values, count)[:count]
        return np.asarray(some[np.argsort(-values[some], kind="stable")])
    return np.argsort(-values, kind="stable")
