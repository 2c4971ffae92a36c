"""The sparse index: bounded, and never past what is looked for."""

from pathlib import Path

from hypothesis import given, settings, strategies as st

from sluice.broker.index import (
    MAX_ENTRIES,
    SEALED_ENTRIES,
    Image,
    Index,
    image_bytes,
    read_image,
    save_image,
)


def filled(count: int, size: int = 9000) -> Index:
    index = Index()
    for i in range(count):
        index.add(i * 10, i * size, 1000 + i)
    return index


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30_000), st.integers(1, 20_000))
def test_it_stays_bounded_and_never_overshoots(count: int, size: int) -> None:
    """However long the segment, entries are limited, and a look-up begins at or before its batch."""
    index = filled(count, size)
    assert len(index.positions) <= MAX_ENTRIES
    index.thin(SEALED_ENTRIES)
    assert len(index.positions) <= SEALED_ENTRIES
    for batch in range(0, count, max(count // 50, 1)):
        assert index.position(batch * 10 + 9) <= batch * size
        assert index.position_of_time(1000 + batch) <= batch * size


def test_it_is_read_back(tmp_path: Path) -> None:
    """An index file gives back what was saved; damage, another length or none at all is None."""
    path = tmp_path / "x.index"
    assert read_image(path) is None
    image = Image(7, filled(500), 4_500_000, 5000, 1499, 1000, b"[1]")
    data = image_bytes(image)
    save_image(path, data)
    found = read_image(path)
    assert found is not None
    assert image_bytes(found) == data
    for damaged in (data[:-1], data[:50], b"", data[:100] + b"\xff" + data[101:]):
        path.write_bytes(damaged)
        assert read_image(path) is None


def test_resuming_forgets_what_is_scanned_again() -> None:
    """From an entry before the position on the index is empty, so that a scan fills it anew."""
    index = filled(100)
    position, offset, newest = index.resume(500_000)
    assert (position, offset, newest) == (55 * 9000, 550, 1055)
    assert list(index.positions) == [i * 9000 for i in range(55)]
    assert filled(3).resume(0) == (0, -1, -1)
