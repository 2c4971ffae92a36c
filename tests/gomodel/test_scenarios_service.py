"""Health, metrics and the list of models: S01 to S03, S15."""

from tests.gomodel.world import World, said


def test_gm_s01_health(world: World) -> None:
    """`/health` says ok to everybody."""
    for headers in ({}, {"authorization": "Bearer wrong"}):
        answer = world.get("/health", **headers)

        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_gm_s02_metrics(world: World) -> None:
    """`/metrics` has Prometheus' text, with what was asked, for everybody."""
    assert said(world.chat("openai/gpt-4o-mini", "Count me")) == "Count me"

    answer = world.get("/metrics", authorization="")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE" in answer.text


def test_gm_s03_models(world: World) -> None:
    """The list has `<instance>/<model>`, sorted, each with its owner; one needs the key for it."""
    answer = world.get("/v1/models")
    listed = answer.json()
    names = [model["id"] for model in listed["data"]]

    assert listed["object"] == "list"
    assert names == sorted(names)
    assert {"openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6", "sim/sim-echo"} <= set(names)
    for model in listed["data"]:
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
        if "/" in model["id"]:
            assert model["owned_by"] == model["id"].partition("/")[0]
    assert world.get("/v1/models", authorization="").status_code == 401


def test_gm_s15_aliases_are_listed(world: World) -> None:
    """An alias is an entry under its own name, and is found by it."""
    names = {model["id"] for model in world.get("/v1/models").json()["data"]}

    assert {"smart", "careful"} <= names
    assert world.get("/v1/models/smart").json()["id"] == "smart"
