"""Everything that goes wrong is an answer, in the form that its caller understands."""

import pytest
from structlog.testing import capture_logs

from tests.ingress.conftest import Catalog, Start


async def test_a_bug_is_logged_and_not_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 without details; the log has them, with the request id that the client got."""
    ingress = await start()

    def fail(self: Catalog, user_path: str) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(Catalog, "models", fail)

    with capture_logs() as logs:
        found = await ingress.client.get("/v1/models", headers={"x-request-id": "mine"})

    assert found.status_code == 500
    assert found.json()["error"]["code"] == "internal_error"
    assert "secret" not in found.text
    assert found.headers["x-request-id"] == "mine"
    failed = next(entry for entry in logs if entry["event"] == "request_failed")
    assert failed["request_id"] == found.headers["sluice-request-id"]
    assert isinstance(failed["exc_info"], ZeroDivisionError)


async def test_a_bug_in_the_chat_path_is_an_answer_too(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And gives back what the request held."""
    ingress = await start()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ingress.intake.envelope", fail)

    found = await ingress.chat()

    assert found.status_code == 500
    assert ingress.gateway.admission.count == ingress.gateway.admission.bytes == 0


async def test_an_error_keeps_a_connection_whose_body_was_read(start: Start) -> None:
    """A caller with bad JSON need not connect again."""
    ingress = await start()

    found = await ingress.client.post("/v1/chat/completions", content=b"{")

    assert found.status_code == 400
    assert found.headers["connection"] == "keep-alive"


async def test_the_name_where_an_sdk_looks_for_it(start: Start) -> None:
    """To callers of Messages a request is named by `request-id`, too; to others by our names only."""
    ingress = await start()
    asked = {"x-request-id": "mine"}
    messages = await ingress.client.get("/v1/messages/nowhere", headers=asked)
    chat = await ingress.client.get("/v1/chat/nowhere", headers=asked)

    assert messages.headers["request-id"] == messages.headers["x-request-id"] == "mine"
    assert "request-id" not in chat.headers


async def test_an_unknown_path_echoes_the_callers_id(start: Start) -> None:
    """Also where no route was found."""
    ingress = await start()

    found = await ingress.client.get("/nowhere", headers={"x-request-id": "mine"})

    assert found.status_code == 404
    assert found.headers["x-request-id"] == "mine"
    assert found.json()["error"] == {
        "message": "There is nothing at this path: see /v1/models and the documentation for the routes.",
        "type": "not_found_error",
        "param": None,
        "code": "not_found",
    }


@pytest.mark.parametrize("prefix", ["", "/ai"])
async def test_below_the_admin_api_everything_is_a_problem(start: Start, prefix: str) -> None:
    """A path that there is not and a method that it does not take, too, as RFC 9457 has it; the
    dashboard's files are none of it."""
    ingress = await start(base_path=prefix)

    missing = await ingress.client.get(f"{prefix}/admin/api/v1/nothing")
    refused = await ingress.client.request("PROPFIND", f"{prefix}/admin/api/v1/budgets")
    file = await ingress.client.get(f"{prefix}/admin/dashboard/nothing.js")

    for found, status in ((missing, 404), (refused, 405)):
        told = found.json()
        assert found.headers["content-type"] == "application/problem+json"
        assert (found.status_code, told["status"]) == (status, status)
        assert told["instance"] == found.headers["sluice-request-id"]
    assert "GET" in refused.headers["allow"]
    assert file.json()["error"]["code"] == "not_found"
