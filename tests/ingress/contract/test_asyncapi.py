"""The AsyncAPI document against the topics, the headers and what is committed."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from ingress.contract import records
from ingress.contract.asyncapi import document
from schemas import control, exchange, headers, kinds, replies, requests
from schemas.topics import Retention, Topics, table
from tests.services import ROOT

Json = dict[str, Any]


@pytest.fixture(scope="session")
def whole() -> Json:
    found: Json = msgspec.json.decode(msgspec.json.encode(document(Topics())))
    return found


def test_what_is_committed_is_current(whole: Json) -> None:
    """docs/asyncapi.json is what `sluice asyncapi` prints: write it again if this fails."""
    assert msgspec.json.decode((ROOT / "docs" / "asyncapi.json").read_bytes()) == whole


def test_every_topic_is_a_channel(whole: Json) -> None:
    """Under the name that it has on the cluster, and used by an operation."""
    expected = {topic.name for topic in table(Topics("x."), 1, 1, Retention())}
    channels = document(Topics("x."))["channels"]
    used = {operation["channel"]["$ref"] for operation in whole["operations"].values()}

    assert {channel["address"] for channel in channels.values()} == expected
    assert used == {f"#/channels/{name}" for name in channels}


def references(found: object) -> Iterator[str]:
    if isinstance(found, dict):
        for name, value in found.items():
            if name == "$ref":
                yield value
            yield from references(value)
    elif isinstance(found, list):
        for each in found:
            yield from references(each)


def test_references_lead_somewhere(whole: Json) -> None:
    """Each is a pointer to what is there; nothing is left over."""
    pointers = set(references(whole))
    for pointer in pointers:
        place: Any = whole
        for part in pointer.removeprefix("#/").split("/"):
            place = place[part]

    for kind in ("messages", "schemas"):
        known = {f"#/components/{kind}/{name}" for name in whole["components"][kind]}
        assert known <= pointers


def test_every_header_is_described() -> None:
    """Each record header stands on a kind of record, and none that there is not."""
    known = {
        value for key, value in vars(headers).items() if key.isupper() and isinstance(value, str)
    }
    tables = (
        *(records.REQUEST, records.OWN, records.REPLY, records.EXCHANGE),
        *(records.CONTROL, records.OBJECT, records.DEAD),
    )

    assert {name for each in tables for name in each} == known


def test_every_type_of_record_is_named(whole: Json) -> None:
    """What stands in `ce_type` of requests, replies and exchanges, and each kind of object."""
    messages = whole["components"]["messages"]

    def types(name: str) -> set[bytes]:
        found = messages[name]["headers"]["properties"]["ce_type"]["enum"]
        return {each.encode() for each in found}

    assert types("request") == set(requests.TYPES)
    assert types("reply") == set(replies.TYPES.values())
    assert types("exchange") == {*exchange.SHOWN_TYPES, exchange.REDELIVERED_TYPE}
    assert {kind.name for kind in kinds.KINDS} <= messages.keys()
    assert len(whole["channels"]["control"]["messages"]) == len(control.TYPE_OF)


def test_an_answer_goes_where_the_request_says(whole: Json) -> None:
    """Request and reply, as AsyncAPI 3 has them."""
    asked = whole["operations"]["receive_requests"]

    assert asked["reply"]["address"]["location"] == "$message.header#/kafka_replyTopic"
    assert "kafka_replyTopic" in messages_header(whole, "request")


def messages_header(whole: Json, name: str) -> Json:
    found: Json = whole["components"]["messages"][name]["headers"]["properties"]
    return found
