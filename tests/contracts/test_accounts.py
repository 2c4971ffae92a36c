"""One contract for the accounts in memory and in Redis: what is reserved, and what is spent."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.budgets.base import Accounts, AccountsUnavailable, Charge, Demand, Span, Standing
from streams.budgets.memory import MemoryAccounts
from streams.budgets.redis import RedisAccounts

NOW = 1_900_000_000.0  # not yet: Redis forgets what is past
LATER = NOW + 86_400
BIG = 3_000_000_000_000_000  # three million dollars


@pytest.fixture(params=["memory", "redis"])
async def accounts(request: pytest.FixtureRequest, topic_prefix: str) -> AsyncIterator[Accounts]:
    found: Accounts
    if request.param == "memory":
        found = MemoryAccounts()
    else:
        url = request.getfixturevalue("redis_url")
        found = RedisAccounts(url, topic_prefix, 5.0)
    yield found
    await found.close()


@pytest.fixture
async def known(accounts: Accounts) -> Accounts:
    """Accounts of which it is known what was used: nothing."""
    assert await accounts.settle(Span(0, None, 10), (), NOW)
    return accounts


def want(amount: int, limit: int | None, account: str = "a", **more: object) -> Demand:
    return Demand(account, amount, limit, LATER, **more)  # type: ignore[arg-type]


async def test_nothing_is_reserved_before_it_is_known_what_was_used(accounts: Accounts) -> None:
    """Empty accounts refuse until every partition that was begun anew has come to its end."""
    with pytest.raises(AccountsUnavailable):
        await accounts.reserve("r", [want(1, 10)], NOW)
    await accounts.settle(Span(0, None, 5, behind=True), [Charge("old", [("a", 7, LATER)])], NOW)
    with pytest.raises(AccountsUnavailable):
        await accounts.reserve("r", [want(1, 10)], NOW)
    await accounts.settle(Span(0, 5, 9, behind=True), (), NOW)
    with pytest.raises(AccountsUnavailable):
        await accounts.reserve("r", [want(1, 10)], NOW)
    await accounts.settle(Span(0, 9, 9), (), NOW)
    assert await accounts.reserve("r", [want(1, 10)], NOW) == Standing((8,))
    # One that only lags, as the worker was away, is known.
    await accounts.settle(Span(0, 9, 12, behind=True), (), NOW)
    assert await accounts.reserve("s", [want(3, 10)], NOW) == Standing((8,), 0)


async def test_reserved_and_spent_never_exceed_the_limit(known: Accounts) -> None:
    """Of many at once exactly as many pass as fit, to the last piece."""
    done = await asyncio.gather(*(known.reserve(f"r{n}", [want(3, 30)], NOW) for n in range(50)))
    assert sorted(each.used for each in done if each.refused is None) == [
        (3 * n,) for n in range(1, 11)
    ]
    assert {each for each in done if each.refused is not None} == {Standing((30,), 0)}
    assert await known.read(["a"]) == [(0, 30)]


async def test_all_or_nothing(known: Accounts) -> None:
    """Where the second account refuses, the first is left as it was."""
    demands = [want(5, 10), want(5, 4, "b"), want(1, 1, "c")]
    assert await known.reserve("r", demands, NOW) == Standing((0, 0, 0), 1)
    assert await known.read(["a", "b", "c"]) == [(0, 0)] * 3


async def test_a_request_reserves_once(known: Accounts) -> None:
    """Run again after a crash it goes on with what it has, also where nothing is left; and when it is
    settled it reserves nothing any more."""
    assert await known.reserve("r", [want(10, 10)], NOW) == Standing((10,))
    assert await known.reserve("r", [want(10, 10)], NOW) == Standing((10,))
    assert await known.read(["a"]) == [(0, 10)]
    await known.settle(Span(0, 10, 11), [Charge("r", [("a", 4, LATER)])], NOW)
    assert await known.read(["a"]) == [(4, 0)]
    assert await known.reserve("r", [want(10, 10)], NOW) == Standing((4,))
    assert await known.read(["a"]) == [(4, 0)]


async def test_a_charge_counts_once(known: Accounts) -> None:
    """A step that is told again is refused by its offset, a request that is told again by its id."""
    charge = Charge("r", [("a", 4, LATER), ("b", 1, LATER)])
    assert await known.settle(Span(0, 10, 11), [charge], NOW)
    assert not await known.settle(Span(0, 10, 11), [charge], NOW)
    assert not await known.settle(Span(0, None, 11), [charge], NOW)
    assert await known.settle(Span(0, 11, 12), [charge, Charge("s")], NOW)
    assert await known.settle(Span(1, None, 3), [Charge("t", [("a", 1, LATER)])], NOW)
    assert await known.read(["a", "b"]) == [(5, 0), (1, 0)]
    assert [await known.position(each) for each in (0, 1, 2)] == [12, 3, None]


async def test_large_sums_are_exact(known: Accounts) -> None:
    """Millions of dollars in nano-dollars, to the last one."""
    await known.settle(Span(0, 10, 11), [Charge("r", [("a", BIG, LATER)])], NOW)
    assert await known.reserve("s", [want(1, BIG)], NOW) == Standing((BIG,), 0)
    assert await known.reserve("s", [want(1, BIG + 1)], NOW) == Standing((BIG + 1,))
    assert await known.read(["a"]) == [(BIG, 1)]


async def test_counting_without_a_limit(known: Accounts) -> None:
    """A soft budget counts what it never refuses."""
    assert await known.reserve("r", [want(10, None)], NOW) == Standing((0,))
    assert await known.read(["a"]) == [(0, 10)]


async def test_a_window_that_slides(known: Accounts) -> None:
    """Requests count at once; of the window before as much counts as still overlaps."""
    for n in range(4):
        assert await known.reserve(f"r{n}", [want(1, 4, "w1", hold=False)], NOW) == Standing(
            (n + 1,)
        )
    after = want(1, 4, "w2", hold=False, previous="w1", weight=750)
    assert await known.reserve("s", [after], NOW) == Standing((4,))
    assert await known.reserve("t", [after], NOW) == Standing((4,), 0)
    later = want(1, 4, "w2", hold=False, previous="w1", weight=250)
    assert await known.reserve("u", [later], NOW) == Standing((3,))
    assert await known.read(["w1", "w2"]) == [(4, 0), (2, 0)]


async def test_memory_is_kept_from_one_start_to_the_next(tmp_path: Path) -> None:
    """What is spent and up to where comes back together; a torn file is no reason not to start."""
    file = tmp_path / "accounts.json"
    first = MemoryAccounts(file)
    await first.settle(Span(0, None, 10), [Charge("r", [("a", 4, LATER)])], NOW)
    first.save()
    await first.settle(Span(0, 10, 20), [Charge("s", [("a", 4, LATER)])], NOW)
    again = MemoryAccounts(file)  # after a crash: the second step is told again
    assert await again.position(0) == 10
    assert await again.settle(Span(0, 10, 20), [Charge("s", [("a", 4, LATER)])], NOW)
    assert await again.read(["a"]) == [(8, 0)]
    file.write_bytes(b'{"offsets": {')
    assert await MemoryAccounts(file).position(0) is None


async def test_a_connection_that_was_cut_meanwhile_is_nobodys_matter(
    redis_url: str, topic_prefix: str
) -> None:
    """One that was kept in hand is opened again, and the request does not notice."""
    accounts = RedisAccounts(redis_url, topic_prefix, 5.0)
    try:
        assert await accounts.settle(Span(0, None, 10), (), NOW)
        assert await accounts.reserve("r", [want(1, 10)], NOW) == Standing((1,))
        (kept,) = accounts._lines._free
        host, port = kept._writer.get_extra_info("sockname")[:2]
        assert await accounts._redis.client_kill_filter(addr=f"{host}:{port}") == 1
        assert await accounts.reserve("s", [want(2, 10)], NOW) == Standing((3,))
    finally:
        await accounts.close()


async def test_a_store_that_is_away_says_so(free_port: object) -> None:
    """Nobody waits longer than he may."""
    assert callable(free_port)
    gone = RedisAccounts(f"redis://127.0.0.1:{free_port()}", "x", 0.2)
    with pytest.raises(AccountsUnavailable):
        await gone.reserve("r", [want(1, 1)], NOW)
    await gone.close()
