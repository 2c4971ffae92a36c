"""What a caller gets when a provider fails, fault by fault: a whole and right answer wherever one can be
had, else a clear error; who was asked, how often and in which order; and one attempt that is billed."""

import asyncio
import itertools
from typing import Any

import openai
import pytest

from sluice.sim.answers import _WORDS as LOREM
from tests.faults.conftest import NEXT, ROUTES, UPSTREAMS, WORDS, Seen, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = " ".join(itertools.islice(itertools.cycle(LOREM), WORDS))
both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
upstreams = pytest.mark.parametrize("upstream", UPSTREAMS)
_keys = itertools.count()


async def asked(world: World, scenario: str, upstream: str, *, stream: bool) -> Seen:
    key = f"{scenario}-{upstream}-{next(_keys)}"
    return await world.ask(f"{scenario}-{upstream}", key, stream=stream)


def answered(seen: Seen, *attempts: tuple[str, int | None, str | None]) -> None:
    """Whole and right, by these attempts; the provider got the same calls, and the last one is billed."""
    assert seen.error is None
    assert seen.text == TEXT
    assert seen.attempts == list(attempts)
    assert seen.calls == [script for script, *_ in attempts]
    assert seen.exchange.outcome == "completed"
    assert seen.exchange.usage is not None
    assert seen.exchange.usage.output_tokens == WORDS
    assert [each.usage for each in seen.exchange.attempts][-1] is None
    assert int(seen.headers["sluice-attempts"]) >= 1
    assert seen.headers["sluice-provider"]


def first(scenario: str) -> str:
    return ROUTES[scenario][0]


@both
@upstreams
@pytest.mark.parametrize(
    ("scenario", "status", "code"),
    [
        ("s01", 429, "rate_limit_exceeded"),
        ("s02", 429, "rate_limit_exceeded"),
        ("s03", 500, "upstream_error"),
    ],
)
async def test_what_passes_is_retried_at_the_same(
    world: World, scenario: str, status: int, code: str, upstream: str, stream: bool
) -> None:
    """S01, S02, S03: 429 with Retry-After, which is waited for, 429 without, 500 once: the second call
    of the same model answers."""
    seen = await asked(world, scenario, upstream, stream=stream)
    again = first(scenario)

    answered(seen, (again, status, code), (again, 200, None))
    assert seen.headers["sluice-attempts"] == "2"


@both
@upstreams
async def test_what_lasts_is_answered_by_the_next(
    world: World, upstream: str, stream: bool
) -> None:
    """S04: 503 for good: once more, then the next one."""
    seen = await asked(world, "s04", upstream, stream=stream)
    gone = (first("s04"), 503, "upstream_error")

    answered(seen, gone, gone, (NEXT, 200, None))


@pytest.mark.parametrize(("scenario", "stream"), [("s04-alone", False), ("s04-alone-too", True)])
async def test_an_outage_without_anybody_else_is_told(
    world: World, scenario: str, stream: bool
) -> None:
    """S04 with one candidate: the provider's own error, after as many calls as the budget has."""
    seen = await asked(world, scenario, "sim", stream=stream)

    assert isinstance(seen.error, openai.InternalServerError)
    assert seen.error.status_code == 503
    assert len(seen.calls) == 4
    assert seen.headers["sluice-attempts"] == "4"
    assert seen.exchange.outcome == "failed"


@both
@upstreams
@pytest.mark.parametrize(
    ("scenario", "status", "code"),
    [
        ("s05", None, "upstream_error"),
        ("s06", None, "upstream_timeout"),
    ],
)
async def test_who_does_not_answer_is_left_at_once(
    world: World, scenario: str, status: int | None, code: str, upstream: str, stream: bool
) -> None:
    """S05, S06: a reset before any answer, no answer at all: the next one, without a second call."""
    seen = await asked(world, scenario, upstream, stream=stream)

    answered(seen, (first(scenario), status, code), (NEXT, 200, None))


@both
async def test_a_refused_connection_is_left_at_once(world: World, stream: bool) -> None:
    """S05: nobody listens there."""
    seen = await world.ask("dead", f"dead-{next(_keys)}", stream=stream)

    assert (seen.error, seen.text) == (None, TEXT)
    assert seen.attempts == [("m", None, "upstream_unreachable"), (NEXT, 200, None)]
    assert seen.calls == [NEXT]


@both
async def test_silence_without_anybody_else_is_told(world: World, stream: bool) -> None:
    """S06 with one candidate: 504 after one call."""
    seen = await asked(world, "s06-alone", "sim", stream=stream)

    assert isinstance(seen.error, openai.InternalServerError)
    assert (seen.error.status_code, seen.error.code) == (504, "upstream_timeout")
    assert len(seen.calls) == 1


@both
@upstreams
async def test_a_first_token_that_does_not_come(world: World, upstream: str, stream: bool) -> None:
    """S07: headers at once and the first token after 20 s: FIRST_TOKEN_TIMEOUT ends the attempt."""
    seen = await asked(world, "s07", upstream, stream=stream)
    status = 200 if stream else None

    answered(seen, (first("s07"), status, "upstream_timeout"), (NEXT, 200, None))


BROKEN = {
    "s08": "stream_truncated",
    "s09": "upstream_timeout",
    "s10": "upstream_error",
}


@both
@upstreams
@pytest.mark.parametrize("scenario", BROKEN)
async def test_an_answer_that_breaks_off(
    world: World, scenario: str, upstream: str, stream: bool
) -> None:
    """S08, S09, S10: cut, silent or malformed at token 40 of 60: a plain answer is had from the next
    unseen, a stream goes on there with what is missing."""
    seen = await asked(world, scenario, upstream, stream=stream)

    answered(seen, (first(scenario), 200, BROKEN[scenario]), (NEXT, 200, None))
    assert [each.resumed for each in seen.exchange.attempts] == [None, "splice" if stream else None]
    assert seen.exchange.response is not None
    assert seen.exchange.response.content().count(b"ipsum") == TEXT.count("ipsum")


@upstreams
async def test_a_stream_that_breaks_off_before_its_first_token(world: World, upstream: str) -> None:
    """S08: what has no content is held back, so that nobody sees that there was another."""
    seen = await asked(world, "s08-early", upstream, stream=True)

    answered(seen, (first("s08-early"), 200, "stream_truncated"), (NEXT, 200, None))
    assert seen.headers["sluice-model"] == f"sim-{NEXT}"
    assert all(each.resumed is None for each in seen.exchange.attempts)


async def test_a_stream_that_breaks_off_twice(world: World) -> None:
    """S08: the third candidate goes on where the second stopped."""
    seen = await asked(world, "s08-twice", "sim", stream=True)
    cut = "stream_truncated"

    answered(
        seen,
        (first("s08-twice"), 200, cut),
        (f"{NEXT}-cut-40", 200, cut),
        (NEXT, 200, None),
    )


@pytest.mark.parametrize(
    ("scenario", "errors"),
    [
        ("s08-alone", ["stream_truncated"]),
        ("s08-other", ["stream_truncated", "diverged", "diverged"]),
        ("s08-error", ["stream_truncated"]),
    ],
)
@upstreams
async def test_a_stream_that_nobody_can_finish(
    world: World, scenario: str, errors: list[str], upstream: str
) -> None:
    """S08 with nobody else, with others that say something else, with STREAM_RECOVERY=error: what came,
    then an error in the stream; it never looks whole."""
    seen = await asked(world, scenario, upstream, stream=True)

    assert isinstance(seen.error, openai.APIError)
    assert "ended before it was complete" in str(seen.error)
    assert seen.text == " ".join(TEXT.split(" ")[:40])
    assert [error for *_, error in seen.attempts] == errors
    assert seen.exchange.outcome == "failed"
    assert seen.exchange.response is not None
    assert b"[DONE]" not in seen.exchange.response.content()


@upstreams
async def test_a_stream_without_its_last_event(world: World, upstream: str) -> None:
    """S11: its finish reason was there, so that it is whole; nobody else is asked."""
    seen = await asked(world, "s11", upstream, stream=True)

    answered(seen, (first("s11"), 200, None))


@both
async def test_a_prompt_that_is_too_long(world: World, stream: bool) -> None:
    """S12: 400 is not repeated; a candidate with more context answers, and without one the caller is
    told in the provider's words."""
    seen = await asked(world, "s12", "sim", stream=stream)
    answered(seen, (first("s12"), 400, "context_length_exceeded"), (NEXT, 200, None))

    alone = await asked(world, "s12-alone", "sim", stream=stream)
    assert isinstance(alone.error, openai.BadRequestError)
    assert alone.error.code == "context_length_exceeded"
    assert len(alone.calls) == 1


@both
async def test_a_content_filter(world: World, stream: bool) -> None:
    """S13: the provider's refusal reaches the caller, and nobody else is asked; by `fallback_on` the
    next one is."""
    seen = await asked(world, "s13", "sim", stream=stream)
    assert isinstance(seen.error, openai.BadRequestError)
    assert (seen.error.code, seen.calls) == ("content_filter", ["blocked"])

    other = await asked(world, "s13-asked", "sim", stream=stream)
    answered(other, (first("s13-asked"), 400, "content_filter"), (NEXT, 200, None))


@upstreams
async def test_a_prefill_that_is_refused(world: World, upstream: str) -> None:
    """S14: `continue` at a candidate that takes no beginning of an answer: it is asked anew, and goes on
    behind what it repeats."""
    seen = await asked(world, "s14", upstream, stream=True)
    other = f"no-prefill-{NEXT}"

    answered(
        seen,
        (first("s14"), 200, "stream_truncated"),
        (other, 400, "invalid_request"),
        (other, 200, None),
    )
    assert [each.resumed for each in seen.exchange.attempts] == [None, "continue", "splice"]


@upstreams
async def test_a_prefill_that_is_taken(world: World, upstream: str) -> None:
    """`continue` at a candidate that goes on: only the rest is asked for, and billed."""
    seen = await asked(world, "s14-continues", upstream, stream=True)

    assert (seen.error, seen.text) == (None, TEXT)
    assert [each.resumed for each in seen.exchange.attempts] == [None, "continue"]
    assert seen.exchange.usage is not None
    assert seen.exchange.usage.output_tokens == WORDS - 40


@both
async def test_a_flapping_provider(world: World, stream: bool) -> None:
    """S15: every request is answered, whoever answers; the breaker spares the one that fails, and soon
    after it recovers it answers again."""
    key, winners = f"s15-{stream}", []
    for _ in range(60):
        seen = await world.ask("s15-sim", key, stream=stream)
        assert (seen.error, seen.text) == (None, TEXT)
        winners.append(seen.attempts[-1][0])
        if winners[-2:] == [first("s15")] * 2:
            break
        await asyncio.sleep(0.1)  # the breaker's probes come with time

    assert winners[0] == NEXT
    assert winners[-2:] == [first("s15")] * 2
    # Three requests opened it with five calls; probes are one call each.
    failed = [one for one in seen.calls if one == first("s15")]
    assert len(failed) == 7 + 2


@both
@upstreams
async def test_only_the_winner_is_billed(world: World, upstream: str, stream: bool) -> None:
    """S16: the tokens of the attempt that answered are the request's; what another used stands apart."""
    seen = await asked(world, "s16", upstream, stream=stream)
    spent, won = seen.exchange.attempts

    assert (seen.error, seen.text) == (None, TEXT)
    assert seen.exchange.usage is not None
    assert seen.exchange.usage.output_tokens == WORDS
    assert seen.exchange.provider == won.provider
    assert won.usage is None
    if upstream == "anthropic" and stream:  # it counts at the beginning of a stream, too
        assert spent.usage is not None
        assert spent.usage.input_tokens == seen.exchange.usage.input_tokens


@upstreams
async def test_responses_go_on_elsewhere(world: World, upstream: str) -> None:
    """S08 as OpenAI's SDK reads Responses: events in order under one id, the last with all of the text."""
    stream: Any = await world.client.responses.create(
        model=f"s08-{upstream}", input=f"Say it [sim:r-{next(_keys)}]", stream=True
    )
    events = [event async for event in stream]
    final = events[-1]

    assert final.type == "response.completed"
    assert final.response.output_text == TEXT
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == TEXT
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert {e.response.id for e in events if hasattr(e, "response")} == {final.response.id}


@upstreams
async def test_messages_go_on_elsewhere(world: World, upstream: str) -> None:
    """S08 as Anthropic's SDK reads Messages: it folds the stream to one whole message."""
    async with world.claude.messages.stream(
        model=f"s08-{upstream}",
        max_tokens=1000,
        messages=[{"role": "user", "content": f"Say it [sim:m-{next(_keys)}]"}],
    ) as stream:
        message = await stream.get_final_message()

    assert [block.text for block in message.content if block.type == "text"] == [TEXT]
    assert message.stop_reason == "end_turn"


@pytest.mark.parametrize("number", range(1, 17))
async def test_every_fault_has_its_script(number: int) -> None:
    """S01 to S16 are all here."""
    assert any(name.startswith(f"s{number:02}") for name in ROUTES)
