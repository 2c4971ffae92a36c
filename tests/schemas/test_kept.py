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


class TestAsked:
    """What a request asked to be kept is kept, whoever answered and however it ended."""

    def test_any_dialect(self) -> None:
        """With what its answer went out with."""
        found = kept(exchange(keep=True, http_headers={"x-their": "1"}))

        assert found is not None
        assert (found.response_id, found.background) == (None, False)
        assert (found.provider, found.http_headers) == ("sim", {"x-their": "1"})
        assert found.answer

    @pytest.mark.parametrize("outcome", ["failed", "cancelled", "expired"])
    def test_a_failure(self, outcome: str) -> None:
        """It is no Response that another could continue."""
        found = kept(response(keep=True, outcome=outcome, status=500))

        assert found is not None
        assert (found.outcome, found.status, found.response_id) == (outcome, 500, None)

    def test_nothing_was_answered(self) -> None:
        found = kept(exchange(keep=True, response=None))

        assert found is not None
        assert found.answer == b""

    @pytest.mark.parametrize("outcome", ["completed", "failed"])
    def test_in_the_background(self, outcome: str) -> None:
        """Under the name that its caller was told, which is not always the provider's."""
        found = kept(response(b'{"background":true}', keep=True, outcome=outcome))

        assert found is not None
        assert found.background
        assert found.response_id == f"resp_{found.request_id}"

    def test_what_is_not_stored_is_no_response(self) -> None:
        """`store: false`: it is fetched by the id of its request only."""
        found = kept(response(b'{"store":false}', keep=True))

        assert found is not None
        assert found.response_id is None
