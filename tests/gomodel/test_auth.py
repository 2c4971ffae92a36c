"""Who may ask: the matrix of GoModel's auth_test."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.gomodel.world import KEY, World, error_of, events, output_text, said, words

CHAT = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Let me in"}]}
RESPONSE = {"model": "openai/gpt-4o-mini", "input": "Let me in"}
ASKED = {
    "GET /health": None,
    "GET /v1/models": None,
    "POST /v1/chat/completions": CHAT,
    "POST /v1/responses": RESPONSE,
    "POST /v1/embeddings": {"model": "openai/text-embedding-3-small", "input": "a"},
    "GET /v1/files": None,
    "POST /p/openai/v1/chat/completions": CHAT,
}


def ask(client: httpx.Client, what: str, authorization: str | None) -> httpx.Response:
    method, path = what.split()
    headers = {"content-type": "application/json"}
    if authorization is not None:
        headers["authorization"] = authorization
    # Not the client's own header, which has the key.
    request = httpx.Request(
        method,
        client.base_url.join(path),
        headers=headers,
        content=json.dumps(ASKED[what]) if ASKED[what] else b"",
    )
    return client.send(request)


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize(
    ("authorization", "allowed"),
    [
        pytest.param(f"Bearer {KEY}", True, id="valid"),
        pytest.param(None, False, id="missing"),
        pytest.param("Bearer wrong", False, id="wrong"),
        pytest.param(KEY, False, id="malformed"),
    ],
)
def test_matrix(world: World, what: str, authorization: str | None, allowed: bool) -> None:
    """Everything but health needs the key; without it 401, in OpenAI's envelope, and nobody is asked."""
    answer = ask(world.client, what, authorization)

    if allowed or what == "GET /health":
        assert answer.status_code == 200, answer.text
        return
    assert answer.status_code == 401
    error = error_of(answer)
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", None])
def test_streams(world: World, authorization: str | None) -> None:
    """A stream with the key is one; without it the refusal is plain, before any event."""
    for path, body in (("chat/completions", CHAT), ("responses", RESPONSE)):
        headers = {"authorization": authorization or ""}
        answer = world.post(f"/v1/{path}", body | {"stream": True}, **headers)

        if authorization is None:
            assert answer.status_code == 401
            assert answer.headers["content-type"] == "application/json"
        else:
            assert answer.status_code == 200
            assert len(events(answer)) > 2


@pytest.fixture(scope="module")
def open_client(embedded_world: World) -> Iterator[httpx.Client]:
    with embedded_world.ingress(GOMODEL_MASTER_KEY="") as client:
        yield client


@pytest.mark.parametrize("authorization", [None, "Bearer anything", "Basic eA=="])
def test_without_a_master_key_the_gateway_is_open(
    open_client: httpx.Client, authorization: str | None
) -> None:
    """Nobody is asked for a key, and one that is sent does no harm."""
    assert ask(open_client, "GET /v1/models", authorization).status_code == 200
    assert said(ask(open_client, "POST /v1/chat/completions", authorization)) == "Let me in"
    response = ask(open_client, "POST /v1/responses", authorization).json()
    assert output_text(response) == "Let me in"


def test_a_stream_of_an_open_gateway(open_client: httpx.Client) -> None:
    """Streams, too."""
    answer = open_client.post("/v1/chat/completions", json=CHAT | {"stream": True})

    assert words(answer) == "Let me in"


@pytest.mark.parametrize("given", [KEY.upper(), KEY.title(), f"{KEY}x", KEY[:-1]])
def test_a_key_is_exact(world: World, given: str) -> None:
    """Its case counts, and each of its characters."""
    assert ask(world.client, "GET /v1/models", f"Bearer {given}").status_code == 401


@pytest.mark.parametrize(
    "key",
    [
        "key-with-dashes",
        "key_with_underscores.and.dots",
        "key$with$dollars",
        "k!e#y%w^i&t*h(p)u=n+c{t}[u]a|t;i:o'n\"<>,?/~`@\\",
        "k" * 200,
    ],
)
def test_a_key_of_any_characters(embedded_world: World, key: str) -> None:
    """Dashes, underscores, dots, dollars, punctuation, and a very long one."""
    with embedded_world.ingress(SLUICE_MASTER_KEY=key, GOMODEL_MASTER_KEY="") as client:
        assert ask(client, "GET /v1/models", f"Bearer {key}").status_code == 200
        assert ask(client, "GET /v1/models", f"Bearer {key}x").status_code == 401


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {KEY}", 200),
        (f"bearer {KEY}", 200),  # RFC 9110, 11.1: schemes have no case; GoModel refuses it
        (f"BEARER {KEY}", 200),
        (f"Bearer  {KEY}", 200),  # and one or more spaces may follow
        (f"Bearer{KEY}", 401),
        (f"Basic {KEY}", 401),
        (KEY, 401),
        ("Bearer", 401),
        ("", 401),
    ],
)
def test_schemes(world: World, authorization: str, status: int) -> None:
    """`Bearer` in any case, and nothing else."""
    assert ask(world.client, "GET /v1/models", authorization).status_code == status


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key"])
def test_other_headers(world: World, header: str) -> None:
    """The keys of other SDKs stand where these put them, which GoModel does not take."""
    with httpx.Client(base_url=world.stack.url) as client:
        assert client.get("/v1/models", headers={header: KEY}).status_code == 200
        assert client.get("/v1/models", headers={header: "wrong"}).status_code == 401


def test_a_key_in_the_query(world: World) -> None:
    """As Google's SDK sends it."""
    with httpx.Client(base_url=world.stack.url) as client:
        assert client.get("/v1/models", params={"key": KEY}).status_code == 200
        assert client.get("/v1/models", params={"key": "wrong"}).status_code == 401


def test_a_key_with_a_space_stops_the_start(embedded_world: World) -> None:
    """No header carries it safely: exit code 2, and the setting is named, the key is not."""
    done = embedded_world.refused("ingress", GOMODEL_MASTER_KEY="key with spaces")

    assert "GOMODEL_MASTER_KEY" in done
    assert "key with spaces" not in done


def test_the_key_reaches_no_provider(world: World) -> None:
    """A provider gets its own key and nothing of the caller's."""
    said(world.chat("openai/gpt-4o-mini", "Where is my key"))

    (request,) = world.received("Where is my key")
    assert KEY not in str(request)
