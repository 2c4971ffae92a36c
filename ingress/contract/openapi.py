"""OpenAPI 3.1 of the routes that a gateway has: https://spec.openapis.org/oas/v3.1.1"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ingress.auth import KEY_HEADERS, KEY_PARAMETER
from ingress.contract.about import CSV, JSON, PROBLEM, VERSION, About, Errors, Told
from ingress.contract.asked import ASKED, METRICS
from ingress.contract.components import ERRORS, Schemas, types_of, words
from ingress.contract.governed import GOVERNED
from ingress.contract.parameters import ANSWERED, EVERY, HEADERS, QUERY
from ingress.route import Route

Json = dict[str, Any]
DESCRIPTIONS: dict[str, About] = ASKED | GOVERNED
DIALECT = "https://spec.openapis.org/oas/3.1/dialect/base"
_ABOUT = (
    "OpenAI-compatible on the outside, Kafka inside. Bodies of providers' APIs are their makers': what"
    " stands here of them is what the gateway reads, and all else in them is handed on. Every path"
    " answers OPTIONS, and most that answer GET answer HEAD. Names in a path are percent-encoded:"
    " `%2Fteam%2Fbilling`."
)
# Of handlers: `GET: all of them. POST: a new one.`
_PART = re.compile(r"\b((?:GET|POST|PUT|PATCH|DELETE)(?: and (?:GET|POST|PUT|PATCH|DELETE))*): ")


def document(routes: Iterable[Route], base_path: str = "") -> Json:
    """The document of these routes, of which each has its description."""
    described = [
        (route, method, describe(route, method))
        for route in routes
        for method in route.methods
        if method != "HEAD"
    ]
    schemas = Schemas(types_of(about for _, _, about in described))
    paths: dict[str, Json] = {}
    for route, method, about in described:
        path = paths.setdefault(route.template, _path(route))
        path[method.lower()] = _operation(route, method, about, schemas)
    tags = dict.fromkeys(about.tag for _, _, about in described)
    return {
        "openapi": "3.1.1",
        "info": {"title": "Sluice", "version": VERSION, "description": _ABOUT},
        "jsonSchemaDialect": DIALECT,
        "servers": [{"url": base_path or "/"}],
        "security": [{name: []} for name in ("bearer", *KEY_HEADERS, KEY_PARAMETER)],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "parameters": _parameters(),
            "responses": {errors: _error(errors, schemas) for errors in ERRORS},
            "headers": _headers(),
            "securitySchemes": _schemes(),
        },
    }


def describe(route: Route, method: str) -> About:
    """What is said of an operation; the metrics are where a setting puts them. KeyError."""
    if route.handler.__name__ == "metrics":
        return METRICS
    return DESCRIPTIONS[f"{method} {route.template}"]


def _path(route: Route) -> Json:
    names = route.parameters
    if not names:
        return {}
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    }


def _operation(route: Route, method: str, about: About, schemas: Schemas) -> Json:
    found: Json = {
        "operationId": about.id,
        "tags": [about.tag],
        "summary": about.summary or summary(route, method),
    }
    if about.role is not None:
        found["description"] = f"Takes a key with the role {about.role}, or one that may do more."
        found["x-sluice-role"] = about.role
    if about.public:
        found["security"] = []
    named = [f"query.{each.replace(' ', '-')}" for each in about.query]
    named += [f"header.{each}" for each in about.headers]
    if named:
        found["parameters"] = [{"$ref": f"#/components/parameters/{each}"} for each in named]
    if about.body is not None:
        found["requestBody"] = _body(about, schemas)
    found["responses"] = _responses(about, schemas)
    return found


def summary(route: Route, method: str) -> str:
    """What the handler's docstring says of a method."""
    said = words(route.handler.__doc__ or "")
    parts = _PART.split(said)
    for methods, text in zip(parts[1::2], parts[2::2], strict=True):
        if method in methods.split(" and "):
            text = text.strip()
            return text[:1].upper() + text[1:]
    return said


def _body(about: About, schemas: Schemas) -> Json:
    schema = schemas.of(about.body)
    components = schemas.components
    whole = components.get(schema.get("$ref", "").rpartition("/")[2], schema)
    needed = bool(whole.get("required")) and not about.optional_body
    return {"required": needed, "content": {about.body_media: {"schema": schema}}}


def _responses(about: About, schemas: Schemas) -> Json:
    found = {str(told.status): _response(told, schemas) for told in about.answers}
    return found | {"default": {"$ref": f"#/components/responses/{about.errors}"}}


def _error(errors: Errors, schemas: Schemas) -> Json:
    form = PROBLEM if errors == "problem" else JSON
    content: Json = {form: {"schema": schemas.of(ERRORS[errors])}}
    if form != JSON:
        # What is no request at all is told before it is known whose it is.
        content[JSON] = {"schema": schemas.of(ERRORS["any"])}
    return {
        "description": "An error.",
        "headers": _named((*EVERY, "retry-after", "www-authenticate")),
        "content": content,
    }


def _response(told: Told, schemas: Schemas) -> Json:
    found: Json = {
        "description": told.about or "As it stands.",
        "headers": _named((*EVERY, *told.headers)),
    }
    if told.status not in (204, 307):
        schema = {} if told.type is None else schemas.of(told.type)
        found["content"] = {
            media: {"schema": schema if media == JSON else _text(media)} for media in told.media
        }
    return found


def _text(media: str) -> Json:
    return {"type": "string"} if media.startswith(("text/", CSV)) else {}


def _named(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _parameters() -> Json:
    found: Json = {}
    for name, (about, schema) in QUERY.items():
        found[f"query.{name.replace(' ', '-')}"] = {
            "name": name.rpartition(" ")[2],
            "in": "query",
            "description": about,
            "schema": schema,
        }
    for name, (about, schema) in HEADERS.items():
        found[f"header.{name}"] = {
            "name": name,
            "in": "header",
            "description": about,
            "schema": schema,
        }
    return found


def _headers() -> Json:
    return {
        name: {"description": about, "schema": schema} for name, (about, schema) in ANSWERED.items()
    }


def _schemes() -> Json:
    found: Json = {"bearer": {"type": "http", "scheme": "bearer"}}
    for name in KEY_HEADERS:
        found[name] = {"type": "apiKey", "in": "header", "name": name}
    return found | {KEY_PARAMETER: {"type": "apiKey", "in": "query", "name": KEY_PARAMETER}}
