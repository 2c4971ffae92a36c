"""Managed keys through the admin API: made at one ingress, in force at the other."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import services
from tests.brokers import embedded_broker
from tests.e2e.log import outcome_of, tail
from tests.gateway import KEY, Gateway
from tests.stack import Stack, until

KEYS = "/admin/api/v1/auth-keys"
CHAT = {"model": "sim-echo", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
async def admin(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with client(gateway.url, KEY) as found:
        yield found


def client(url: str, key: str | None) -> httpx.AsyncClient:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=30)


async def make(admin: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await admin.post(KEYS, json={"name": "a test's"} | fields)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ask(
    url: str, key: str | None, headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    async with client(url, key) as asking:
        return await asking.post("/v1/chat/completions", json=CHAT | fields, headers=headers)


async def status_becomes(url: str, key: str, status: int) -> None:
    """The other ingress hears of a change by itself, within a second; a busy machine may take longer."""

    async def heard() -> bool:
        return (await ask(url, key)).status_code == status

    await until(heard)


async def test_a_key_is_made_and_used(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    """Its value is told once; its requests are its own in the documents, with its user path."""
    made = await make(admin, user_path="team/alpha/", metadata={"cost": "42"}, role="client")
    value = made["value"]
    assert value.startswith("sk-sluice-")
    assert made["redacted_value"] == f"sk-sluice-...{value[-4:]}"
    assert (made["user_path"], made["active"], made["enabled"]) == ("/team/alpha", True, True)
    assert "secret_hash" not in made
    listed = (await admin.get(KEYS)).json()
    assert value not in str(listed)
    assert made["id"] in [each["id"] for each in listed]
    await status_becomes(gateway.second, value, 200)
    topics = gateway.stack.topics
    async with tail(gateway.stack.bootstrap, topics.exchanges) as reading:
        for header, said, path in (
            ("x-sluice-user-path", "/team/alpha/bob", "/team/alpha/bob"),
            ("x-gomodel-user-path", "/elsewhere", "/team/alpha"),
        ):
            answer = await ask(gateway.url, value, {header: said})
            assert answer.status_code == 200
            found = await outcome_of(reading, topics, answer.headers["sluice-request-id"])
            assert (found.client, found.user_path) == (made["id"], path)
    for path in (KEYS, f"{KEYS}/{made['id']}"):
        async with client(gateway.url, value) as asking:
            refused = await asking.get(path)
        assert refused.status_code == 403
        assert refused.headers["content-type"] == "application/problem+json"
        problem = refused.json()
        assert (problem["status"], problem["code"], problem["title"]) == (
            403,
            "permission_denied",
            "Forbidden",
        )


async def test_deactivated_and_deleted_keys_end_everywhere(
    gateway: Gateway, admin: httpx.AsyncClient
) -> None:
    """As soon as the admin API has answered here, a moment later at the other ingress."""
    made, other = await make(admin), await make(admin)
    for each in (made, other):
        await status_becomes(gateway.second, each["value"], 200)
    done = await admin.post(f"{KEYS}/{made['id']}/deactivate")
    assert (done.status_code, done.content) == (204, b"")
    assert (await admin.delete(f"{KEYS}/{other['id']}")).status_code == 204
    for each in (made, other):
        assert (await ask(gateway.url, each["value"])).status_code == 401
        await status_becomes(gateway.second, each["value"], 401)
    shown = (await admin.get(f"{KEYS}/{made['id']}")).json()
    assert (shown["active"], shown["enabled"]) == (False, False)
    assert (await admin.get(f"{KEYS}/{other['id']}")).status_code == 404
    assert (await admin.post(f"{KEYS}/{made['id']}/rotate")).status_code == 409


async def test_a_key_is_rotated_with_an_overlap(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    """The former value is taken beside the new one, unless no overlap is wanted."""
    made = await make(admin)
    first = made["value"]
    rotated = (
        await admin.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": 600})
    ).json()
    second = rotated["value"]
    assert first != second
    assert len(rotated["former"]) == 1
    assert [(await ask(gateway.url, each)).status_code for each in (first, second)] == [200, 200]
    third = (await admin.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": 0})).json()[
        "value"
    ]
    answers = [(await ask(gateway.url, each)).status_code for each in (first, second, third)]
    assert answers == [200, 401, 200]


async def test_what_a_key_may_do_is_changed(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    """Models, endpoints and addresses, each refused with its own status; what is not said stays."""
    made = await make(admin, models=["sim-echo"], metadata={"a": "b"})
    value, path = made["value"], f"{KEYS}/{made['id']}"
    assert (await ask(gateway.url, value)).status_code == 200
    denied = await ask(gateway.url, value, model="sim-lorem-3")
    assert (denied.status_code, denied.json()["error"]["code"]) == (400, "model_access_denied")
    version = (await admin.get(path)).headers["etag"]
    changed = await admin.patch(
        path,
        json={"models": ["sim/sim-*"], "endpoints": ["/v1/models"]},
        headers={"if-match": version},
    )
    assert changed.status_code == 200
    assert (changed.json()["models"], changed.json()["metadata"]) == (["sim/sim-*"], {"a": "b"})
    assert (await ask(gateway.url, value)).status_code == 403
    late = await admin.patch(path, json={"models": []}, headers={"if-match": version})
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    await admin.patch(path, json={"endpoints": []})
    assert (await ask(gateway.url, value)).status_code == 200
    await admin.patch(path, json={"ips": ["10.0.0.0/8"]})
    assert (await ask(gateway.url, value)).status_code == 401


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a", "user_path": "/a/../b"}, None),
        ({"name": "a", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "a", "ips": ["10.0.0.0/99"]}, "ips"),
        ({"name": "a", "value": "sk-short"}, "value"),
        ({"name": "a", "role": "king"}, None),
        ({"name": "a", "unheard": 1}, None),
        ({"name": 1}, None),
    ],
    ids=["nothing", "blank", "path", "time", "network", "value", "role", "unknown", "type"],
)
async def test_what_is_no_key_is_refused(
    admin: httpx.AsyncClient, fields: dict[str, Any], param: str | None
) -> None:
    """400 as a problem that names what is wrong."""
    answer = await admin.post(KEYS, json=fields)

    assert answer.status_code == 400, answer.text
    assert answer.json().get("param") == param


async def test_a_key_that_clients_have_already(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    """A value brought along is taken, GoModel's form too, and only once; a day of expiry is meant whole."""
    value = f"sk_gom_{services.free_port()}{'x' * 30}"
    made = await make(admin, value=value, expires_at="2099-12-31")
    assert made["expires_at"] == "2100-01-01T00:00:00.000000Z"
    assert (await ask(gateway.url, value)).status_code == 200
    assert (await admin.post(KEYS, json={"name": "b", "value": value})).status_code == 409


async def test_without_a_master_key_the_first_key_closes_the_admin_api(tmp_path: Path) -> None:
    """It is an admin's, as nobody could make another; the last one cannot be taken away; a restart knows."""
    async with embedded_broker(tmp_path) as broker:
        stack = Stack(tmp_path, broker.bootstrap, "k.")
        try:
            ingress = await stack.start("ingress")
            async with client(stack.url, None) as nobody:
                assert (await nobody.get(KEYS)).json() == []
                refused = await nobody.post(KEYS, json={"name": "first", "role": "client"})
                assert refused.status_code == 409
                made = await make(nobody)
                assert made["role"] == "admin"
                assert (await nobody.get(KEYS)).status_code == 401
            ingress.kill()
            await stack.start("ingress")
            async with client(stack.url, None) as nobody:
                assert (await nobody.get(KEYS)).status_code == 401
            async with client(stack.url, made["value"]) as admin:
                path = f"{KEYS}/{made['id']}"
                for refused in (
                    await admin.post(f"{path}/deactivate"),
                    await admin.delete(path),
                    await admin.patch(path, json={"role": "client"}),
                    await admin.patch(path, json={"expires_at": "2001-01-01"}),
                ):
                    assert refused.status_code == 409
                second = await make(admin, role="admin")
                assert (await admin.delete(path)).status_code == 204
            async with client(stack.url, second["value"]) as admin:
                assert len((await admin.get(KEYS)).json()) == 1
        finally:
            stack.erase()
