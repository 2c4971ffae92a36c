"""A stream that breaks off after a part of it was seen."""

import msgspec
import pytest

from schemas.errors import ContentFiltered, InvalidRequest, StreamTruncated, UpstreamError
from schemas.replies import Chunk, Completed, Failed, Reply
from tests.streams.stages.fakes import END, Gateway, event, fails, said

CUT = Failed(StreamTruncated(), 502)


def cut(*words: str) -> list[Reply]:
    return [*said(*words), CUT]


def whole(*words: str) -> list[Reply]:
    return [*said(*words), Completed(END)]


async def test_splice() -> None:
    """Another that says the same goes on behind what was seen, wherever its pieces are cut."""
    gateway = Gateway({"a/m": [cut("one", " two")], "b/m": [whole("on", "e two thr", "ee")]})

    assert await gateway.told() == "one two three"
    assert gateway.providers.calls == ["a/m", "b/m"]
    assert gateway.call is not None
    assert [one.resumed for one in gateway.call.attempts] == [None, "splice"]
    assert gateway.call.winner is not None
    assert gateway.call.winner.instance == "b"


async def test_what_says_something_else_is_not_joined() -> None:
    """The next candidate; if there is none the stream ends with the first error in it."""
    gateway = Gateway(
        {
            "a/m": [cut("one", " two")],
            "b/m": [whole("one or", " so")],
            "c/m": [whole("one two", "!")],
        }
    )
    assert await gateway.told() == "one two!"
    assert gateway.call is not None
    assert [one.error for one in gateway.call.attempts][1:] == ["diverged", None]
    assert gateway.providers.open == 0

    alone = Gateway({"a/m": [cut("one")], "b/m": [whole("two")]})
    assert await alone.told() == "one !stream_truncated"


async def test_it_may_break_off_again() -> None:
    """The third goes on where the second stopped; nobody is asked twice."""
    gateway = Gateway(
        {"a/m": [cut("one")], "b/m": [cut("one", " two")], "c/m": [whole("one two", " three")]}
    )
    assert await gateway.told() == "one two three"

    short = Gateway({"a/m": [cut("one")], "b/m": [cut("one", " two")]})
    assert await short.told() == "one two !stream_truncated"


async def test_continue() -> None:
    """The next is given the text as the beginning of its answer, and what it says comes behind."""
    gateway = Gateway(
        {"a/m": [cut("one", " two")], "b/m": [whole(" three", " four")]}, recovery="continue"
    )
    assert await gateway.told() == "one two three four"
    *_, last = gateway.providers.requests
    turn = msgspec.json.decode(last.body)["messages"][-1]
    assert turn == {"role": "assistant", "content": "one two"}
    assert gateway.call is not None
    assert gateway.call.request.body == gateway.providers.requests[0].body
    assert gateway.call.attempts[-1].resumed == "continue"


async def test_who_begins_anew_is_not_told_twice() -> None:
    """One that repeats the text from its beginning is joined behind it."""
    gateway = Gateway(
        {"a/m": [cut("one", " two")], "b/m": [whole("one", " two three")]}, recovery="continue"
    )

    assert await gateway.told() == "one two three"


async def test_who_refuses_a_beginning_is_asked_anew() -> None:
    """A 400 for the prefill: the same candidate by `splice`."""
    gateway = Gateway(
        {"a/m": [cut("one")], "b/m": [fails(InvalidRequest(), 400), whole("one", " two")]},
        recovery="continue",
    )

    assert await gateway.told() == "one two"
    assert gateway.providers.calls == ["a/m", "b/m", "b/m"]


@pytest.mark.parametrize(
    ("replies", "config"),
    [
        (cut("one"), {"recovery": "error"}),
        ([*said("one"), Failed(ContentFiltered(), 400)], {}),
        ([*said("one"), Chunk(event(tool_calls=[{"index": 0}])), CUT], {}),
        ([*said("one"), Chunk(event(reasoning_content="hm")), CUT], {}),
    ],
)
async def test_what_ends_in_band(replies: list[Reply], config: dict[str, object]) -> None:
    """By configuration, for what no other mends, and where more than one text was sent."""
    gateway = Gateway({"a/m": [replies], "b/m": [whole("one", " two")]}, **config)

    assert (await gateway.told()).startswith("one !")
    assert gateway.providers.calls == ["a/m"]


async def test_an_outage_of_the_next_goes_on_to_the_one_behind() -> None:
    """It is asked once."""
    gateway = Gateway(
        {"a/m": [cut("one")], "b/m": [fails(UpstreamError(), 500)], "c/m": [whole("one", "!")]}
    )

    assert await gateway.told() == "one!"
    assert gateway.providers.calls == ["a/m", "b/m", "c/m"]
