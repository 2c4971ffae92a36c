"""`Idempotency-Key` as it comes in."""

from typing import Any, cast

import pytest
from sanic.compat import Header

from ingress.caller import Caller
from ingress.config import IngressConfig
from ingress.guards import IncomingRequest
from ingress.idempotency import idempotency_key, take_place
from ingress.keys import Principal
from schemas.errors import InvalidRequest
from schemas.idempotency import name_of
from schemas.identity import partition_of, record_key
from schemas.ids import milliseconds_of, new_id, slot_of


class Incoming:
    """What is looked at of a request."""

    def __init__(self, key: str | None = None, method: str = "POST") -> None:
        self.headers: Any = Header({} if key is None else {"Idempotency-Key": key})
        self.method = method
        self.gateway_id: str | None = None


def key_in(incoming: Incoming) -> str | None:
    return idempotency_key(cast(IncomingRequest, incoming))


@pytest.mark.parametrize(
    ("given", "key"),
    [("order-42", "order-42"), ('"order-42"', "order-42"), (" a b ", "a b"), ('"', '"')],
    ids=["plain", "quoted", "spaces", "quote"],
)
def test_a_key(given: str, key: str) -> None:
    """As it is, or as the quoted string of the IETF's draft: both are the same key."""
    assert key_in(Incoming(given)) == key


@pytest.mark.parametrize("given", ["", '""', "x" * 256, "é", "a\tb"], ids=range(5))
def test_what_is_none(given: str) -> None:
    """It is refused, and not passed over: its sender counts on it."""
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        key_in(Incoming(given))


def test_only_a_post_has_one() -> None:
    """Whoever only reads may do so as often as he likes."""
    assert key_in(Incoming("order-42", "GET")) is None
    assert key_in(Incoming()) is None


def test_the_id_lies_in_the_partition_of_the_key() -> None:
    """Wherever that is; the id still says its time and its slot, and one that lies there already stays."""
    config = IngressConfig(slot=5, partitions=64)
    caller = Caller(Principal("client"), None, None, "/a", None)
    for number in range(50):
        incoming = Incoming()
        incoming.gateway_id = first = new_id(1_000_000, 5)
        take_place(cast(IncomingRequest, incoming), f"key {number}", caller, config, 1000.0)
        found = incoming.gateway_id

        wanted = partition_of(name_of(f"key {number}", "client", "/a"), 64)
        assert partition_of(record_key(found), 64) == wanted
        assert (milliseconds_of(found), slot_of(found)) == (1_000_000, 5)
        assert found == first or partition_of(record_key(first), 64) != wanted
