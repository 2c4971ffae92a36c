"""Lists of models and single ones, in the form of whoever asks."""

from typing import Any

import pytest

from schemas.models import Model
from schemas.prices import Metadata, Pricing
from tests.ingress.conftest import Start

ANTHROPIC = {"anthropic-version": "2023-06-01"}
GOOGLE = {"x-goog-api-key": "k"}


class Catalog:
    """Three models, of which one is only for `/a`."""

    known = Metadata(
        display_name="Two",
        description="The second.",
        context_window=1000,
        max_output_tokens=100,
        capabilities={"tools": True},
        pricing=Pricing(currency="USD", input_per_mtok=0.5, cached_input_per_mtok=0.0),
    )
    all = (
        Model("one/a", 60, "one"),
        Model("one/embed", 0, "one", metadata=Metadata(modes=("embedding",))),
        Model("two/b/c", 1_700_000_000, "two", metadata=known),
    )

    def models(self, user_path: str) -> tuple[Model, ...]:
        return self.all if user_path == "/a" else self.all[1:]

    def find(self, name: str, user_path: str) -> Model | None:
        return {model.id: model for model in self.models(user_path)}.get(name)

    def vendor(self, name: str) -> str | None:
        return None


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.ingress.conftest.Catalog", Catalog)


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


@pytest.mark.usefixtures("known")
async def test_metadata_are_gomodels(start: Start) -> None:
    """What is known of a model stands in `metadata`; what is unknown is not there, what is free is."""
    ingress = await start()

    found = await ingress.client.get("/v1/models/two/b/c")

    assert found.json() == {
        "id": "two/b/c",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "two",
        "metadata": {
            "display_name": "Two",
            "description": "The second.",
            "context_window": 1000,
            "max_output_tokens": 100,
            "capabilities": {"tools": True},
            "pricing": {"currency": "USD", "input_per_mtok": 0.5, "cached_input_per_mtok": 0.0},
        },
    }


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("header", ["x-sluice-user-path", "x-gomodel-user-path"])
async def test_a_list_is_of_its_caller(start: Start, header: str) -> None:
    """A user path sees what may be called from there, in the list and by name."""
    ingress = await start()

    async def ids(user_path: str) -> list[str]:
        found = await ingress.client.get("/v1/models", headers={header: user_path})
        return [model["id"] for model in found.json()["data"]]

    assert await ids("/a") == ["one/a", "one/embed", "two/b/c"]
    assert await ids("/b") == ["one/embed", "two/b/c"]
    single = await ingress.client.get("/v1/models/one/a", headers={header: "/b"})
    assert single.status_code == 404


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("path", "headers"), [("/v1/models", ANTHROPIC), ("/anthropic/v1/models", {})]
)
async def test_anthropics_list(start: Start, path: str, headers: dict[str, str]) -> None:
    """Whoever speaks Anthropic's dialect gets its form, page by page in both directions."""
    ingress = await start()
    one = {
        "id": "one/a",
        "type": "model",
        "display_name": "one/a",
        "created_at": "1970-01-01T00:01:00Z",
    }
    three = {
        "id": "two/b/c",
        "type": "model",
        "display_name": "Two",
        "created_at": "2023-11-14T22:13:20Z",
        "max_input_tokens": 1000,
        "max_tokens": 100,
    }

    async def page(query: str) -> tuple[list[str], bool, Any, Any]:
        found = await ingress.client.get(
            f"{path}{query}", headers={"x-sluice-user-path": "/a", **headers}
        )
        body = found.json()
        names = [model["id"] for model in body["data"]]
        return names, body["has_more"], body["first_id"], body["last_id"]

    whole = await ingress.client.get(path, headers={"x-sluice-user-path": "/a", **headers})
    assert whole.json()["data"][0] == one
    assert whole.json()["data"][2] == three
    names = ["one/a", "one/embed", "two/b/c"]
    assert await page("") == (names, False, names[0], names[2])
    assert await page("?limit=2") == (names[:2], True, names[0], names[1])
    assert await page("?limit=2&after_id=one/embed") == (names[2:], False, names[2], names[2])
    assert await page("?after_id=two/b/c") == ([], False, None, None)
    assert await page("?limit=1&before_id=two/b/c") == (names[1:2], True, names[1], names[1])
    assert await page("?before_id=one/embed") == (names[:1], False, names[0], names[0])
    single = await ingress.client.get(f"{path}/two/b/c", headers=headers)
    assert single.json() == three


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("path", ["/v1beta/models", "/gemini/v1beta/models"])
async def test_geminis_list(start: Start, path: str) -> None:
    """Whoever speaks Google's dialect gets its form, with what can be done with each model."""
    ingress = await start()
    headers = {"x-sluice-user-path": "/a", **GOOGLE}
    three = {
        "name": "models/two/b/c",
        "baseModelId": "two/b/c",
        "version": "1700000000",
        "displayName": "Two",
        "description": "The second.",
        "inputTokenLimit": 1000,
        "outputTokenLimit": 100,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    }

    first = (await ingress.client.get(f"{path}?pageSize=2", headers=headers)).json()
    assert [model["name"] for model in first["models"]] == ["models/one/a", "models/one/embed"]
    assert first["models"][1]["supportedGenerationMethods"] == [
        "embedContent",
        "batchEmbedContents",
    ]
    token = first["nextPageToken"]
    rest = (
        await ingress.client.get(f"{path}?pageSize=2&pageToken={token}", headers=headers)
    ).json()
    assert rest == {"models": [three]}
    assert (await ingress.client.get(f"{path}/two/b/c", headers=headers)).json() == three


@pytest.mark.parametrize(
    ("url", "headers", "param"),
    [
        ("/v1/models?limit=0", ANTHROPIC, "limit"),
        ("/v1/models?limit=x", ANTHROPIC, "limit"),
        ("/v1/models?after_id=nobody", ANTHROPIC, "after_id"),
        ("/v1beta/models?pageSize=1001", GOOGLE, "pageSize"),
        ("/v1beta/models?pageToken=nobody", GOOGLE, "pageToken"),
    ],
)
async def test_a_page_that_is_none(
    start: Start, url: str, headers: dict[str, str], param: str
) -> None:
    """400 in the caller's dialect names the parameter."""
    ingress = await start()

    found = await ingress.client.get(url, headers=headers)

    assert found.status_code == 400
    assert param in found.json()["error"]["message"]
    assert ("status" if headers == GOOGLE else "type") in found.json()["error"]


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
