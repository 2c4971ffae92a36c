"""What readers of `llm.config` make of its records."""

from hypothesis import given, strategies as st
from msgspec import Struct

from schemas.headers import Headers, first
from schemas.objects import Kind, Objects, Taken, record


class Thing(Struct, frozen=True):
    """An object."""

    text: str


THINGS = Kind("things", Thing)
Record = tuple[bytes, bytes | None, Headers]


def take(objects: Objects, found: Record) -> Taken:
    key, value, headers = found
    return objects.take(key, value, first(headers))


def write(text: str | None, version: int, replaces: int, name: str = "a") -> Record:
    return record(THINGS, name, None if text is None else Thing(text), version, replaces)


def read(*records: Record) -> Objects:
    objects = Objects((THINGS,))
    for each in records:
        take(objects, each)
    return objects


def text(objects: Objects, name: str = "a") -> str | None:
    found = objects.table(THINGS).get(name)
    return None if found is None else found.text


def test_of_two_that_replace_the_same_version_the_first_counts() -> None:
    """Every reader refuses the second, and knows that compaction would keep the wrong one."""
    objects = read(write("old", 5, 0), write("first", 6, 5), write("second", 6, 5))

    assert text(objects) == "first"
    assert objects.overtaken == {("things", "a")}
    assert take(objects, write("first", 7, 6)) == "applied"
    assert objects.overtaken == set()


def test_what_creates_is_refused_where_the_object_is() -> None:
    """Two that create one name: the first has it, although the second counts higher."""
    objects = read(write("first", 100, 0), write("second", 101, 0))

    assert text(objects) == "first"


def test_a_tombstone_deletes_and_what_replaced_its_object_is_refused() -> None:
    """A change that came after the deletion does not bring the object back; creating it anew does."""
    objects = read(write("old", 5, 0), write(None, 6, 5), write("late", 6, 5))

    assert text(objects) is None
    assert take(objects, write("new", 1000, 0)) == "applied"
    assert text(objects) == "new"


def test_records_without_our_headers_follow_on_what_is_there() -> None:
    """A service, or a hand with kcat, may write objects and tombstones with key and JSON alone."""
    objects = Objects((THINGS,))
    for value in (b'{"text": "x"}', b'{"text": "y"}'):
        assert objects.take(b"things/b/c", value, {}) == "applied"
    assert text(objects, "b/c") == "y"
    assert objects.take(b"things/b/c", None, {}) == "applied"
    assert text(objects, "b/c") is None


def test_what_cannot_be_read_changes_nothing() -> None:
    """Foreign kinds, keys and values are passed over; the object stays as it was."""
    objects = read(write("old", 5, 0))
    said = [
        objects.take(key, value, {})
        for key, value in (
            (None, b"{}"),
            (b"things", b"{}"),
            (b"others/a", b"{}"),
            (b"\xff/a", b"{}"),
            (b"things/a", b"{"),
            (b"things/a", b"\xff"),
            (b"things/a", b'{"text": 1}'),
        )
    ]

    assert said == ["unknown"] * 4 + ["unreadable"] * 3
    assert text(objects) == "old"


def test_watchers_hear_what_is_there_and_what_changes() -> None:
    """An index beside the table is as new as the table, also where the log begins anew."""
    objects = read(write("old", 5, 0))
    heard: list[tuple[str, str | None]] = []
    objects.table(THINGS).watch(
        lambda name, value: heard.append((name, None if value is None else value.text))
    )
    take(objects, write("new", 6, 5))
    take(objects, write("refused", 6, 5))
    take(objects, write("other", 1, 0, "b"))
    objects.clear()

    assert heard == [("a", "old"), ("a", "new"), ("b", "other"), ("a", None), ("b", None)]
    assert len(objects.table(THINGS)) == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12), st.data())
def test_a_compacted_log_tells_the_same(steps: list[tuple[bool, int]], data: st.DataObject) -> None:
    """Whatever compaction has left of records that writers mended, readers come to the same object."""
    log: list[Record] = []
    live = Objects((THINGS,))
    for number, (deletes, behind) in enumerate(steps):
        here = live.table(THINGS).entry("a")
        value = None if deletes else f"{number}"
        replaces = max(here.version - behind, 0) if here.value is not None else 0
        version = replaces + 1 if replaces else here.version + 1
        log.append(write(value, version, replaces))
        if take(live, log[-1]) != "applied":  # as the writer mends it
            here = live.table(THINGS).entry("a")
            again = None if here.value is None else here.value.text
            log.append(write(again, max(here.version, version) + 1, max(here.version, 1)))
            take(live, log[-1])
    # Compaction works on a beginning of the log, and drops tombstones there some time later.
    cut = data.draw(st.integers(0, len(log)))
    last = log[:cut][-1:]
    if last and last[0][1] is None and data.draw(st.booleans()):
        last = []

    assert text(read(*log)) == text(live)
    assert text(read(*last, *log[cut:])) == text(live)
    assert live.overtaken == set()
