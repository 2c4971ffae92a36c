"""One line of each request and exchange, from records as they stand in the log."""

from typing import Any

import pytest
from aiokafka import ConsumerRecord

from ingress.happening import finished, started
from schemas import headers as h


def record(value: bytes | None, **headers: bytes) -> Any:
    named = {"ce_type": h.CE_TYPE, "ce_id": h.CE_ID, "moved": h.REQUEST_ID, "path": h.USER_PATH}
    found = [(named[name], content) for name, content in headers.items()]
    return ConsumerRecord(
        topic="llm.requests",
        partition=3,
        offset=7,
        timestamp=1_700_000_000_000,
        timestamp_type=0,
        key=None,
        value=value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=found,
    )


def test_a_request_of_a_direct_producer() -> None:
    """Nothing but a body: it is named by its place, as its exchange will be, and its model stands in the
    body."""
    found = started(record(b'{"model":"m","stream":true,"messages":[]}'))

    assert found is not None
    assert (found.request_id, found.model, found.stream) == ("llm.requests-3-7", "m", True)
    assert (found.user_path, found.created_at) == ("/kafka", "2023-11-14T22:13:20.000000Z")


def test_a_request_of_the_ingress() -> None:
    """Its id, which is its source's, operation and user path stand in headers."""
    found = started(
        record(b'{"model":"m"}', ce_id=b"id-1", ce_type=b"llm.request.embeddings", path=b"/a/b")
    )

    assert found is not None
    assert (found.request_id, found.operation, found.user_path) == (
        "/kafka/id-1",
        "embeddings",
        "/a/b",
    )


@pytest.mark.parametrize("value", [b"no json", b"\xff\xfe", b"[1]", b'{"model":7}', b""])
def test_a_body_that_is_no_request_still_shows(value: bytes) -> None:
    """It was taken in; what it asks for is not known."""
    found = started(record(value, ce_id=b"id-1"))

    assert found is not None
    assert (found.model, found.stream) == (None, False)


def test_a_copy_that_was_moved_forward_is_not_told_again() -> None:
    """Its first record was told of already."""
    assert started(record(b"{}", moved=b"id-1")) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (b"llm.exchange.redelivered", b""),
        (b"llm.exchange.completed", None),
        (b"llm.exchange.completed", b"{}"),
        (b"llm.exchange.completed", b"\xff"),
    ],
)
def test_what_is_no_exchange_is_passed_over(kind: bytes, value: bytes | None) -> None:
    """A counted redelivery, a tombstone, and what another version may have written."""
    assert finished(record(value, ce_type=kind)) is None
