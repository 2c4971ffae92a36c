"""The OpenAPI document against the routes, the standard and what is committed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate
from sanic import Sanic

from ingress.app import create_app
from ingress.config import IngressConfig
from ingress.contract.openapi import DESCRIPTIONS, describe, document
from ingress.contract.parameters import ANSWERED, HEADERS, QUERY
from ingress.route import Route
from ingress.routes import table
from schemas.clock import SystemClock
from schemas.kafka import KafkaConfig
from schemas.kept import NoAnswers
from schemas.metrics import Metrics
from tests.ingress.conftest import Catalog, Start
from tests.services import ROOT

EVERYTHING = table(IngressConfig())
Json = dict[str, Any]


@pytest.fixture(scope="session")
def whole() -> Json:
    found: Json = msgspec.json.decode(msgspec.json.encode(document(EVERYTHING)))
    return found


def operations(found: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in found["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), path, operation


def test_what_is_committed_is_current(whole: Json) -> None:
    """docs/openapi.json is what `sluice openapi` prints: write it again if this fails."""
    assert msgspec.json.decode((ROOT / "docs" / "openapi.json").read_bytes()) == whole


def test_it_is_openapi(whole: Json) -> None:
    """OpenAPI 3.1 by its own schema, and every reference in it leads somewhere."""
    validate(whole)


@pytest.mark.parametrize("prefix", ["", "/ai"])
def test_it_has_the_routes_that_there_are(prefix: str) -> None:
    """Nothing is missing and nothing is there that the router does not have, but OPTIONS, and HEAD beside
    GET."""
    config = IngressConfig(base_path=prefix, metrics_path="/internal/metrics")
    app = create_app(
        config,
        KafkaConfig(bootstrap_servers="127.0.0.1:1"),
        Catalog(),
        NoAnswers(),
        Metrics(),
        SystemClock(),
    )
    routed = set()
    for route in app.router.routes:
        path = re.sub(r"<(\w+)(?::\w+)?>", r"{\1}", f"/{route.path}").removeprefix(prefix)
        routed |= {(method, path) for method in route.methods}
    Sanic.unregister_app(app)
    found = msgspec.json.decode(app.ctx.documents.openapi)
    described = {(method, path) for method, path, _ in operations(found)}

    assert found["servers"] == [{"url": prefix or "/"}]
    implied = {
        (method, path)
        for method, path in routed - described
        if method == "OPTIONS" or (method == "HEAD" and ("GET", path) in described)
    }
    assert routed - implied == described


def test_what_is_switched_off_is_not_in_it() -> None:
    """A gateway without the admin API does not speak of it."""
    found = document(table(IngressConfig(admin_enabled=False, passthrough_enabled=False)))

    assert [path for path in found["paths"] if path.startswith(("/admin", "/p/", "/docs"))] == []


def test_every_description_is_of_a_route() -> None:
    """Nothing is described that there is not."""
    known = {f"{m} {route.template}" for route in EVERYTHING for m in route.methods}

    assert sorted(DESCRIPTIONS.keys() - known) == []


def test_operations_can_be_told_apart(whole: Json) -> None:
    """Each has a name of its own, a summary and a tag."""
    names = [operation["operationId"] for _, _, operation in operations(whole)]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]\w+", name) for name in names)
    assert [
        o["operationId"] for *_, o in operations(whole) if not o["summary"] or not o["tags"]
    ] == []


def test_the_summary_is_the_handlers_own(whole: Json) -> None:
    """What a docstring says of a method is what is told of it."""
    path = whole["paths"]["/admin/api/v1/auth-keys/{name}"]

    assert path["get"]["summary"] == "One key."
    assert path["patch"]["summary"] == "What is said of it changes."


def test_a_schema_holds_what_the_struct_does(whole: Json) -> None:
    """A managed key is told with all its fields but its hash; a provider's body may hold more."""
    schemas = whole["components"]["schemas"]

    assert "secret_hash" not in schemas["Key"]["properties"]
    assert {"id", "name", "role", "former", "enabled"} <= set(schemas["Key"]["required"])
    assert "value" in schemas["NewKey"]["required"]
    assert schemas["KeyFields"]["additionalProperties"] is False
    assert schemas["ChatCompletionRequest"]["additionalProperties"] is True


def test_no_parameter_is_left_over(whole: Json) -> None:
    """Each that is described is taken by an operation."""
    used = {
        parameter["$ref"].rpartition("/")[2]
        for _, _, operation in operations(whole)
        for parameter in operation.get("parameters", ())
    }

    assert sorted(whole["components"]["parameters"].keys() - used) == []
    assert len(used) == len(QUERY) + len(HEADERS)


def test_a_route_without_a_description_is_found() -> None:
    """It is an error, which the test of the routes would be."""

    async def nothing(request: object) -> None:
        """Nothing."""

    with pytest.raises(KeyError):
        describe(Route("/v1/nothing", ("GET",), nothing), "GET")


# What frames an answer, is said to browsers, or belongs to a page of the dashboard.
_FRAMING = {
    *("vary", "access-control-allow-origin", "access-control-expose-headers"),
    *("access-control-allow-methods", "access-control-allow-headers", "access-control-max-age"),
    "access-control-allow-credentials",
    *("content-type", "content-length", "connection", "transfer-encoding", "x-accel-buffering"),
    *("content-security-policy", "x-content-type-options", "referrer-policy"),
    "cross-origin-opener-policy",
}


def header_lines(folder: Path) -> Iterator[str]:
    """Names of the header lines that are written in the source."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Constant(value=bytes(data)):
                    text = data.decode("latin-1")
                case ast.Constant(value=str(text)):
                    pass
                case _:
                    continue
            if "\r\n" in text:
                yield from re.findall(r"(?:^|\r\n)([a-z][a-z-]+): ", text)


def test_every_header_of_an_answer_is_described() -> None:
    """Each header line that the ingress writes stands in the table."""
    written = set(header_lines(ROOT / "ingress"))

    assert {"retry-after", "sluice-request-id"} <= written
    assert sorted(written - _FRAMING - ANSWERED.keys()) == []


async def test_it_is_served(start: Start) -> None:
    """Without a key, below the prefix, and with the page that shows it."""
    ingress = await start(base_path="/ai")
    ingress.client.headers.pop("authorization")

    found = await ingress.client.get("/ai/openapi.json")
    topics = await ingress.client.get("/ai/asyncapi.json")
    page = await ingress.client.get("/ai/docs", follow_redirects=False)

    assert (found.status_code, found.headers["content-type"]) == (200, "application/json")
    assert found.json()["servers"] == [{"url": "/ai"}]
    assert ingress.gateway.reply_to.topic in str(topics.json()["channels"]["replies"]["address"])
    assert (page.status_code, page.headers["location"]) == (307, "/ai/admin/dashboard/api")
