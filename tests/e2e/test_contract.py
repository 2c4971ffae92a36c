"""A running gateway against what it says of itself: who may ask, what is refused, and that nothing fails."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.brokers import embedded_broker
from tests.gateway import Background
from tests.stack import Stack

MASTER = "sk-contract-master"
API = "/admin/api/v1"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """All roles on a broker of their own: what is set here by chance is nobody else's."""
    folder = tmp_path_factory.mktemp("contract")
    background, block = Background(), AsyncExitStack()

    async def started() -> Stack:
        broker = await block.enter_async_context(embedded_broker(folder))
        stack = Stack(
            folder,
            broker.bootstrap,
            "llm.",
            GOMODEL_MASTER_KEY=MASTER,
            INGRESS_PUBLISH_TIMEOUT="10s",  # a busy machine is no outage of the log
            RESPONSE_CACHE_SIMPLE_ENABLED="true",
            SPOOL_DIR=str(folder / "spool"),
        )
        block.callback(stack.erase)
        await stack.start_all()
        return stack

    try:
        yield background.run(started()).url
    finally:
        background.run(block.aclose())
        background.close()


@pytest.fixture
def admin(url: str) -> Iterator[httpx.Client]:
    with asking(url, MASTER) as found:
        yield found


def asking(url: str, key: str | None) -> httpx.Client:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=url, headers=headers, timeout=60)


def operations(client: httpx.Client) -> Iterator[tuple[str, str, Json]]:
    """Method, an example of its path, and what is said of each operation."""
    for path, item in client.get("/openapi.json").json()["paths"].items():
        filled = path.replace("{period}", "daily").replace("{partition}/{offset}", "0/0")
        filled = filled.replace("{name}", "none").replace("{user_path}", "none")
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), filled, operation


def test_who_may_ask(url: str, admin: httpx.Client) -> None:
    """Of every operation of the admin API: 401 without a key and with a wrong one, 403 with a key whose role
    may not, and not with one whose role may; each refusal is a problem as RFC 9457 has it."""
    roles = ("client", "analyst", "admin")
    keys = {
        role: admin.post(f"{API}/auth-keys", json={"name": role, "role": role}).json()["value"]
        for role in roles
    }
    wrong, seen = [], 0
    with asking(url, None) as client:
        governed = [each for each in operations(admin) if "x-sluice-role" in each[2]]
        for method, path, operation in governed:
            least = roles.index(operation["x-sluice-role"])
            expected = {None: 401, "sk-sluice-none": 401} | {
                keys[role]: 403 for role in roles[:least]
            }
            for key, status in expected.items():
                headers = {} if key is None else {"authorization": f"Bearer {key}"}
                found = client.request(method, path, headers=headers)
                problem = found.headers["content-type"] == "application/problem+json"
                if found.status_code != status or not problem:
                    wrong.append((method, path, status, found.status_code))
                seen += 1
            if least and method == "GET" and operation["operationId"] != "watch":
                headers = {"authorization": f"Bearer {keys[roles[least]]}"}
                status = client.get(path, headers=headers).status_code
                # What has no name in its path is there, be it empty; 400: it takes a parameter.
                there = (200, 400, 404) if "/none" in path or "/0/0" in path else (200, 400)
                if status not in there:
                    wrong.append((method, path, 200, status))

    assert wrong == []
    assert seen > 150


# Bodies by which an object comes to be, and what of it is wrong.
OBJECTS: dict[str, tuple[Json, Json]] = {
    "PUT /budgets/contract/daily": ({"amount": 5}, {"amount": -1}),
    "PUT /budgets/settings": ({"daily_reset_hour": 3}, {"daily_reset_hour": 24}),
    "PUT /limits/contract": ({"user_path": "/contract", "requests": 9}, {"requests": "many"}),
    "PUT /guardrails/contract": (
        {"type": "system_prompt", "config": {"content": "Be short."}},
        {"type": "system_prompt", "config": {}},
    ),
    "PUT /aliases/contract": ({"target_model": "sim/sim-echo"}, {"target_model": " "}),
    "PUT /routing/contract": ({"rules": []}, {"rules": [{"when": "nonsense("}]}),
    "PUT /model-pricing-overrides/sim": (
        {"pricing": {"input_per_mtok": 1}},
        {"pricing": {"input_per_mtok": -1}},
    ),
    "PATCH /auth-keys/{id}": ({"description": "changed"}, {"role": "emperor"}),
    "POST /auth-keys/{id}/rotate": ({"overlap_seconds": 1}, {"overlap_seconds": -1}),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_are_set_changed_and_refused(admin: httpx.Client, name: str) -> None:
    """What is right is done and tells its version; what is wrong is 400, JSON or not; who means another
    version than there is is told 409, and nothing has changed."""
    method, _, place = name.partition(" ")
    good, bad = OBJECTS[name]
    made = admin.post(f"{API}/auth-keys", json={"name": name}).json()["id"]
    path = API + place.replace("{id}", made)

    first = admin.request(method, path, json=good)
    assert first.status_code == 200, first.text
    version = first.headers["etag"]
    assert admin.request(method, path, json=bad).status_code == 400
    assert admin.request(method, path, content=b"{").status_code == 400
    assert admin.request(method, path, json=[]).status_code == 400
    again = admin.request(method, path, json=good, headers={"if-match": version})
    assert again.status_code == 200, again.text
    late = admin.request(method, path, json=good, headers={"if-match": version})
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    assert late.headers["content-type"] == "application/problem+json"
    if not place.endswith(("settings", "rotate")):
        held = admin.delete(path, headers={"if-match": version})
        gone = admin.delete(path, headers={"if-match": again.headers["etag"]})
        assert (held.status_code, gone.status_code) == (409, 204)


def test_what_is_done_is_done_or_refused(admin: httpx.Client) -> None:
    """Operations that set no object: done, refused for what is wrong with them, or for what is there."""

    def post(path: str, said: Json) -> httpx.Response:
        return admin.post(API + path, json=said)

    budget = {"user_path": "/contract-actions", "period": "daily"}
    admin.put(f"{API}/budgets/contract-actions/daily", json={"tokens": 5})
    assert post("/budgets/reset-one", budget).json()["last_reset_at"]
    assert post("/budgets/reset-one", budget | {"period": "never"}).status_code == 400
    assert post("/budgets/reset-one", budget | {"period": "hourly"}).status_code == 404
    assert post("/budgets/reset", {}).status_code == 400
    assert post("/budgets/reset", {"confirmation": "reset"}).status_code == 200

    value = {"name": "brought along", "value": f"sk-sluice-{'contract' * 4}"}
    key = post("/auth-keys", value)
    assert key.status_code == 201
    assert post("/auth-keys", value).status_code == 409
    assert post("/auth-keys", {"nam": "mistyped"}).status_code == 400
    place = f"/auth-keys/{key.json()['id']}"
    assert post(f"{place}/deactivate", {}).status_code == 204
    assert post(f"{place}/rotate", {}).status_code == 409

    flow = {"name": "contract", "scope_user_path": "/contract-actions", "workflow_payload": {}}
    made = post("/workflows", flow)
    assert (made.status_code, made.json()["version"]) == (201, 1)
    assert post("/workflows", flow).json()["version"] == 2
    unknown = {"guardrails": [{"ref": "no-such"}]}
    assert post("/workflows", flow | {"workflow_payload": unknown}).status_code == 400
    assert post(f"/workflows/{made.json()['id']}/deactivate", {}).status_code == 204
    assert post("/workflows/none/deactivate", {}).status_code == 404

    guard = {"type": "system_prompt", "config": {"content": "Be short."}}
    admin.put(f"{API}/guardrails/contract-used", json=guard).raise_for_status()
    using = flow | {"workflow_payload": {"guardrails": [{"ref": "contract-used"}]}}
    assert post("/workflows", using).status_code == 201
    assert admin.delete(f"{API}/guardrails/contract-used").status_code == 409

    assert admin.delete(f"{API}/cache", params={"tag": "x"}).status_code == 202
    assert admin.delete(f"{API}/cache", params={"tags": "x"}).status_code == 400
    assert post("/dead-letters/redrive", {}).status_code == 400
    assert post("/dead-letters/redrive", {"letters": ["9"], "dry_run": True}).status_code == 404
    assert post("/replays", {"model": "sim-echo", "limit": 0}).status_code == 400
    begun = post("/replays", {"model": "sim-echo", "dry_run": True})
    assert begun.status_code == 202
    assert admin.get(begun.headers["location"]).json()["id"] == begun.json()["id"]
    assert admin.delete(begun.headers["location"]).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_time_that_is_none(admin: httpx.Client, method: str) -> None:
    """It is 400, though it is seen when the log was opened only: one that is closed at once is no 500."""
    found = admin.request(method, f"{API}/requests/none", params={"since": "nonsense"})

    assert (found.status_code, found.json()["code"]) == (400, "invalid_request")


# They end when their reader goes.
ENDLESS = {"watch", "resumeRequest"}
EXAMPLES = 3
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


def test_nothing_that_may_be_asked_fails(url: str) -> None:
    """Requests that schemathesis makes of the document, the same each time: no operation answers with a
    5xx, and each answer has the status, the media type and the shape that are promised."""
    found = httpx.get(f"{url}/openapi.json").json()
    schema = schemathesis.openapi.from_dict(found)
    cases: list[schemathesis.Case] = []
    for each in schema.get_all_operations():
        operation = each.ok()
        name = operation.definition.raw["operationId"]
        # What is the same under another path is asked once.
        if name not in ENDLESS and "Below" not in name:
            cases += examples(operation)
    with ThreadPoolExecutor(4) as pool:  # some wait for what may yet come
        wrong = [each for each in pool.map(partial(failure, url), cases) if each is not None]

    assert wrong == []
    assert len(cases) > 200


def examples(operation: Any) -> list[schemathesis.Case]:
    """A few requests. They are made one after the other: the parser of Python 3.11 bears no threads."""
    made: list[schemathesis.Case] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def make(case: schemathesis.Case) -> None:
        made.append(case)

    run: Callable[[], None] = make
    run()
    return made


def failure(url: str, case: schemathesis.Case) -> str | None:
    """What is wrong with an answer."""
    answer = case.call(base_url=url, headers={"authorization": f"Bearer {MASTER}"}, timeout=60)
    try:
        case.validate_response(answer, checks=list(CHECKS))
    except BaseExceptionGroup as error:  # one for each check
        return f"{case.method} {case.formatted_path} {answer.status_code}: {error.exceptions}"
    return None
