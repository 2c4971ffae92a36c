"""The list of routes, as a caller meets it."""

import re

import pytest

from ingress.config import IngressConfig
from ingress.routes import ROUTES, Route, table
from tests.ingress.conftest import Start
from tests.ingress.worker import Worker

EVERYTHING = table(IngressConfig())


def example(route: Route) -> str:
    """A path that the route takes."""
    return re.sub(r"<[^>]*>", "x", route.path)


def test_no_two_routes_are_one() -> None:
    """A path and a method have one handler; none of them could hide another's."""
    asked = [(route.path, method) for route in EVERYTHING for method in route.methods]

    assert len(asked) == len(set(asked))


def test_what_can_be_switched_off() -> None:
    """Metrics and pass-through are there by configuration, the rest always."""
    off = IngressConfig(metrics_enabled=False, passthrough_enabled=False)
    moved = IngressConfig(metrics_path="/internal/metrics")

    assert table(off) == list(ROUTES)
    assert {route.path for route in EVERYTHING} - {route.path for route in ROUTES} == {
        "/metrics",
        "/p/<provider>/<rest:path>",
    }
    assert "/internal/metrics" in {route.path for route in table(moved)}


@pytest.mark.parametrize("prefix", ["", "/ai"])
async def test_options_and_other_methods(start: Start, prefix: str) -> None:
    """OPTIONS names the methods of every path without a key, and every other method is refused with
    the same list."""
    ingress = await start(base_path=prefix)
    ingress.client.headers.pop("authorization")
    methods: dict[str, set[str]] = {}
    for route in EVERYTHING:
        methods.setdefault(route.path, set()).update(route.methods)

    for route in EVERYTHING:
        known = methods[route.path]
        if "OPTIONS" in known:  # it is handed on
            continue
        path = prefix + example(route)
        options = await ingress.client.options(path)
        refused = await ingress.client.request("PROPFIND", path)

        assert options.status_code == 204, path
        assert set(options.headers["allow"].split(", ")) == {*known, "OPTIONS"}
        assert options.headers["x-request-id"]
        assert refused.status_code == 405, path
        assert set(refused.headers["allow"].split(", ")) == {*known, "OPTIONS"}
        if prefix:
            assert (await ingress.client.options(example(route))).status_code == 404


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/chat/completions/", "POST"),
        ("/v1/responses/x/", "DELETE"),
        ("/v1/models/a/b/c", "HEAD"),
        ("/p/sim/a/b", "PATCH"),
    ],
)
async def test_what_a_path_takes_is_said(start: Start, path: str, method: str) -> None:
    """Also of a path that ends in a slash, of one with a name in it, and of one that is handed on."""
    ingress = await start()

    refused = await ingress.client.request("PROPFIND", path)

    assert refused.status_code == 405
    assert {method, "OPTIONS"} <= set(refused.headers["allow"].split(", "))


async def test_every_route_needs_a_key(start: Start, worker: Worker) -> None:
    """All but health and metrics, which a load balancer asks for, the dashboard's files and what the gateway
    says of itself answer 401 to who has none, and nothing of the request reaches the log."""
    ingress = await start()
    ingress.client.headers.pop("authorization")

    for route in EVERYTHING:
        for method in route.methods:
            found = await ingress.client.request(method, example(route))
            if "/admin/dashboard" in route.path:
                assert found.status_code in (200, 404), route.path  # it holds no data
            elif route.path in ("/openapi.json", "/asyncapi.json", "/docs"):
                assert found.status_code in (200, 307), route.path
            elif route.path in ("/health", "/health/ready", "/metrics"):
                assert found.status_code in (200, 503), route.path
            else:
                assert found.status_code == 401, (method, route.path)
    assert worker.requests == []


@pytest.mark.parametrize(
    ("prefix", "path", "status"),
    [
        ("", "/", 404),
        ("", "/v1", 404),
        ("", "/v1/chat/completions/more", 404),
        ("", "/v1/files/a/b", 404),
        ("", "/p/sim", 404),
        ("/ai", "/ai/health", 200),
        ("/ai", "/health", 404),
        ("/ai", "/aihealth", 404),
    ],
)
async def test_what_is_no_route(start: Start, prefix: str, path: str, status: int) -> None:
    """404, in the envelope, with an id."""
    ingress = await start(base_path=prefix)

    found = await ingress.client.get(path)

    assert found.status_code == status
    assert found.headers["x-request-id"]
    if status == 404:
        assert found.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("settings", "api", "page"),
    [
        ({}, 401, 200),
        ({"dashboard_enabled": False}, 401, 404),
        ({"admin_enabled": False}, 404, 404),
    ],
    ids=["both", "no dashboard", "neither"],
)
async def test_administration_can_be_left_out(
    start: Start, settings: dict[str, bool], api: int, page: int
) -> None:
    """Without the admin API there is no dashboard either: it would have nothing to show."""
    ingress = await start(**settings)
    ingress.client.headers.pop("authorization")

    assert (await ingress.client.get("/admin/api/v1/auth-keys")).status_code == api
    assert (await ingress.client.get("/admin/dashboard")).status_code == page
