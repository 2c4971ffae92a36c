"""Models, their categories and aliases, threads, and the dashboard's switches in the admin API: S04, S05, S11 to
S14, S59, S60, S63."""

import httpx
import pytest

from tests.gomodel.world import ADMIN, Json, World, becomes, output_text, said


def test_gm_s04_models(world: World) -> None:
    """Every model with its provider and who may call it, whoever asks."""
    found = {each["selector"]: each for each in world.told("models")}

    mini = found["openai/gpt-4o-mini"]
    assert (mini["model"]["id"], mini["provider_type"]) == ("gpt-4o-mini", "openai")
    assert (mini["provider_name"], mini["model"]["owned_by"]) == ("openai", "openai")
    assert mini["access"] == {
        "selector": "openai/gpt-4o-mini",
        "default_enabled": True,
        "effective_enabled": True,
        "user_paths": [],
    }
    assert found["xai/grok-3-mini"]["access"]["override"] == {
        "selector": "xai/grok-3-mini",
        "user_paths": ["/"],
    }
    assert "smart" not in found


def test_gm_s05_categories(world: World) -> None:
    """How many models there are of each, and which."""
    found = {each["category"]: each["count"] for each in world.told("models/categories")}

    assert list(found) == [
        *("all", "text_generation", "embedding", "image", "audio", "video", "utility"),
    ]
    assert (found["embedding"], found["all"]) == (2, found["text_generation"] + 2)
    assert {each["selector"] for each in world.told("models", category="embedding")} == {
        "openai/text-embedding-3-small",
        "gemini/gemini-embedding-001",
    }
    unknown = world.get(f"{ADMIN}/models?category=levitation")
    assert (unknown.status_code, unknown.json()["param"]) == (400, "category")


def test_gm_s11_a_thread(world: World) -> None:
    """The Responses that went on with each other, whichever of them is named; a chat stands alone."""
    first = world.respond("openai/gpt-4o-mini", "Begin s11")
    second = world.respond(
        "openai/gpt-4o-mini", "Go on s11", previous_response_id=first.json()["id"]
    )
    assert output_text(second.json()) == "Go on s11"
    ids = [each.headers["sluice-request-id"] for each in (first, second)]

    def thread(anchor: str, length: int) -> list[Json]:
        """As soon as so many are stored."""
        return list(becomes(lambda: stored(anchor, length)))

    def stored(anchor: str, length: int) -> list[Json] | None:
        found = world.told("audit/conversation", log_id=anchor, limit="5")
        assert found["anchor_id"] == anchor
        entries: list[Json] = found["entries"]
        return entries if len(entries) == length else None

    for anchor in ids:
        entries = thread(anchor, 2)
        assert [each["id"] for each in entries] == ids
        assert [each["data"]["request_body"]["input"] for each in entries] == [
            "Begin s11",
            "Go on s11",
        ]
    alone = world.chat("openai/gpt-4o-mini", "Alone s11").headers["sluice-request-id"]
    assert [each["id"] for each in thread(alone, 1)] == [alone]
    assert world.get(f"{ADMIN}/audit/conversation").status_code == 400


@pytest.mark.parametrize(
    ("name", "model", "provider"),
    [
        ("qa-gpt-latest", "gpt-4o-mini", "openai"),
        ("qa/sonnet-thinking", "claude-sonnet-4-6", "anthropic"),
    ],
)
def test_gm_s12_gm_s13_gm_s14_gm_s59_gm_s60_aliases(
    world: World, name: str, model: str, provider: str
) -> None:
    """One is made, listed, called, seen among the models, switched off and on, and deleted."""
    path = f"{ADMIN}/aliases/{name.replace('/', '%2F')}"
    body = {"target_model": model, "target_provider": provider, "description": "For a test"}

    made = world.put(path, body)

    assert made.status_code == 200, made.text
    listed = {each["name"]: each for each in world.told("aliases")}
    assert {key: listed[name][key] for key in ("resolved_model", "provider_type", "valid")} == {
        "resolved_model": f"{provider}/{model}",
        "provider_type": provider,
        "valid": True,
    }
    assert listed[name].items() >= (body | {"enabled": True, "source": "admin"}).items()
    assert listed["smart"]["source"] == "config.yaml"
    assert name in ids(world)

    def called() -> httpx.Response | None:
        answer = world.chat(name, f"Say {name}")
        return answer if answer.status_code == 200 else None

    assert said(becomes(called)) == f"Say {name}"
    off = world.put(path, body | {"enabled": False})
    assert (off.json()["enabled"], off.json()["created_at"]) == (False, made.json()["created_at"])
    assert name not in ids(world)

    assert world.delete(path).status_code == 204
    assert world.delete(path).status_code == 404
    assert world.get(path).status_code == 404
    assert becomes(lambda: world.chat(name, f"Ask {name}").status_code == 404)


def ids(world: World) -> set[str]:
    return {each["id"] for each in world.get("/v1/models").json()["data"]}


def test_aliases_that_cannot_be(world: World) -> None:
    """Each is refused by the name of what is wrong; one of `config.yaml` is not deleted; what nobody has may be
    said, and is told as not valid."""
    for name, body, param in (
        ("bad", {}, "target_model"),
        ("bad", {"target_model": "bad"}, "target_model"),
        ("bad", {"targets": [{"model": "gpt-4o-mini", "weight": -1}]}, "targets"),
        ("%20", {"target_model": "gpt-4o-mini"}, "name"),
    ):
        refused = world.put(f"{ADMIN}/aliases/{name}", body)
        assert (refused.status_code, refused.json()["param"]) == (400, param)
    kept = world.delete(f"{ADMIN}/aliases/smart")
    assert (kept.status_code, "config.yaml" in kept.json()["detail"]) == (404, True)

    dream = world.put(f"{ADMIN}/aliases/dream", {"target_model": "nobody-has-it"}).json()
    assert (dream["valid"], dream["resolved_model"]) == (False, "nobody-has-it")
    assert world.delete(f"{ADMIN}/aliases/dream").status_code == 204


def test_gm_s63_switches(world: World) -> None:
    """The dashboard asks with a key which features are on; no address is told."""
    found = world.told("dashboard/config")

    assert found == {
        "FEATURE_FALLBACK_MODE": "manual",
        "LOGGING_ENABLED": "on",
        "USAGE_ENABLED": "on",
        "BUDGETS_ENABLED": "on",
        "GUARDRAILS_ENABLED": "on",
        "CACHE_ENABLED": "on",
        "REDIS_URL": "off",
        "SEMANTIC_CACHE_ENABLED": "off",
    }
    assert httpx.get(f"{world.stack.url}{ADMIN}/dashboard/config").status_code == 401
