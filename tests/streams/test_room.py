"""Bytes in memory, bounded."""

import asyncio

from streams.room import Room


async def test_who_does_not_fit_waits_for_its_turn() -> None:
    """First come, first served; what is larger than all the room gets in alone."""
    room = Room(10)
    order: list[str] = []

    async def hold(name: str, size: int, done: asyncio.Event) -> None:
        async with room.held(size):
            order.append(name)
            await done.wait()

    first, second, third = (asyncio.Event() for _ in range(3))
    tasks = [
        asyncio.create_task(hold("six", 6, first)),
        asyncio.create_task(hold("fifty", 50, second)),
        asyncio.create_task(hold("four", 4, third)),
    ]
    await asyncio.sleep(0)
    assert order == ["six"]  # four would fit, but another was there before it
    first.set()
    await asyncio.sleep(0.01)
    assert (order, room.used) == (["six", "fifty"], 50)
    second.set()
    third.set()
    await asyncio.gather(*tasks)

    assert order == ["six", "fifty", "four"]
    assert room.used == 0


async def test_who_goes_while_it_waits_takes_no_room() -> None:
    """Those behind it get in, and nothing is lost or counted twice."""
    room = Room(10)
    async with room.held(6):
        large = asyncio.create_task(_enter(room, 9))
        small = asyncio.create_task(_enter(room, 4))
        await asyncio.sleep(0)
        large.cancel()
        await small
        assert room.used == 6
    late = asyncio.create_task(_enter(room, 10))
    async with room.held(1):
        await asyncio.sleep(0)
        late.cancel()
    await asyncio.wait((late,))

    assert room.used == 0


async def test_a_turn_that_comes_too_late_is_given_back() -> None:
    """One that is cancelled in the moment in which its turn comes."""
    room = Room(10)
    async with room.held(10):
        late = asyncio.create_task(_enter(room, 10))
        await asyncio.sleep(0)
    late.cancel()
    await asyncio.wait((late,))

    assert late.cancelled()
    assert room.used == 0


async def _enter(room: Room, size: int) -> None:
    async with room.held(size):
        pass
