"""Usage and audit through the admin API: what was asked a moment ago, from the store of the gateway."""

import csv
import io
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from msgspec import Struct

from tests.gateway import KEY, Gateway
from tests.stack import until

API = "/admin/api/v1"


class World(Struct):
    """Five requests of one user path, one of them failed, and two keys."""

    admin: httpx.AsyncClient
    path: str
    ids: list[str]
    analyst: str
    client: str
    client_id: str

    async def get(self, route: str, key: str | None = None, **params: Any) -> httpx.Response:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        params = {"user_path": self.path} | params
        return await self.admin.get(f"{API}{route}", params=params, headers=headers)

    async def json(self, route: str, **params: Any) -> Any:
        answer = await self.get(route, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def world(gateway: Gateway) -> AsyncIterator[World]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as admin:
        made = {}
        for role in ("analyst", "client"):
            answer = await admin.post(f"{API}/auth-keys", json={"name": role, "role": role})
            assert answer.status_code == 201, answer.text
            made[role] = answer.json()
        path, ids = f"/usage/{secrets.token_hex(4)}", []
        for number, (model, key, below) in enumerate(
            [
                ("sim-1", KEY, ""),
                ("sim-1", KEY, "/ann"),
                ("sim-echo", KEY, "/ann"),
                ("sim-echo", made["client"]["value"], "/bob"),
                ("sim-no-such", KEY, ""),
            ]
        ):
            answer = await admin.post(
                "/v1/chat/completions",
                json={"model": model, "messages": [{"role": "user", "content": f"Hello {number}"}]},
                headers={"authorization": f"Bearer {key}", "x-sluice-user-path": path + below},
            )
            assert answer.status_code == (404 if model == "sim-no-such" else 200), answer.text
            ids.append(answer.headers["sluice-request-id"])
        found = World(
            admin,
            path,
            [each for each in ids if each],
            made["analyst"]["value"],
            made["client"]["value"],
            made["client"]["id"],
        )

        async def stored() -> bool:
            summary = await found.json("/usage/summary")
            return bool(summary["total_requests"] >= 4)

        await until(stored)
        yield found
        for each in made.values():
            await admin.delete(f"{API}/auth-keys/{each['id']}")


async def test_sums_by_everything(world: World) -> None:
    """Summary, days, models, providers, user paths and keys have the same requests and tokens in them."""
    summary = await world.json("/usage/summary")
    total, tokens = summary["total_requests"], summary["total_tokens"]
    assert total >= 4
    assert tokens == summary["total_input_tokens"] + summary["total_output_tokens"] > 0
    assert summary["latency"]["p50"] > 0
    for route in ("daily", "models", "providers", "user-paths", "keys"):
        rows = await world.json(f"/usage/{route}")
        assert sum(row["requests"] for row in rows) == total, route
        assert sum(row["total_tokens"] for row in rows) == tokens, route
    models = {row["model"]: row["requests"] for row in await world.json("/usage/models")}
    assert (models["sim-1"], models["sim-echo"]) == (2, 2)
    paths = {row["user_path"]: row["requests"] for row in await world.json("/usage/user-paths")}
    assert (paths[f"{world.path}/ann"], paths[f"{world.path}/bob"]) == (2, 1)
    keys = {row["auth_key_id"]: row["requests"] for row in await world.json("/usage/keys")}
    assert keys[world.client_id] == 1
    below = await world.json("/usage/summary", user_path=f"{world.path}/ann", model="sim-echo")
    assert below["total_requests"] == 1
    assert await world.json("/usage/models", cache_mode="cached") == []
    berlin = await world.json("/usage/daily", timezone="Europe/Berlin", interval="monthly")
    assert sum(row["requests"] for row in berlin) == total


async def test_lists_by_pages(world: World) -> None:
    """The newest come first; a cursor leads through all of them, each once, as does an offset."""
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await world.json("/usage/log", limit=2, **cursor)
        seen += [entry["id"] for entry in page["entries"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert page["total"] == len(seen) >= 4
    assert page["total_is_exact"]
    assert seen == sorted(set(seen), reverse=True)
    assert set(world.ids[:4]) <= set(seen)
    by_offset = await world.json("/usage/log", limit=200, offset=1)
    assert [entry["id"] for entry in by_offset["entries"]] == seen[1:]


async def test_the_audit_log(world: World) -> None:
    """Filters find what they say; one entry has its bodies, and the whole document."""
    listed = await world.json("/audit/log", requested_model="sim-echo", auth_key_id=world.client_id)
    (entry,) = listed["entries"]
    assert (entry["id"], entry["auth_key_id"]) == (world.ids[3], world.client_id)
    assert (entry["status_code"], entry["resolved_model"]) == (200, "sim/sim-echo")
    assert "request_body" not in entry["data"]
    assert (await world.json("/audit/log", search=world.ids[0].upper()))["total"] == 1
    assert (await world.json("/audit/log", stream="true"))["total"] == 0
    whole = (await world.admin.get(f"{API}/audit/log/{world.ids[3]}")).json()
    assert whole["data"]["request_body"]["messages"][0]["content"] == "Hello 3"
    assert whole["data"]["response_body"]["choices"]
    assert whole["exchange"]["_id"] == world.ids[3]
    missing = await world.admin.get(f"{API}/audit/log/nothing")
    assert (missing.status_code, missing.json()["status"]) == (404, 404)


async def test_who_may_look(world: World) -> None:
    """An analyst sees everything, a client what is its own, and not the audit log; nobody else anything."""
    routes = ("/usage/summary", "/usage/log", "/audit/log")
    assert [(await world.get(each, world.analyst)).status_code for each in routes] == [200] * 3
    statuses = [(await world.get(each, world.client)).status_code for each in routes]
    assert statuses == [200, 200, 403]
    own = (await world.get("/usage/log", world.client, user_path="/")).json()
    assert [entry["id"] for entry in own["entries"]] == [world.ids[3]]
    assert (await world.get("/usage/summary", world.client, auth_key_id="master")).json()[
        "total_requests"
    ] == 1
    assert [(await world.get(each, "sk-wrong")).status_code for each in routes] == [401] * 3
    assert (await world.get(f"/audit/log/{world.ids[0]}", world.client)).status_code == 403


async def test_tables(world: World) -> None:
    """With `format=csv` the same rows come as CSV."""
    rows = await world.json("/usage/models")
    answer = await world.get("/usage/models", format="csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    found = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["model"] for row in found] == [row["model"] or "" for row in rows]
    assert [int(row["total_tokens"]) for row in found] == [row["total_tokens"] for row in rows]
    for route in ("summary", "daily", "log"):
        assert (await world.get(f"/usage/{route}", format="csv")).text.count("\r\n") >= 2
    assert (await world.get("/audit/log", format="csv")).text.startswith("id,timestamp,")


@pytest.mark.parametrize(
    ("route", "said", "param"),
    [
        ("/usage/summary", {"dais": "3"}, "dais"),
        ("/usage/summary", {"cache_mode": "some"}, "cache_mode"),
        ("/usage/daily", {"interval": "x"}, "interval"),
        ("/usage/log", {"limit": "201"}, "limit"),
        ("/usage/log", {"cursor": "nonsense"}, "cursor"),
        ("/usage/log", {"cursor": "WyJhIiwiYiJd"}, "cursor"),
        ("/usage/log", {"stream": "perhaps"}, "stream"),
        ("/usage/models", {"format": "xml"}, "format"),
        ("/audit/log", {"status_code": "-1"}, "status_code"),
        ("/audit/log", {"timezone": "Mars"}, "x-gomodel-timezone"),
    ],
)
async def test_bad_questions(
    gateway: Gateway, route: str, said: dict[str, str], param: str
) -> None:
    """Problem details name the parameter that is wrong."""
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as asking:
        answer = await asking.get(API + route, params=said)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["param"], answer.json()["status"]) == (param, 400)
