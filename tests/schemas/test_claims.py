"""Claim checks as the headers of records."""

import pytest

from schemas import headers as h
from schemas.claims import Claim
from schemas.replies import Head, ReplyRecord, from_record as reply_of, to_headers as reply_headers
from schemas.requests import Malformed, Position, Request, from_record, to_headers

POSITION = Position("llm.requests", 0, 0)
CLAIM = Claim("0196-body", 41, "sha-256=:" + "A" * 43 + "=:")


def test_a_request_and_its_body_come_together_again() -> None:
    """What is written to a record's headers is read from them, and the body is no part of the record."""
    sent = Request(request_id="r", body=b"", source="/sluice/ingress/0", claim=CLAIM)

    found = from_record(dict(to_headers(sent)), b"", POSITION, 1.0)

    assert found.claim == CLAIM
    assert found.body == b""


def test_a_service_needs_say_no_more_than_the_name() -> None:
    """`ce_dataref` is enough, and the record may have no value."""
    found = from_record({h.DATAREF: b"prompt.json"}, None, POSITION, 1.0)

    assert found.claim == Claim("prompt.json")


@pytest.mark.parametrize(
    "headers",
    [
        {h.DATAREF: b"../secrets"},
        {h.DATAREF: b"/etc/passwd"},
        {h.DATAREF: b"a/b"},
        {h.DATAREF: b".seen-ingress"},
        {h.DATAREF: b"file:///etc/passwd"},
        {h.DATAREF: b"a\0"},
        {h.DATAREF: b"a", h.CONTENT_LENGTH: b"-1"},
        {h.DATAREF: b"a", h.CONTENT_DIGEST: b"md5=:x:"},
        {h.DATAREF: b"a\xff"},
    ],
    ids=["up", "absolute", "deep", "hidden", "url", "nul", "length", "digest", "no text"],
)
def test_what_leads_out_of_the_folder_is_no_request(headers: dict[str, bytes]) -> None:
    """A reference is the name of a file in SPOOL_DIR, never a path, and its checks can be read."""
    with pytest.raises(Malformed):
        from_record(headers, b"", POSITION, 1.0)


def test_an_answer_and_its_body_come_together_again() -> None:
    """The same for the one record of an answer that is in a file."""
    record = ReplyRecord("completed", 1, 0, b"", Head(200, "audio/wav", claim=CLAIM), 1)

    assert reply_of(tuple(reply_headers(record, None)), b"") == record
