"""Usage, audit, managed keys and budgets in the admin API: S06 to S10, S64, S65, S68, S75, S77, S78, S86 to
S89."""

import json
import time
from typing import Any

import httpx

from tests.gomodel.world import ADMIN, Json, World, becomes, error_of

MODEL = "openai/gpt-4o-mini"


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
        # An answer from the cache would cost nothing.
        body = {"model": MODEL, "messages": [turn("user", f"Too dear at {time.time_ns()}")]}
        answer = world.post("/v1/chat/completions", body, x_gomodel_user_path="/s87/team")
        return answer if answer.status_code == 429 else None

    refused = becomes(refusal)

    assert error_of(refused)["code"] == "budget_exceeded"
    assert "/s87 daily" in error_of(refused)["message"]
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    asked(world, "/s87-other", f"s87-{time.time_ns()}")

    assert world.client.delete(f"{ADMIN}/budgets/%2Fs87/daily").status_code < 300


def guarded(world: World, name: str) -> Json:
    """A workflow for the user path of that name, with a guardrail that says its own system prompt."""
    config = {"mode": "override", "content": f"Prompt of {name}"}
    rule = put(world, f"guardrails/{name}", {"type": "system_prompt", "config": config})
    assert rule.status_code == 200, rule.text
    payload = {"schema_version": 1, "guardrails": [{"ref": name, "step": 10}]}
    body = {"name": name, "scope_user_path": f"/{name}", "workflow_payload": payload}
    made = world.post(f"{ADMIN}/workflows", body)
    assert made.status_code == 201, made.text
    found: Json = made.json()
    return found


def sent_below(world: World, path: str, body: Json, name: str, wanted: str) -> Json:
    """What the provider got, once workers follow what was set."""

    def found() -> Json | None:
        mark = f"{name} {time.time_ns()}"
        where = "/v1/responses" if "input" in body else "/v1/chat/completions"
        told = (
            {"input": mark}
            if "input" in body
            else {"messages": [turn("system", "Mine"), turn("user", mark)]}
        )
        answer = world.post(where, body | told, x_gomodel_user_path=path)
        assert answer.status_code == 200, answer.text
        sent = world.sent(mark)
        return sent if wanted in json.dumps(sent) else None

    value: Json = becomes(found)
    return value


def turn(role: str, content: str) -> Json:
    return {"role": role, "content": content}


def test_gm_s56_gm_s58_a_guardrail_of_chats(world: World) -> None:
    """It replaces the system prompt of what its workflow is for, and stands in the document."""
    guarded(world, "s56")

    sent = sent_below(world, "/s56/team", {"model": MODEL}, "s56", "Prompt of s56")

    assert sent["messages"][0]["content"] == "Prompt of s56"
    assert "Mine" not in json.dumps(sent)
    asked(world, "/s56/team", "s56-request")
    (verdict,) = world.stored("s56-request")["guardrails"]
    assert (verdict["name"], verdict["action"]) == ("s56", "changed")


def test_gm_s57_a_guardrail_of_responses(world: World) -> None:
    """The same of the Responses API: its instructions."""
    guarded(world, "s57")

    sent = sent_below(world, "/s57", {"model": MODEL, "input": ""}, "s57", "Prompt of s57")

    assert sent["instructions"] == "Prompt of s57"


def test_gm_s67_gm_s76_gm_s79_workflows(world: World) -> None:
    """One is shown by its id; a bad user path is refused by its name; a deactivated one is listed no more."""
    made = guarded(world, "s67")
    payload: Json = {"schema_version": 1}
    bad = {"name": "s76", "scope_user_path": "/team/../alpha", "workflow_payload": payload}

    shown = world.get(f"{ADMIN}/workflows/{made['id']}").json()
    refused = world.post(f"{ADMIN}/workflows", bad)
    again = guarded(world, "s67")
    ended = world.post(f"{ADMIN}/workflows/{again['id']}/deactivate", {})

    assert (shown["scope_type"], shown["scope_display"], shown["version"]) == ("path", "/s67", 1)
    assert shown["effective_features"]["guardrails"] is True
    assert refused.status_code == 400
    assert "invalid scope_user_path" in refused.json()["detail"]
    assert (again["version"], ended.status_code) == (2, 204)
    listed = [each["name"] for each in world.get(f"{ADMIN}/workflows").json()]
    assert "s67" not in listed
    every = world.get(f"{ADMIN}/workflows?inactive=true").json()
    assert {each["version"] for each in every if each["name"] == "s67"} == {1, 2}


def test_guardrails_are_described_kept_and_protected(world: World) -> None:
    """Each type tells its fields; what is wrong is refused by name; one that a workflow has is not deleted."""
    types = {each["type"]: each for each in world.get(f"{ADMIN}/guardrails/types").json()}
    required = {each["key"] for each in types["webhook"]["fields"] if each["required"]}
    assert required == {"url"}
    inputs = {each["key"]: each["input"] for each in types["regex"]["fields"]}
    assert (inputs["patterns"], inputs["roles"], inputs["action"]) == ("list", "choices", "select")
    wrong = put(world, "guardrails/wrong", {"type": "regex", "config": {"patterns": ["("]}})
    assert (wrong.status_code, wrong.json()["param"]) == (400, "config")
    made = guarded(world, "kept")
    assert world.client.delete(f"{ADMIN}/guardrails/kept").status_code == 409

    assert world.post(f"{ADMIN}/workflows/{made['id']}/deactivate", {}).status_code == 204
    assert world.client.delete(f"{ADMIN}/guardrails/kept").status_code == 204
    names = [each["name"] for each in world.get(f"{ADMIN}/guardrails").json()]
    assert "kept" not in names
