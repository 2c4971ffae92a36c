"""Whose an idempotency key is, and what counts as the same request."""

from typing import Any

import msgspec
import pytest

from schemas import idempotency
from schemas.idempotency import Kept, Key, fingerprint, from_header, key_of, name_of, to_header
from schemas.requests import Relay, Request


def request(body: bytes = b'{"model": "m", "messages": []}', **changes: Any) -> Request:
    return Request(request_id="a", body=body, **changes)


def test_a_key_is_its_owners() -> None:
    """Client, user path and key make its name; no other split of the same letters makes the same."""
    owners = [
        ("k", None, "/"),
        ("k", "a", "/"),
        ("k", "b", "/"),
        ("k", "a", "/x"),
        ("ka", None, "/"),
    ]
    names = [name_of(*owner) for owner in owners]

    assert len(set(names)) == len(owners)
    assert names == [name_of(*owner) for owner in owners]


def test_a_request_without_a_key_has_none() -> None:
    """Most have none, and nothing of them is looked at."""
    assert key_of(request(b"no JSON"), 3) is None
    found = key_of(request(idempotency_key="k", client="a", user_path="/x"), 3)
    assert found == Key(name_of("k", "a", "/x"), 3, fingerprint(request()))


@pytest.mark.parametrize(
    "same",
    [
        request(b'{"messages":[],"model":"m"}'),
        request(b'{"model": "m", "messages": [], "stream": true}'),
        request(b'{"model": "m", "messages": [], "stream_options": {"include_usage": true}}'),
    ],
    ids=["order", "stream", "options"],
)
def test_the_same(same: Request) -> None:
    """The spelling of JSON says nothing, nor how the answer is to travel."""
    assert fingerprint(same) == fingerprint(request())


@pytest.mark.parametrize(
    "other",
    [
        request(b'{"model": "n", "messages": []}'),
        request(b'{"model": "m", "messages": [], "temperature": 0}'),
        request(dialect="anthropic"),
        request(operation="embeddings"),
        request(model="m"),
        request(operation="relay", relay=Relay("p", "POST", "/x")),
        request(b"[1]"),
        request(b"{"),
    ],
    ids=["model", "parameter", "dialect", "operation", "path", "relay", "list", "no JSON"],
)
def test_another(other: Request) -> None:
    """Everything else makes it another request."""
    assert fingerprint(other) != fingerprint(request())


def test_a_form_that_is_sent_again() -> None:
    """Its parts may be separated by another word; what stands in them may not differ."""

    def form(boundary: str, content: str) -> Request:
        body = f"--{boundary}\r\n\r\n{content}\r\n--{boundary}--".encode()
        kind = f'multipart/form-data; boundary="{boundary}"'
        return request(body, operation="files", content_type=kind)

    assert fingerprint(form("one", "text")) == fingerprint(form("two", "text"))
    assert fingerprint(form("one", "text")) != fingerprint(form("one", "other"))


def test_what_is_kept_survives_its_records() -> None:
    """The record of the topic and the header of an outcome say the same."""
    kept = Kept("a", "f" * 32, 7, 12.5)

    assert idempotency.decode(idempotency.encode(kept)) == kept
    assert from_header(to_header(Key(b"name", 3, "f" * 32), 12.5), b"a", 7) == (b"name", kept)
    with pytest.raises(msgspec.DecodeError):
        idempotency.decode(b"{}")
