"""Routing through the admin API: said at one ingress, in force with the workers and at the other."""

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.e2e.log import outcome_of, tail
from tests.gateway import KEY, Gateway
from tests.stack import until

SETS = "/admin/api/v1/routing"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def clients(gateway: Gateway) -> AsyncIterator[list[httpx.AsyncClient]]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with (
        httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as first,
        httpx.AsyncClient(base_url=gateway.second, headers=headers, timeout=60) as second,
    ):
        yield [first, second]


async def test_from_put_to_delete(clients: list[httpx.AsyncClient]) -> None:
    """A rule and an alias are in force everywhere without a restart, change, and go."""
    admin, other = clients
    name = f"set-{uuid.uuid4()}"
    place = f"{SETS}/{name}"

    async def answered_by(model: str) -> str | None:
        found = await other.post("/v1/chat/completions", json={"model": model, "messages": HELLO})
        return found.headers.get("sluice-model") if found.status_code == 200 else None

    async def becomes(model: str, expected: str | None) -> None:
        async def so() -> bool:
            return await answered_by(model) == expected

        await until(so)

    def rules(use: str) -> dict[str, object]:
        rule = {"name": name[:20], "when": f'model == "{name}"', "use": use}
        return {"rules": [rule], "aliases": {f"{name}-alias": use}}

    assert await answered_by(name) is None
    made = await admin.put(place, json=rules("sim/sim-lorem-3"))
    assert made.status_code == 200, made.text
    await becomes(name, "sim-lorem-3")
    await becomes(f"{name}-alias", "sim-lorem-3")
    listed = (await other.get("/v1/models")).json()["data"]
    assert f"{name}-alias" in {each["id"] for each in listed}

    changed = await admin.put(
        place, json=rules("sim/sim-lorem-4"), headers={"if-match": made.headers["etag"]}
    )
    assert changed.status_code == 200, changed.text
    await becomes(name, "sim-lorem-4")
    late = await admin.put(place, json={}, headers={"if-match": made.headers["etag"]})
    wrong = await admin.put(place, json={"rules": [{"use": "m", "when": "modell"}]})
    assert (late.status_code, wrong.status_code) == (409, 400)
    assert wrong.headers["content-type"] == "application/problem+json"
    assert "`when` is no condition" in wrong.json()["detail"]
    assert (await admin.get(place)).json()["rules"] == rules("sim/sim-lorem-4")["rules"]
    assert await answered_by(name) == "sim-lorem-4"
    assert name in {each["name"] for each in (await admin.get(SETS)).json()["sets"]}

    assert (await admin.delete(place)).status_code == 204
    await becomes(name, None)
    assert (await admin.get(place)).status_code == 404


async def test_a_route_that_finishes(gateway: Gateway, clients: list[httpx.AsyncClient]) -> None:
    """What its client leaves goes on to its outcome; another route's is cancelled, and so is what somebody
    asks to end."""
    admin, _ = clients
    name = f"finish-{uuid.uuid4()}"
    rules = [
        {"name": name[:20], "when": f'model == "{name}"', "use": "sim/sim-60-lorem-20"}
        | {"on_disconnect": "finish"},
        # Long enough to be running yet when they are ended.
        {"name": name[:19], "when": f'model == "{name}-not"', "use": "sim/sim-60-lorem-500"},
        {"name": name[:18], "when": f'model == "{name}-long"', "use": "sim/sim-60-lorem-500"}
        | {"on_disconnect": "finish"},
    ]
    assert (await admin.put(f"{SETS}/{name}", json={"rules": rules})).status_code == 200

    async def left(model: str) -> str:
        body = {"model": model, "messages": HELLO, "stream": True}
        async with admin.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert answer.status_code == 200
            await anext(answer.aiter_raw())
            return answer.headers["sluice-request-id"]

    async def known() -> bool:
        body = {"model": name, "messages": HELLO}
        return (await admin.post("/v1/chat/completions", json=body)).status_code == 200

    await until(known)
    topics = gateway.stack.topics
    async with tail(gateway.stack.bootstrap, topics.exchanges) as reading:
        finishing, going, asked = (
            await left(name),
            await left(f"{name}-not"),
            await left(f"{name}-long"),
        )
        await admin.delete(f"/admin/api/v1/requests/{asked}")
        found = [await outcome_of(reading, topics, each) for each in (finishing, going, asked)]
    await admin.delete(f"{SETS}/{name}")

    assert [each.outcome for each in found] == ["completed", "cancelled", "cancelled"]
