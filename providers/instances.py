"""Instances: accesses to vendors, as they are configured under GoModel's names.

In the environment `<VENDOR>_API_KEY`, `<VENDOR>_BASE_URL`, `<VENDOR>_MODELS` and what else a vendor
takes make the instance `<vendor>`; `<VENDOR>_<SUFFIX>_…` make `<vendor>-<suffix>`. A table in
`config.yaml` gives an instance any name. The environment counts more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from providers.base import Endpoint
from providers.configured import BadVariable, Given, from_environment, overlaid
from providers.fields import checked_url, header_value, listed, positive
from providers.vendors import VENDORS, Vendor
from providers.vendors.forced import dialects, speaking
from providers.vendors.row import placed
from schemas.prices import Metadata

__all__ = ["BadVariable", "Found", "Instance", "find_instances", "instances", "make_instance"]

_DEFAULT_MAX_TOKENS = 4096


class Instance(Struct, frozen=True):
    """One configured access to a vendor."""

    vendor: str
    models: tuple[str, ...]  # as configured; empty if the provider is to be asked
    endpoints: tuple[Endpoint, ...]  # one a key
    metadata: dict[str, Metadata] = {}  # of configured models
    max_concurrency: int | None = None  # calls at once, of one worker

    @property
    def endpoint(self) -> Endpoint:
        return self.endpoints[0]

    @property
    def name(self) -> str:
        return self.endpoint.instance


class Found(Struct):
    """What a configuration makes."""

    instances: list[Instance]  # sorted by name
    problems: list[BadVariable]
    notes: list[str]  # what was left out, and why


def instances(environment: Mapping[str, str]) -> list[Instance]:
    """Every instance of an environment; BadVariable if a variable cannot be used."""
    found = find_instances(environment)
    if found.problems:
        raise found.problems[0]
    return found.instances


def find_instances(
    environment: Mapping[str, str],
    table: Sequence[Given] = (),
    *,
    ask_for_usage: bool = True,
) -> Found:
    """Everything that is configured, in the environment and in `config.yaml`'s table."""
    problems: list[BadVariable] = []
    notes: list[str] = []
    made: list[Instance] = []
    given = from_environment(environment, problems)
    for one in overlaid(given, table, notes):
        if (reason := _unusable(one)) is not None:
            notes.append(reason)
            continue
        try:
            made.append(_made(one, ask_for_usage=ask_for_usage))
        except BadVariable as problem:
            problems.append(problem)
    return Found(sorted(made, key=lambda instance: instance.name), problems, notes)


def make_instance(
    vendor: Vendor,
    name: str,
    base_url: str,
    *,
    key: str | None = None,
    models: tuple[str, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Instance:
    """An instance that is configured in another way."""
    endpoint = _endpoint(vendor, name, base_url, None)
    keys = (key,) if key else ()
    made = replace(endpoint, headers={**endpoint.headers, **(headers or {})})
    return Instance(vendor.name, models, _with_keys(made, vendor, base_url, None, keys))


def _unusable(given: Given) -> str | None:
    """Why nothing can be made of it, where that is no mistake: a template that was filled in partly."""
    vendor = VENDORS[given.vendor]
    if vendor.key_required and not given.keys:
        wanted = f"{given.prefix}_API_KEY" if given.prefix else f"{given.called('API_KEY')}"
        return f"provider {given.name} is left out: {wanted} is not set"
    return None


def _made(given: Given, *, ask_for_usage: bool) -> Instance:
    vendor = VENDORS[given.vendor]
    base_url = given.fields.get("BASE_URL") or vendor.base_url
    if base_url is None:
        reason = f"must be set: {vendor.name} has no common address"
        raise BadVariable(given.called("BASE_URL"), reason)
    base_url = checked_url(base_url, given.called("BASE_URL"))
    version = given.fields.get("API_VERSION")
    endpoint = _endpoint(vendor, given.name, base_url, version)
    headers = dict(endpoint.headers)
    for tail, header in vendor.header_variables:
        if value := given.fields.get(tail):
            headers[header] = header_value(value, given.called(tail))
    limit, proxy = given.fields.get("DEFAULT_MAX_TOKENS"), given.fields.get("PROXY_URL")
    routes = endpoint.routes
    if spoken := given.fields.get("DIALECT"):
        names = dialects(spoken, given.called("DIALECT"))
        routes = speaking(routes, names, endpoint.base_url)
    if not ask_for_usage:
        routes = {name: replace(route, stream_usage=False) for name, route in routes.items()}
    endpoint = replace(
        endpoint,
        routes=routes,
        headers=headers,
        default_max_tokens=positive(limit, given.called("DEFAULT_MAX_TOKENS"))
        if limit
        else endpoint.default_max_tokens,
        proxy=checked_url(proxy, given.called("PROXY_URL")) if proxy else None,
    )
    most = given.fields.get("MAX_CONCURRENCY")
    keys = tuple(header_value(key, called) for key, called in given.keys)
    return Instance(
        vendor.name,
        listed(given.fields.get("MODELS", "")),
        _with_keys(endpoint, vendor, base_url, version, keys),
        given.metadata,
        positive(most, given.called("MAX_CONCURRENCY")) if most else None,
    )


def _endpoint(vendor: Vendor, name: str, base_url: str, version: str | None) -> Endpoint:
    """Without a key."""
    found = placed(vendor, base_url, version)
    return Endpoint(
        instance=name,
        routes=found.routes,
        base_url=found.base_url,
        models_url=found.models_url,
        headers=dict(vendor.headers),
        request_id_header=vendor.request_id_header,
        default_max_tokens=vendor.default_max_tokens or _DEFAULT_MAX_TOKENS,
        header_quirks=vendor.header_quirks,
        root_paths=vendor.root_paths,
        relay_query=found.relay_query,
        vendor=vendor.name,
    )


def _with_keys(
    endpoint: Endpoint, vendor: Vendor, base_url: str, version: str | None, keys: Sequence[str]
) -> tuple[Endpoint, ...]:
    authenticate = placed(vendor, base_url, version).authenticate
    return tuple(
        replace(endpoint, headers={**endpoint.headers, **authenticate(key)}, key=number)
        for number, key in enumerate(keys)
    ) or (endpoint,)
