"""What browsers are told, over a running ingress."""

from ingress.config import CorsConfig
from tests.ingress.conftest import KEY, Start

APP, OTHER = "https://app.example.com", "https://other.example.com"
NAMED = CorsConfig((APP, "http://localhost:3000"))
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


async def test_by_default_nothing_is_said(start: Start) -> None:
    """No answer has a header for browsers, and a preflight is an OPTIONS like any other."""
    ingress = await start()

    found = await ingress.client.get("/v1/models", headers={"origin": APP})
    preflight = await ingress.client.options(
        "/v1/chat/completions", headers={"origin": APP} | PREFLIGHT
    )

    for each in (found, preflight):
        assert not [name for name in each.headers if name.startswith("access-control")]
        assert "vary" not in each.headers


async def test_a_preflight_is_answered_without_a_key(start: Start) -> None:
    """With the path's methods and the headers that were asked for; to others without them."""
    ingress = await start(master_key=KEY, cors=NAMED, base_path="/ai")
    client = ingress.client

    for path, method in (
        ("/v1/chat/completions", "POST"),
        ("/p/sim/x", "PATCH"),
        ("/v1/models", "GET"),
    ):
        found = await client.options(f"/ai{path}", headers={"origin": APP} | PREFLIGHT)
        other = await client.options(f"/ai{path}", headers={"origin": OTHER} | PREFLIGHT)

        assert found.status_code == 204
        assert found.headers["access-control-allow-origin"] == APP
        assert method in found.headers["access-control-allow-methods"].split(", ")
        assert found.headers["access-control-allow-headers"] == "authorization,content-type"
        assert found.headers["access-control-max-age"] == "600"
        assert "access-control-allow-credentials" not in found.headers
        assert "Origin" in found.headers.get_list("vary")
        assert not [name for name in other.headers if name.startswith("access-control")]


async def test_answers_name_the_origin(start: Start) -> None:
    """Refusals and unknown paths too; whoever is not listed sees none, and caches keep them apart."""
    ingress = await start(master_key=KEY, cors=NAMED)

    for path, status in (("/v1/models", 200), ("/v1/models", 401), ("/nowhere", 404)):
        key = "sk-wrong" if status == 401 else KEY
        headers = {"origin": APP, "authorization": f"Bearer {key}"}
        found = await ingress.client.get(path, headers=headers)
        assert found.status_code == status
        assert found.headers["access-control-allow-origin"] == APP
        assert found.headers["access-control-expose-headers"] == "*"
        assert found.headers["vary"] == "Origin"
    for headers in ({"origin": OTHER}, {}):
        found = await ingress.client.get("/v1/models", headers=headers)
        assert found.status_code == 200  # it is the browser that withholds it
        assert "access-control-allow-origin" not in found.headers
        assert found.headers["vary"] == "Origin"


async def test_anybodys_pages_may_ask_but_not_with_credentials(start: Start) -> None:
    """`*` is said as it is, to all alike."""
    ingress = await start(cors=CorsConfig(("*",)))

    found = await ingress.client.get("/health", headers={"origin": OTHER})

    assert found.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in found.headers
    assert "vary" not in found.headers


async def test_credentials_are_for_named_origins(start: Start) -> None:
    """With them a list of headers is told, as `*` would mean a header of that name."""
    ingress = await start(cors=CorsConfig((APP,), credentials=True))

    found = await ingress.client.get("/health", headers={"origin": APP})

    assert found.headers["access-control-allow-origin"] == APP
    assert found.headers["access-control-allow-credentials"] == "true"
    exposed = found.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "retry-after", "ratelimit", "x-ratelimit-remaining-tokens"} <= set(
        exposed
    )


async def test_the_admin_api_is_for_no_other_page(start: Start) -> None:
    """Whatever is allowed: an open gateway would be governed by any page that is looked at."""
    ingress = await start(cors=CorsConfig(("*",)))
    path = "/admin/api/v1/auth-keys"

    found = await ingress.client.get(path, headers={"origin": APP})
    preflight = await ingress.client.options(path, headers={"origin": APP} | PREFLIGHT)

    for each in (found, preflight):
        assert not [name for name in each.headers if name.startswith("access-control")]
