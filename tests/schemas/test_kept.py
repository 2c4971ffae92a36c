"""Which answers are kept, and who may see them."""

import msgspec
import pytest

from schemas.exchange import Exchange
from schemas.kept import Kept, kept, may_read, response_of
from tests.sinks.samples import exchange, json_body

RESPONSE = b'{"id":"resp_1","object":"response","output":[]}'


def response(body: bytes = b'{"model":"m","input":"hi"}', **changes: object) -> Exchange:
    fields = {
        "dialect": "openai_responses",
        "request": json_body(body),
        "response": json_body(RESPONSE),
    }
    return exchange(**fields | changes)  # type: ignore[arg-type]  # fields of the struct


def test_a_response_is_kept_whole() -> None:
    """With its owner, who made it, the request and the answer as they were."""
    found = kept(response())

    assert found is not None
    assert (found.response_id, found.client, found.user_path) == ("resp_1", "master", "/team/ann")
    assert (found.provider, found.request) == ("sim", b'{"model":"m","input":"hi"}')
    assert found.answer == RESPONSE
    assert msgspec.json.decode(response_of(found) or b"")["id"] == "resp_1"


@pytest.mark.parametrize(
    "found",
    [
        response(b'{"model":"m","input":"hi","store":false}'),
        response(outcome="failed"),
        response(response=None),
        response(response=json_body(b'{"object":"response"}')),
        response(operation="count_tokens"),
        exchange(),
    ],
)
def test_what_is_not_kept(found: Exchange) -> None:
    """What the caller did not want stored, what failed, what has no id, and every other dialect."""
    assert kept(found) is None


@pytest.mark.parametrize(
    ("client", "path", "expected"),
    [
        ("master", "/team/ann", True),
        ("master", "/team", True),
        ("master", "/", True),
        ("master", "/team/an", False),
        ("master", "/team/ann/x", False),
        ("other", "/team/ann", False),
        (None, "/team/ann", False),
    ],
)
def test_who_may_see_it(client: str | None, path: str, expected: bool) -> None:
    """The same key, at the same user path or above it."""
    found = Kept(request_id="r", client="master", user_path="/team/ann")

    assert may_read(found, client, path) is expected
