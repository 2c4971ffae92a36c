"""Several keys of one instance."""

from providers.keys import KeyRing


class Now:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_keys_take_turns() -> None:
    """Each key follows the one before; a single one is always it."""
    ring = KeyRing(3, Now())
    assert [ring.next() for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    assert [KeyRing(1, Now()).next() for _ in range(3)] == [0, 0, 0]


def test_a_limited_key_is_passed_over() -> None:
    """It has its turn again when its time is up; a shorter limit does not shorten a longer one."""
    now = Now()
    ring = KeyRing(3, now)
    ring.limit(1, 110.0)
    ring.limit(1, 105.0)
    assert [ring.next() for _ in range(4)] == [0, 2, 0, 2]
    assert ring.free == 2
    now.seconds = 110.0
    assert [ring.next() for _ in range(3)] == [0, 1, 2]
    assert ring.free == 3


def test_when_all_are_limited() -> None:
    """The one that is free first is handed out: the provider says itself whether it takes it."""
    now = Now()
    ring = KeyRing(2, now)
    ring.limit(0, 130.0)
    ring.limit(1, 120.0)
    assert [ring.next() for _ in range(2)] == [1, 1]
    assert ring.free == 0
