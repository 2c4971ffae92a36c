"""Usage, audit, managed keys and budgets in the admin API: S06 to S10, S64, S65, S68, S75, S77, S78, S86 to
S89."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.gomodel.world import SECONDS, Json, World, error_of

ADMIN = "/admin/api/v1"
MODEL = "openai/gpt-4o-mini"


def becomes(found: Callable[[], Any]) -> Any:
    """What that finds, as soon as it is something: sinks and other processes come a moment later."""
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def asked(world: World, path: str, name: str) -> None:
    """One call below a user path of its own."""
    answer = world.post(
        "/v1/chat/completions",
        {"model": MODEL, "messages": [{"role": "user", "content": f"Count {name}"}]},
        x_gomodel_user_path=path,
        x_request_id=name,
    )
    assert answer.status_code == 200, answer.text
    world.stored(name)


def usage(world: World, what: str, path: str, **more: str) -> Any:
    query = httpx.QueryParams({"user_path": path, **more})
    answer = world.get(f"{ADMIN}/usage/{what}?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_gm_s06_summary(world: World) -> None:
    """Requests and tokens of everything below a path; what has no price is counted as such."""
    asked(world, "/s06/team", "s06-request")

    found = becomes(lambda: usage(world, "summary", "/s06"))

    assert found["total_requests"] == 1
    assert found["total_tokens"] == found["total_input_tokens"] + found["total_output_tokens"] > 0
    assert (found["total_cost"], found["unpriced_requests"]) == (None, 1)


def test_gm_s07_daily(world: World) -> None:
    """A row for each day on which something was asked."""
    asked(world, "/s07", "s07-request")

    (day,) = becomes(lambda: usage(world, "daily", "/s07"))

    assert (day["requests"], len(day["date"])) == (1, len("2026-01-01"))


def test_gm_s08_by_model(world: World) -> None:
    """A row for each model of each provider, with GoModel's members."""
    asked(world, "/s08", "s08-request")

    (row,) = becomes(lambda: usage(world, "models", "/s08"))

    assert (row["model"], row["provider"], row["provider_name"]) == (
        "gpt-4o-mini",
        "openai",
        "openai",
    )
    assert {"input_tokens", "output_tokens", "input_cost", "output_cost", "total_cost"} <= set(row)


def test_gm_s09_log_of_usage(world: World) -> None:
    """Single requests, the newest first, by filters and page by page."""
    asked(world, "/s09", "s09-one")
    asked(world, "/s09", "s09-two")
    page = becomes(lambda: usage(world, "log", "/s09", limit="1", model="gpt-4o-mini"))

    assert (page["total"], page["limit"], len(page["entries"])) == (2, 1, 1)
    older = usage(world, "log", "/s09", limit="1", cursor=page["next_cursor"])
    ids = [each["id"] for each in page["entries"] + older["entries"]]
    assert ids == [world.stored(name)["_id"] for name in ("s09-two", "s09-one")]
    assert usage(world, "log", "/s09", model="no-such-model")["entries"] == []


def test_gm_s10_audit(world: World) -> None:
    """What was asked and answered, by the request's id: with both bodies where one is opened."""
    asked(world, "/s10", "s10-request")
    request_id = world.stored("s10-request")["_id"]

    listed = world.get(f"{ADMIN}/audit/log?user_path=/s10").json()["entries"]
    opened = world.get(f"{ADMIN}/audit/log/{request_id}").json()

    assert [each["id"] for each in listed] == [request_id]
    assert listed[0]["status_code"] == 200
    assert opened["data"]["request_body"]["messages"][0]["content"] == "Count s10-request"
    assert opened["data"]["response_body"]["object"] == "chat.completion"


def made(world: World, **fields: Any) -> Json:
    answer = world.post(f"{ADMIN}/auth-keys", fields)
    assert answer.status_code == 201, answer.text
    key: Json = answer.json()
    return key


def with_key(world: World, value: str, **headers: str) -> httpx.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Let me in"}]}
    return world.post("/v1/chat/completions", body, authorization=f"Bearer {value}", **headers)


def test_gm_s64_gm_s65_a_key_is_created_and_listed(world: World) -> None:
    """Its value is told once; the list knows only how it ends."""
    key = made(world, name="s64", user_path="/s64")

    listed = {each["id"]: each for each in world.get(f"{ADMIN}/auth-keys").json()}

    assert key["value"][-4:] in listed[key["id"]]["redacted_value"]
    assert key["value"] not in str(listed)
    assert with_key(world, key["value"]).status_code == 200


def test_gm_s68_the_keys_path_counts(world: World) -> None:
    """A user path in a header cannot lead out of the key's own."""
    key = made(world, name="s68", user_path="/s68/own")

    answer = with_key(
        world, key["value"], x_gomodel_user_path="/s68/other", x_request_id="s68-request"
    )

    assert answer.status_code == 200
    assert world.stored("s68-request")["user_path"] == "/s68/own"


def test_gm_s75_a_bad_user_path(world: World) -> None:
    """`..` is no part of a path."""
    answer = world.post(f"{ADMIN}/auth-keys", {"name": "s75", "user_path": "/team/../alpha"})

    assert answer.status_code == 400
    assert "invalid user_path" in answer.json()["detail"]


def test_gm_s77_gm_s78_a_key_is_deactivated(world: World) -> None:
    """204, and from then on its requests are refused by 401."""
    key = made(world, name="s77")
    assert with_key(world, key["value"]).status_code == 200

    ended = world.post(f"{ADMIN}/auth-keys/{key['id']}/deactivate", {})

    assert ended.status_code == 204
    assert becomes(lambda: with_key(world, key["value"]).status_code == 401)


def put(world: World, path: str, body: Json) -> httpx.Response:
    return world.client.put(f"{ADMIN}/{path}", json=body)


def test_gm_s86_settings_and_validation(world: World) -> None:
    """Settings may be changed one by one; an amount must be above nothing, a period must be one."""
    changed = put(world, "budgets/settings", {"daily_reset_hour": 0})

    assert (changed.status_code, changed.json()["daily_reset_hour"]) == (200, 0)
    assert put(world, "budgets/settings", {"daily_reset_hour": 24}).status_code == 400
    assert put(world, "budgets/%2Fs86/daily", {"amount": 0}).status_code == 400
    assert put(world, "budgets/%2Fs86/sometimes", {"amount": 1}).status_code == 400


def test_gm_s87_gm_s88_gm_s89_a_budget_is_enforced(world: World) -> None:
    """Whatever the store: what a path may spend is reserved before a call, and what does not fit is 429
    with the time to wait; other paths go on."""
    assert put(world, "budgets/%2Fs87/daily", {"tokens": 1}).status_code == 200

    def refusal() -> httpx.Response | None:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Too dear"}]}
        answer = world.post("/v1/chat/completions", body, x_gomodel_user_path="/s87/team")
        return answer if answer.status_code == 429 else None

    refused = becomes(refusal)

    assert error_of(refused)["code"] == "budget_exceeded"
    assert "/s87 daily" in error_of(refused)["message"]
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    asked(world, "/s87-other", f"s87-{time.time_ns()}")

    assert world.client.delete(f"{ADMIN}/budgets/%2Fs87/daily").status_code < 300
