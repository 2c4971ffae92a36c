"""The file of the embedded store."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.caches.vectors.base import VectorError
from streams.caches.vectors.journal import MARK, Journal


def test_records_come_back(tmp_path: Path) -> None:
    """After a restart, in their order, whatever bytes they hold."""
    payloads = [b"a", b"", MARK * 3, bytes(range(256))]
    journal = Journal(tmp_path / "new" / "file")
    for payload in payloads:
        journal.append(payload)
    journal.close()

    again = Journal(tmp_path / "new" / "file")
    assert list(again.records()) == payloads
    again.rewrite([b"x"])
    again.append(b"y")
    assert list(again.records()) == [b"x", b"y"]
    again.close()


@pytest.mark.parametrize("damage", ["cut", "flip", "hole"])
def test_damage_costs_the_record_that_it_hit(tmp_path: Path, damage: str) -> None:
    """What was written before and behind it is read."""
    path = tmp_path / "file"
    journal = Journal(path)
    for payload in (b"first" * 9, b"second" * 9, b"third" * 9):
        journal.append(payload)
    journal.close()
    data = bytearray(path.read_bytes())
    at = data.index(b"second")
    match damage:
        case "cut":
            del data[-4:]
        case "flip":
            data[at] ^= 1
        case _:
            data[at - 8 : at - 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)

    again = Journal(path)
    found = list(again.records())
    again.append(b"fourth")
    assert list(again.records())[-1] == b"fourth"
    again.close()

    lost = b"third" if damage == "cut" else b"second"
    assert found == [each * 9 for each in (b"first", b"second", b"third") if each != lost]


def test_one_process_writes_it(tmp_path: Path) -> None:
    """A second opener is told, and the first one's end lets it in."""
    journal = Journal(tmp_path / "file")

    with pytest.raises(VectorError, match="another process"):
        Journal(tmp_path / "file")

    journal.close()
    Journal(tmp_path / "file").close()
