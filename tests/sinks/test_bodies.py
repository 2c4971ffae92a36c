"""Bodies as they are stored."""

from __future__ import annotations

import base64

import msgspec
import pytest
from msgspec import UNSET, Raw

from schemas.claims import Claim
from schemas.exchange import Body, any_body, claimed_body
from sinks.bodies import MAX_DEPTH, StoredBody, as_text, stored, without_content
from tests.sinks.samples import json_body, sse

CHUNK = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def text_of(body: StoredBody) -> str:
    assert body.body is not UNSET
    return msgspec.json.decode(body.body, type=str)


def test_json_is_not_encoded_again() -> None:
    """The bytes of a JSON body are the stored ones, white space and number forms included."""
    raw = b' {"a": 1.50, "b": "\\u00e4"} '
    found = stored(json_body(raw), 100)

    assert found.body is not UNSET
    assert bytes(found.body) == raw
    assert found.format == "json"


@pytest.mark.parametrize("levels", [1, MAX_DEPTH, MAX_DEPTH + 1, 900])
def test_depth_decides_between_document_and_text(levels: int) -> None:
    """What is nested deeper than the limit is text; nothing of it is lost."""
    raw = nested(levels)
    found = stored(json_body(raw), 1 << 20)

    assert found.format == ("json" if levels <= MAX_DEPTH else "text")
    assert not found.truncated
    if found.format == "text":
        assert text_of(found) == raw.decode()


def test_many_brackets_are_not_depth() -> None:
    """A long flat conversation stays a sub-document."""
    raw = msgspec.json.encode({"messages": [{"role": "user", "content": "x"}] * 500})

    assert stored(json_body(raw), 1 << 20).format == "json"


@pytest.mark.parametrize("limit", range(12))
def test_a_cut_never_splits_a_character(limit: int) -> None:
    """Whatever the limit, the stored text is a beginning of the body and valid."""
    text = "aä€😀z"
    found = stored(any_body(text.encode(), "text/plain"), limit)

    assert text.startswith(text_of(found))
    assert len(text_of(found).encode()) <= limit
    assert found.truncated == (limit < len(text.encode()))
    assert found.bytes == len(text.encode())


def test_cut_base64_can_be_decoded() -> None:
    """Of a binary body the beginning is stored, in whole groups of base64."""
    raw = bytes(range(256))
    found = stored(any_body(raw, "audio/wav"), 103)

    assert found.truncated
    assert found.bytes == 256
    assert raw.startswith(base64.b64decode(text_of(found)))
    assert len(text_of(found)) == 100


def test_escapes_do_not_count_against_the_limit() -> None:
    """A text is measured as it was sent, not as JSON writes it."""
    text = '"\n' * 50
    found = stored(any_body(text.encode(), "text/plain"), 100)

    assert text_of(found) == text
    assert not found.truncated


def test_a_stream_that_is_no_chat_stays_text() -> None:
    """Events that fold into nothing are kept as they were sent, and still marked as a stream."""
    raw = b"event: message_start\ndata: {}\n\n"
    found = stored(any_body(raw, "text/event-stream"), 1000)

    assert found == StoredBody(
        format="text",
        content_type="text/event-stream",
        bytes=len(raw),
        streamed=True,
        body=Raw(msgspec.json.encode(raw.decode())),
    )


def test_a_folded_stream_is_cut_by_its_folded_length() -> None:
    """The limit is about what is stored; `bytes` about what was sent."""
    body = sse(*[CHUNK] * 50)
    whole = stored(body, 1000)
    cut = stored(body, 50)

    assert whole.bytes == cut.bytes == len(body.content()) > 1000
    assert whole.format == "json"
    assert not whole.truncated
    assert cut.format == "text"
    assert cut.truncated
    assert len(text_of(cut)) == 50


@pytest.mark.parametrize(
    "body",
    [json_body(b'{"secret":1}'), any_body(b"secret", "text/plain"), any_body(b"\xff\x00", "x/y")],
)
def test_without_content(body: Body) -> None:
    """Nothing of the content is left, only its kind and size."""
    found = without_content(body)

    assert found.body is UNSET
    assert found.bytes == len(body.content())
    assert found.format == body.format
    assert as_text(found, 10) == found


def test_a_claim_check_is_stored_as_what_is_known_of_it() -> None:
    """A body that was too large for the log has its size, and the reference as a sub-document; its content
    is nowhere."""
    body = claimed_body(Claim("name", 40 << 20, "sha-256=:x:"), "audio/wav")

    found = stored(body, 1 << 20)

    assert (found.format, found.bytes, found.truncated) == ("claim", 40 << 20, False)
    assert bytes(found.body or b"") == b'{"dataref":"name","size":41943040,"digest":"sha-256=:x:"}'
    assert without_content(body) == StoredBody(
        format="claim", content_type="audio/wav", bytes=40 << 20
    )
    assert stored(body, 10).format == "text"
    assert body.content() == b""
