"""GET /v1/models and GET /v1/models/<id>."""

from tests.ingress.conftest import Start


async def test_the_list_is_openais(start: Start) -> None:
    """Every model with id, creation time and owner, in the order of the catalogue."""
    ingress = await start()

    found = await ingress.client.get("/v1/models")

    assert found.status_code == 200
    assert found.headers["x-request-id"]
    assert found.json() == {
        "object": "list",
        "data": [
            {
                "id": "groq/openai/gpt-oss-120b",
                "object": "model",
                "created": 1_700_000_000,
                "owned_by": "groq",
            },
            {"id": "sim/sim-1", "object": "model", "created": 1_700_000_000, "owned_by": "sim"},
        ],
    }


async def test_a_model_is_found_by_either_name(start: Start) -> None:
    """Slashes in the id are part of it, escaped or not."""
    ingress = await start()

    for name in ("groq/openai/gpt-oss-120b", "openai/gpt-oss-120b", "groq%2Fopenai%2Fgpt-oss-120b"):
        found = await ingress.client.get(f"/v1/models/{name}")
        assert found.json()["id"] == "groq/openai/gpt-oss-120b"


async def test_an_unknown_model_is_named(start: Start) -> None:
    """404 with the code that OpenAI's clients know."""
    ingress = await start()

    found = await ingress.client.get("/v1/models/nobody/nothing")

    assert found.status_code == 404
    assert found.json()["error"]["code"] == "model_not_found"
    assert "nobody/nothing" in found.json()["error"]["message"]


async def test_models_need_a_key(start: Start) -> None:
    """The list is not public while a master key is set."""
    ingress = await start()

    found = await ingress.client.get("/v1/models", headers={"authorization": "Bearer wrong"})

    assert found.status_code == 401
    assert found.headers["www-authenticate"] == "Bearer"


async def test_head_has_the_length_and_no_body(start: Start) -> None:
    """HEAD answers as GET would, without the bytes."""
    ingress = await start()

    head = await ingress.client.head("/v1/models")
    full = await ingress.client.get("/v1/models")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"]
