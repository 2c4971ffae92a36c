"""Streamed answers: what passes, what is read, what counts as whole."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from providers.sse import MAX_EVENT
from schemas.errors import InvalidRequest, RateLimited, StreamTruncated, UpstreamError
from schemas.replies import Chunk, Completed, Failed
from schemas.usage import Usage
from tests.providers.support import delta, event, fold, stream_decoder, whole

# No times are asserted: the machine may be busy.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ROLE = event('{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}')
FINISH = event('{"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
USAGE = event('{"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}')
DONE = b"data: [DONE]\n\n"
STREAM = [ROLE, delta("zwei ü€😀"), b": ping\n\n", delta("b"), FINISH, USAGE, DONE]
BODY = b"".join(STREAM)


def variants() -> dict[str, bytes]:
    return {
        "LF": BODY,
        "CRLF": BODY.replace(b"\n", b"\r\n"),
        "CR": BODY.replace(b"\n", b"\r"),
        "mixed": b"".join(
            part.replace(b"\n", end)
            for part, end in zip(STREAM, [b"\n", b"\r\n", b"\r"] * 3, strict=False)
        ),
        "two data lines": BODY.replace(b',"choices"', b',\ndata: "choices"'),
        "no space": BODY.replace(b"data: ", b"data:"),
        "named": BODY.replace(b"data: ", b"event: message\ndata: "),
    }


@pytest.mark.parametrize("name", variants())
def test_every_cut(name: str) -> None:
    """Cut at every byte, also inside a character or a CRLF, a stream passes unchanged and is read."""
    body = variants()[name]
    for at in range(len(body) + 1):
        chunks, end = fold(stream_decoder(), [body[:at], body[at:]])
        assert whole(chunks, end) == body
        assert isinstance(end, Completed)
        assert (end.finish_reason, end.response_model) == ("stop", "m")
        assert end.usage == Usage(7, 2)
        assert b"[DONE]" in end.data
        assert b"choices" not in end.data


@UNHURRIED
@given(st.sampled_from(sorted(variants())), st.lists(st.integers(0, 2000), max_size=20))
def test_any_cuts(name: str, cuts: list[int]) -> None:
    """Any number of cuts: only whole events are forwarded, and all bytes in the end."""
    body = variants()[name]
    places = sorted({0, *(at % len(body) for at in cuts), len(body)})
    pieces = [body[a:b] for a, b in pairwise(places)]
    chunks, end = fold(stream_decoder(), pieces)
    assert whole(chunks, end) == body
    sent = b""
    for chunk in chunks:
        sent += chunk.data
        assert sent.endswith((b"\n\n", b"\r\r", b"\n\r", b"\n\r\n", b"\r\n"))


@pytest.mark.parametrize("at", range(len(BODY) - len(DONE)))
def test_error_never_lands_inside_an_event(at: int) -> None:
    """However early a stream breaks off, what was forwarded ends with a whole event."""
    chunks, end = fold(stream_decoder(), [BODY[:at]])
    sent = b"".join(chunk.data for chunk in chunks)
    assert BODY.startswith(sent)
    assert not sent or sent.endswith(b"\n\n")
    if at < BODY.index(FINISH) + len(FINISH) - 2:
        assert isinstance(end, Failed)
        assert isinstance(end.error, StreamTruncated)
    else:
        assert isinstance(end, Completed)
        assert end.data.endswith(DONE)


def test_content_flags() -> None:
    """Roles, empty deltas, comments, finish reasons and usage are no content; text and tools are."""
    for data, content in (
        (ROLE, False),
        (b": ping\n\n", False),
        (FINISH, False),
        (USAGE, False),
        (event('{"choices":[{"delta":{"content":null,"refusal":null,"tool_calls":[]}}]}'), False),
        (event('{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}'), False),
        (delta(" "), True),
        (delta("x", "stop"), True),
        (event('{"choices":[{"delta":{"reasoning_content":"hm"}}]}'), True),
        (event('{"choices":[{"delta":{"refusal":"no"}}]}'), True),
        (event('{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c"}]}}]}'), True),
        (event('{"choices":[{"delta":{"new_member":{"a":1}}}]}'), True),
        (ROLE + delta("x"), True),
    ):
        assert list(stream_decoder().feed(data)) == [Chunk(data, content)]


def test_usage_that_only_we_asked_for() -> None:
    """The usage event is read and left out where only the gateway asked for it; nothing else is."""
    moderation = event('{"model":"m","choices":[],"moderation":{"flagged":false}}')
    body = [ROLE, delta("x"), FINISH, moderation, USAGE, DONE]
    for pieces in (body, [b"".join(body)], [bytes([b]) for b in b"".join(body)]):
        chunks, end = fold(stream_decoder(hide_usage=True), pieces)
        assert whole(chunks, end) == b"".join(part for part in body if part != USAGE)
        assert isinstance(end, Completed)
        assert end.usage == Usage(7, 2)


def test_usage_with_choices_is_never_left_out() -> None:
    """A usage that comes with the finish reason stays where it is."""
    last = event(
        '{"choices":[{"delta":{},"finish_reason":"stop"}],'
        '"usage":{"prompt_tokens":1,"completion_tokens":1}}'
    )
    chunks, end = fold(stream_decoder(hide_usage=True), [delta("x"), last, DONE])
    assert whole(chunks, end) == delta("x") + last + DONE


def test_usage_of_every_vendor() -> None:
    """Usage is found in `x_groq`, the newest counts where every event has some, null is none."""
    groq = event(
        '{"choices":[{"delta":{},"finish_reason":"stop"}],'
        '"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_time":0.5}}}'
    )
    _, end = fold(stream_decoder(), [groq, DONE])
    assert isinstance(end, Completed)
    assert end.usage == Usage(3, 4)
    running = [
        event(
            f'{{"choices":[{{"delta":{{"content":"x"}}}}],"usage":{{"prompt_tokens":1,"completion_tokens":{n}}}}}'
        )
        for n in (1, 2, 3)
    ]
    null = event('{"choices":[{"delta":{},"finish_reason":"length"}],"usage":null}')
    _, end = fold(stream_decoder(), [*running, null, DONE])
    assert isinstance(end, Completed)
    assert (end.usage, end.finish_reason) == (Usage(1, 3), "length")


def test_without_done() -> None:
    """Without `[DONE]` a stream with a finish reason is whole and gets one."""
    chunks, end = fold(stream_decoder(), [delta("x"), FINISH])
    assert whole(chunks, end) == delta("x") + FINISH + DONE


def test_done_without_finish_reason() -> None:
    """`[DONE]` after an answer that never finished is a cut that somebody has painted over."""
    decoder = stream_decoder()
    _, end = fold(decoder, [delta("x"), DONE])
    assert isinstance(end, Failed)
    assert isinstance(end.error, StreamTruncated)
    assert isinstance(fold(stream_decoder(), [DONE])[1], Failed)
    assert isinstance(fold(stream_decoder(), [])[1], Failed)


@pytest.mark.parametrize(
    "rest", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]", b"data: [DONE]\r"]
)
def test_missing_last_line_end(rest: bytes) -> None:
    """A last event without its blank line counts, and the caller gets the blank line."""
    chunks, end = fold(stream_decoder(), [delta("x"), FINISH, rest])
    body = whole(chunks, end)
    assert body.startswith(delta("x") + FINISH + rest.rstrip())
    assert body.endswith((b"\n\n", b"\r\n"))
    assert body.count(b"[DONE]") == 1
    chunks, end = fold(stream_decoder(), [delta("x"), FINISH[:-2]])
    assert whole(chunks, end) == delta("x") + FINISH + DONE


def test_half_an_event_at_the_end() -> None:
    """Half an event after the finish reason is left out; before it the stream is cut."""
    chunks, end = fold(stream_decoder(), [delta("x"), FINISH, USAGE[:40]])
    assert whole(chunks, end) == delta("x") + FINISH + DONE
    _, end = fold(stream_decoder(), [delta("x"), FINISH[:40]])
    assert isinstance(end, Failed)


def test_bytes_after_done() -> None:
    """What follows `[DONE]` is kept behind it, up to a bound, and read by nobody."""
    decoder = stream_decoder()
    assert not decoder.done
    chunks, end = fold(decoder, [delta("x") + FINISH + DONE + b": bye\n", b"\n"])
    assert decoder.done
    assert whole(chunks, end) == delta("x") + FINISH + DONE + b": bye\n\n"
    _, end = fold(stream_decoder(), [FINISH, DONE, *[b"x" * 1000] * 1000])
    assert isinstance(end, Completed)
    assert len(end.data) < 1 << 17


def test_several_choices() -> None:
    """A stream of n choices is whole when all have finished; `[DONE]` speaks for those unseen."""
    a, b = delta("x", "stop", 0), delta("y", "length", 1)
    _, end = fold(stream_decoder(2), [a, b])
    assert isinstance(end, Completed)
    assert end.finish_reason == "stop"
    _, end = fold(stream_decoder(2), [b, a])
    assert isinstance(end, Completed)
    assert end.finish_reason == "stop"
    assert isinstance(fold(stream_decoder(2), [a])[1], Failed)
    assert isinstance(fold(stream_decoder(2), [a, delta("y", None, 1), DONE])[1], Failed)
    assert isinstance(fold(stream_decoder(2), [a, DONE])[1], Completed)


def test_events_after_the_finish_reason() -> None:
    """A finished choice stays finished when the provider repeats it with null, as some do."""
    again = event('{"choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]}')
    chunks, end = fold(stream_decoder(), [delta("x"), FINISH, again, DONE])
    assert whole(chunks, end) == delta("x") + FINISH + again + DONE


def test_error_event() -> None:
    """An error event ends the answer: what came before passes, its bytes are kept, its code read."""
    error = '{"error":{"message":"slow down","code":429,"type":"x"}}'
    decoder = stream_decoder()
    replies = list(decoder.feed(ROLE + delta("x") + event(error) + delta("y")))
    assert replies[0] == Chunk(ROLE + delta("x"), True)
    failed = replies[1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, RateLimited)
    assert (failed.status, failed.error.message) == (429, "slow down")
    assert failed.body == error.encode()
    assert failed.response_model == "m"
    assert decoder.done
    assert list(decoder.feed(FINISH)) == []
    assert decoder.finish() is failed


def test_error_event_of_other_shapes() -> None:
    """Errors as a string, in several data lines, with prose for a code, or with null for no error."""
    _, end = fold(stream_decoder(), [event('{"error":"overloaded"}')])
    assert isinstance(end, Failed)
    assert (end.status, end.error.message) == (502, "overloaded")
    _, end = fold(
        stream_decoder(), [b'data: {"error":\r\ndata: {"message":"x","code":"bad"}}\r\n\r\n']
    )
    assert isinstance(end, Failed)
    assert end.body == b'{"error": {"message":"x","code":"bad"}}'
    _, end = fold(stream_decoder(), [event('{"error":{"code":400,"message":"long"}}')])
    assert isinstance(end, Failed)
    assert isinstance(end.error, InvalidRequest)
    null = event('{"error":null,"choices":[{"delta":{},"finish_reason":"stop"}]}')
    assert isinstance(fold(stream_decoder(), [null])[1], Completed)


@pytest.mark.parametrize(
    "data", ["{", "oops", '{"choices":[{"delta":{"content":"x}}]}', "[" * 5000]
)
def test_malformed_event(data: str) -> None:
    """An event that is no JSON fails the call, with what was read before."""
    chunks, end = fold(stream_decoder(), [USAGE, delta("x") + event(data) + FINISH])
    assert [chunk.data for chunk in chunks] == [USAGE, delta("x")]
    assert isinstance(end, Failed)
    assert type(end.error) is UpstreamError
    assert end.usage == Usage(7, 2)


@pytest.mark.parametrize(
    "data",
    ["[]", "1", '{"choices":{}}', '{"choices":[{"index":"a"}]}', '{"choices":[{"delta":"text"}]}'],
)
def test_unusual_event(data: str) -> None:
    """JSON of a shape that nobody documents passes as content."""
    assert list(stream_decoder().feed(event(data))) == [Chunk(event(data), True)]


def test_unknown_members_pass() -> None:
    """Members that we do not know stay in their bytes, spaces and escapes too."""
    odd = event(
        '{ "choices" : [ { "delta" : { "content" : "\\u00e4" }, "x": [1, 2.50] } ], "new":{}}'
    )
    assert list(stream_decoder().feed(odd)) == [Chunk(odd, True)]


def test_held_data_is_bounded() -> None:
    """An event of more than 16 MiB fails the call instead of filling the memory."""
    piece = b"data: " + b"x" * (4 << 20)
    decoder = stream_decoder()
    _, end = fold(decoder, [piece] * (MAX_EVENT // len(piece) + 2))
    assert isinstance(end, Failed)
    assert "16 MiB" in end.error.message
