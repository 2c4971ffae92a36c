"""Caches, and a workflow that switches them off: S66, S69 to S74, S84, S85."""

import httpx

from tests.gomodel.world import ADMIN, World, becomes, said

MODEL = "openai/gpt-4o-mini"


def chat(world: World, text: str, **headers: str) -> httpx.Response:
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 16}
    return world.post("/v1/chat/completions", body, **headers)


def test_gm_s71_gm_s72_gm_s73_gm_s74_a_kept_answer(world: World) -> None:
    """The second time the kept answer is given, told by `X-Cache`, and counted for its user path with what it
    saved; the usage log has it as cached."""
    path, text = "/s71/cached", "Keep s71"

    first = chat(world, text, x_gomodel_user_path=path, x_request_id="s71-first")
    second = chat(world, text, x_gomodel_user_path=path, x_request_id="s71-second")

    assert (said(first), said(second)) == (text, text)
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT (exact)")
    assert len(world.received(text)) == 1
    used = first.json()["usage"]
    assert world.stored("s71-second")["cache"]["result"] == "exact"

    def counted() -> object:
        found = world.told("cache/overview", days="1", user_path="/s71")
        return found if found["summary"]["total_hits"] else None

    found = becomes(counted)
    summary, (day,) = found["summary"], found["daily"]
    assert (summary["exact_hits"], summary["semantic_hits"]) == (1, 0)
    assert summary["total_input_tokens"] == used["prompt_tokens"]
    assert (day["hits"], day["total_tokens"]) == (1, used["total_tokens"])
    page = world.told("usage/log", days="1", user_path="/s71", cache_mode="cached", limit="5")
    (entry,) = page["entries"]
    assert (page["total"], entry["request_id"], entry["cache_type"]) == (1, "s71-second", "exact")
    assert (entry["endpoint"], entry["user_path"]) == ("/v1/chat/completions", path)
    assert entry["total_tokens"] == used["total_tokens"]


def test_gm_s84_gm_s85_a_kept_response(world: World) -> None:
    """Of the Responses API the same; the kept one has an id of its own, under which it is found again."""
    first = world.respond(MODEL, "Keep s84")
    second = world.respond(MODEL, "Keep s84")

    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT (exact)")
    assert second.json()["output"][0]["content"] == first.json()["output"][0]["content"]
    assert first.json()["id"] != second.json()["id"]
    again = becomes(
        lambda: (
            found
            if (found := world.get(f"/v1/responses/{second.json()['id']}")).status_code == 200
            else None
        )
    )
    assert again.json()["output"] == second.json()["output"]


def test_gm_s66_gm_s69_gm_s70_a_workflow_without_cache(world: World) -> None:
    """Below its user path each request makes a call, also of a key whose path it is; the audit log tells
    the key, the path, the workflow, and of no hit. Elsewhere answers are kept as before."""
    features = {"cache": False, "audit": True, "usage": True, "guardrails": False}
    payload = {"schema_version": 1, "features": features, "guardrails": []}
    made = world.post(
        f"{ADMIN}/workflows",
        {"name": "s66", "scope_user_path": "/s66", "workflow_payload": payload},
    )
    assert made.status_code == 201, made.text
    workflow = made.json()
    assert (workflow["scope_type"], workflow["effective_features"]["cache"]) == ("path", False)
    key = world.post(f"{ADMIN}/auth-keys", {"name": "s66", "user_path": "/s66/team"}).json()

    def ask(name: str) -> httpx.Response:
        bearer = f"Bearer {key['value']}"
        other = "/s66-other"  # does not count: the key's path does
        return chat(
            world, "Pass s66", authorization=bearer, x_gomodel_user_path=other, x_request_id=name
        )

    # The worker follows a moment later; then nothing is given twice.
    becomes(lambda: ask("s66-before").headers["x-cache"] == "BYPASS")
    calls = len(world.received("Pass s66"))
    answers = [ask("s66-one"), ask("s66-two")]

    assert [said(each) for each in answers] == ["Pass s66"] * 2
    assert [each.headers["x-cache"] for each in answers] == ["BYPASS"] * 2
    assert len(world.received("Pass s66")) == calls + 2
    world.stored("s66-two")
    (entry,) = world.told("audit/log", search="s66-two", limit="5")["entries"]
    assert (entry["auth_method"], entry["auth_key_id"]) == ("api_key", key["id"])
    assert (entry["user_path"], entry["cache_type"]) == ("/s66/team", None)
    assert (entry["request_id"], entry["workflow_version_id"]) == ("s66-two", workflow["id"])
    elsewhere = [
        chat(world, "Keep s66", x_gomodel_user_path="/s66-other").headers["x-cache"]
        for _ in range(2)
    ]
    assert elsewhere == ["MISS", "HIT (exact)"]
