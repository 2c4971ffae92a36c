"""Threads of Responses."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw
from typing_extensions import override

from ingress.conversation import thread
from schemas.analytics import NoReports
from schemas.kept import Kept, NoAnswers


class Store(NoAnswers, NoReports):
    """Requests by their ids; `links` says what each went on with."""

    def __init__(self, links: dict[str, str | None]) -> None:
        self.kept = {
            name: Kept(
                request_id=name,
                response_id=f"resp_{name}",
                previous_id=f"resp_{before}" if before else None,
            )
            for name, before in links.items()
        }

    @override
    async def find(self, name: str) -> Kept | None:
        return self.kept.get(name.removeprefix("resp_"))

    @override
    async def continuing(self, response_id: str, limit: int) -> Sequence[str]:
        found = (each.request_id for each in self.kept.values() if each.previous_id == response_id)
        return sorted(found)[:limit]

    @override
    async def one(self, request_id: str) -> Raw | None:
        return Raw(msgspec.json.encode(request_id)) if request_id in (*self.kept, "chat") else None


async def names(store: Store, anchor: str, limit: int = 40) -> list[str]:
    found = await thread(store, store, store, anchor, limit)
    return [msgspec.json.decode(each) for each in found]


# a ─ b ─ c ─ d, and e beside c
STORE = Store({"a": None, "b": "a", "c": "b", "d": "c", "e": "b", "far": None})


async def test_a_thread_goes_both_ways() -> None:
    """Back to its beginning, and on to all that went on with it; what went another way is none of it."""
    assert await names(STORE, "b") == ["a", "b", "c", "e", "d"]
    assert await names(STORE, "c") == ["a", "b", "c", "d"]
    assert await names(STORE, "far") == ["far"]


async def test_a_thread_is_bounded() -> None:
    """What was before the anchor comes first, then what is behind it; the anchor is always there."""
    assert await names(STORE, "c", 1) == ["c"]
    assert await names(STORE, "c", 2) == ["b", "c"]
    assert await names(STORE, "b", 3) == ["a", "b", "c"]


async def test_what_has_no_thread() -> None:
    """A request whose answer was not kept stands alone; one that is not there has nothing."""
    assert await names(STORE, "chat") == ["chat"]
    assert await names(STORE, "nobody") == []


async def test_a_link_that_was_deleted_ends_it() -> None:
    """What lies behind it is not found any more."""
    store = Store({"a": None, "b": "a", "c": "b"})
    del store.kept["b"]

    assert await names(store, "c") == ["c"]
    assert await names(store, "a") == ["a"]
