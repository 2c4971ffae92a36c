"""Which offsets are safe to commit."""

from hypothesis import given, strategies as st

from streams.ledger import MAX_METADATA, MAX_SPAN, Commit, Ledger, covered, pack, unpack


class Running:
    """What the ledger sees of a request."""

    def __init__(
        self, floor: int | None = None, *, started: bool = True, running: bool = False
    ) -> None:
        self.floor = floor
        self.started = started
        self.running = running


def ledger(start: int = 0, *, clean: bool = False, boundary: int = 0) -> Ledger:
    return Ledger(Commit(start, clean=clean), boundary)


def test_commit_stays_at_the_lowest_unfinished_offset() -> None:
    """Finished work above a running request moves no commit past it: stock Faust's loss."""
    book = ledger()
    for offset in range(10):
        book.deliver(offset)
    for offset in range(1, 10):
        book.finish(offset)

    commit = book.commit(0, final=False)

    assert commit.offset == 0
    assert commit.finished == frozenset(range(1, 10))


def test_commit_passes_gaps_in_the_log() -> None:
    """Offsets that never come (compaction, transaction markers) hold back nothing."""
    book = ledger()
    for offset in (0, 3, 7):
        book.deliver(offset)
        book.finish(offset)

    assert book.commit(0, final=False).offset == 8


@given(
    st.integers(0, 2**40),
    st.sets(st.integers(0, 5_000), max_size=400),
    st.integers(0, 2**40),
    st.booleans(),
    st.dictionaries(
        st.integers(0, 5_000), st.sampled_from(["0f", "a1b2c3d4e5f60718"]), max_size=99
    ),
)
def test_metadata_round_trip(
    offset: int, above: set[int], floor: int, clean: bool, others: dict[int, str]
) -> None:
    """What is packed into the commit metadata comes back whole."""
    away = {offset + each: owner for each, owner in others.items()}
    commit = Commit(offset, floor, clean, frozenset(offset + each for each in above), away)

    assert unpack(offset, pack(commit)) == commit


def test_metadata_never_exceeds_what_the_broker_takes() -> None:
    """The worst bitmap is left out rather than refused by the broker, and `covered` says so."""
    import random

    chance = random.Random(7)
    commit = Commit(0, 5, False, frozenset(chance.sample(range(MAX_SPAN * 4), MAX_SPAN)))

    assert len(pack(commit)) <= MAX_METADATA
    assert not covered(commit)
    assert unpack(0, pack(commit)).floor == 5


def test_foreign_metadata_means_that_nothing_is_known() -> None:
    """Metadata of another program, or none, leaves the offset alone."""
    for text in (
        None,
        "",
        "b1:abc",
        "s1:x:-:",
        "s1:1:-:!!!",
        "s1:1:-:000",
        "s2:1:-:00",
        "s2:1:-:a/!:",
    ):
        assert unpack(7, text).offset == 7
        assert unpack(7, text).finished == frozenset()


def test_a_finished_offset_is_not_delivered_again() -> None:
    """What the bitmap marks finished is skipped after a restart; the rest is delivered."""
    book = Ledger(Commit(5, finished=frozenset({6, 7})), 10)

    assert [offset for offset in range(5, 10) if book.deliver(offset)] == [5, 8, 9]
    for offset in (5, 8, 9):
        book.finish(offset)
    assert book.commit(0, final=False).offset == 10


def test_late_finishes_of_the_previous_generation_count() -> None:
    """Work that ended while the group was rebalancing is not done again."""
    book = Ledger(Commit(5), 10, finished=[3, 6])

    assert not book.deliver(6)
    assert book.finished == {6}


def test_floor_is_where_the_oldest_unfinished_record_of_an_exchange_may_lie() -> None:
    """The exchange position covers every request that the same commit does not mark finished."""
    book = ledger()
    for offset, request in enumerate((Running(40), Running(None), Running(70))):
        book.deliver(offset)
        book.attach(offset, request)

    assert book.commit(90, final=False).floor == 40
    book.finish(0)
    assert book.commit(90, final=False).floor == 70
    book.finish(2)
    assert book.commit(90, final=False).floor == 90


def test_floor_does_not_rise_while_finished_offsets_do_not_fit() -> None:
    """What the bitmap has to leave out can still be found in the exchanges."""
    book = ledger()
    book.deliver(0)
    book.attach(0, Running(None))
    assert book.commit(3, final=False).floor == 3
    for offset in range(1, MAX_SPAN + 10):
        book.deliver(offset)
        book.finish(offset)

    assert book.commit(500, final=False).floor == 3


def test_clean_is_said_only_of_a_last_commit_with_nothing_started() -> None:
    """A periodic commit never promises that nothing ran: the next request may start after it."""
    book = ledger()
    book.deliver(0)
    book.attach(0, Running(started=False))

    assert not book.commit(0, final=False).clean
    assert book.commit(0, final=True).clean
    book.attach(0, Running(started=True))
    assert not book.commit(0, final=True).clean


def test_records_below_the_boundary_may_have_run_before() -> None:
    """After a crash everything up to the end of the log counts as redelivered; after a clean stop nothing."""
    assert ledger(boundary=5).redelivered(4)
    assert not ledger(boundary=5).redelivered(5)
    assert not ledger(boundary=5, clean=True).redelivered(4)


def test_an_offset_that_pins_the_commit_is_named() -> None:
    """Only a request with more than the limit above it is moved forward."""
    book = ledger()
    for offset in range(12):
        book.deliver(offset)
    for offset in range(1, 12):
        book.finish(offset)

    assert book.pinning(12) is None
    assert book.pinning(11) == 0


@given(st.lists(st.integers(0, 60), max_size=200), st.integers(1, 61))
def test_no_unfinished_offset_is_ever_below_the_commit_or_marked(
    order: list[int], count: int
) -> None:
    """Whatever finishes in whatever order: delivered = finished + unfinished, and none is lost."""
    book = ledger()
    for offset in range(count):
        book.deliver(offset)
    done: set[int] = set()
    for offset in order:
        if offset < count:
            book.finish(offset)
            done.add(offset)
        commit = book.commit(0, final=False)
        again = Ledger(unpack(commit.offset, pack(commit)), count)
        redelivered = {each for each in range(commit.offset, count) if again.deliver(each)}
        assert redelivered == set(range(count)) - done


def test_what_the_predecessor_said_holds_until_its_requests_are_finished() -> None:
    """An owner that starts nothing passes on what it inherited: where outcomes begin, and that some may
    have run."""
    book = Ledger(Commit(5, floor=30), 8)
    for offset in (5, 6, 7, 8):
        book.deliver(offset)

    idle = book.commit(90, final=True)
    assert (idle.floor, idle.clean) == (30, False)
    for offset in (5, 6, 7):
        book.finish(offset)
    done = book.commit(90, final=True)
    assert (done.offset, done.floor, done.clean) == (8, 90, True)


def test_what_was_not_even_delivered_is_passed_on() -> None:
    """A stop before the first record was read leaves the commit as it was."""
    before = Commit(5, floor=30, finished=frozenset({7}))
    book = Ledger(before, 9)

    assert book.commit(90, final=True) == before


def test_the_last_commit_says_what_still_runs_and_where() -> None:
    """The next owner is told which requests go on in this worker; all others were never started."""
    book = ledger()
    for offset in range(4):
        book.deliver(offset)
    book.attach(1, Running(7, running=True))
    book.attach(3, Running(None, started=False))
    assert book.commit(9, final=False).away == {}
    last = book.commit(9, final=True, boot_id="me")
    assert (last.offset, last.floor, last.clean, last.away) == (0, 7, True, {1: "me"})

    following = Ledger(unpack(0, pack(last)), 9)
    assert [each for each in range(4) if following.redelivered(each)] == [1]


def test_a_request_that_was_cut_off_is_no_longer_away() -> None:
    """A stop whose drain was not enough leaves it to the next owner, as after a crash."""
    book = ledger()
    book.deliver(0)
    book.attach(0, Running(7, running=False))
    last = book.commit(9, final=True, boot_id="me")
    assert (last.away, last.clean) == ({}, False)


def test_what_is_away_stays_so_until_it_is_over() -> None:
    """Every commit of the new owner carries it on, whether the record came already or not."""
    book = Ledger(Commit(0, 3, True, frozenset({1}), {0: "other", 2: "other"}), 9)
    assert book.commit(9, final=False).away == {0: "other", 2: "other"}
    book.deliver(0)
    book.finish(0)
    assert book.commit(9, final=True, boot_id="me").away == {2: "other"}
    book.take_over(2)
    assert book.commit(9, final=False).away == {}
    assert book.redelivered(2)


def test_more_than_fits_is_taken_for_a_crash() -> None:
    """The metadata is never refused by the broker, and never says less than it seems to."""
    import random

    book = ledger()
    chance = random.Random(7)
    for offset in range(MAX_SPAN):
        book.deliver(offset)
        if chance.random() < 0.5:
            book.attach(offset, Running(7, running=True))
    last = book.commit(9, final=True, boot_id="me")
    assert (last.away, last.clean) == ({}, False)
    assert len(pack(last)) <= MAX_METADATA
