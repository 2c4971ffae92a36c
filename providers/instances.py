"""Instances: accesses to vendors, as the environment configures them under GoModel's names.

`<VENDOR>_API_KEY`, `<VENDOR>_BASE_URL`, `<VENDOR>_MODELS` (and `<VENDOR>_API_VERSION` where the vendor
has versions) make the instance `<vendor>`; `<VENDOR>_<SUFFIX>_…` make `<vendor>-<suffix>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from providers.base import Endpoint
from providers.vendors import VENDORS, Vendor
from providers.vendors.row import placed

_FIELDS = (
    "API_KEY",
    "BASE_URL",
    "MODELS",
    "API_VERSION",
)  # _MODELS of the environment: a comma list
_SUFFIX = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*")


class BadVariable(ValueError):
    """An environment variable of a provider that cannot be used; the message begins with its name."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable} {reason}")
        self.variable = variable


class Instance(Struct, frozen=True):
    """One configured access to a vendor."""

    vendor: str
    models: tuple[str, ...]  # as configured; empty if the provider is to be asked
    endpoint: Endpoint

    @property
    def name(self) -> str:
        return self.endpoint.instance


def instances(environment: Mapping[str, str]) -> list[Instance]:
    """Every configured instance, sorted by name; BadVariable if a variable cannot be used."""
    found = []
    for vendor in VENDORS.values():
        for suffix, fields in _grouped(vendor, environment).items():
            if (instance := _instance(vendor, suffix, fields, environment)) is not None:
                found.append(instance)
    return sorted(found, key=lambda instance: instance.name)


def make_instance(
    vendor: Vendor,
    name: str,
    base_url: str,
    *,
    key: str | None = None,
    models: tuple[str, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Instance:
    """An instance of a vendor that needs no API version, for what is configured in another way."""
    return _made(vendor, name, (base_url, None), key, models, headers or {})


def _grouped(vendor: Vendor, environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Suffix (with its underscore, or empty) to field to value; empty values are not there."""
    prefix = vendor.name.upper()
    groups: dict[str, dict[str, str]] = {}
    for variable, raw in sorted(environment.items()):
        value = raw.strip()
        # A value that still holds `${` is a template that nobody filled in.
        if not value or "${" in value or not variable.startswith(prefix + "_"):
            continue
        for field in _FIELDS:
            rest = variable.removeprefix(prefix)
            if not rest.endswith("_" + field) or (
                field == "API_VERSION" and not vendor.api_versions
            ):
                continue
            suffix = rest.removesuffix("_" + field)
            if suffix and not _SUFFIX.fullmatch(suffix[1:]):
                raise BadVariable(
                    variable, "names no instance: letters, digits, single underscores"
                )
            group = groups.setdefault(suffix.upper(), {})
            if field in group:
                raise BadVariable(
                    variable, "differs from another variable only in its letters' case"
                )
            group[field] = value
            break
    return groups


def _instance(
    vendor: Vendor, suffix: str, fields: dict[str, str], environment: Mapping[str, str]
) -> Instance | None:
    prefix = vendor.name.upper() + suffix
    if not suffix and not fields.keys() & {"API_KEY", "BASE_URL"}:
        # A list or a version alone configures nothing: Ollama's server has an OLLAMA_MODELS, too.
        return None
    if vendor.key_required and "API_KEY" not in fields:
        variable = f"{prefix}_{next(iter(fields))}"
        raise BadVariable(variable, f"is set, but {prefix}_API_KEY is not")
    if (base_url := fields.get("BASE_URL") or vendor.base_url) is None:
        raise BadVariable(f"{prefix}_BASE_URL", f"must be set: {vendor.name} has no common address")
    key = fields.get("API_KEY")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise BadVariable(f"{prefix}_API_KEY", "holds characters that no HTTP header takes")
    place = _checked(base_url, f"{prefix}_BASE_URL"), fields.get("API_VERSION")
    headers = dict(_extra_headers(vendor, environment))
    name = (vendor.name + suffix.replace("_", "-")).lower()
    return _made(vendor, name, place, key, _listed(fields.get("MODELS", "")), headers)


def _made(
    vendor: Vendor,
    name: str,
    place: tuple[str, str | None],  # base URL and API version
    key: str | None,
    models: tuple[str, ...],
    headers: Mapping[str, str],
) -> Instance:
    found = placed(vendor, *place)
    endpoint = Endpoint(
        instance=name,
        routes=found.routes,
        base_url=found.base_url,
        models_url=found.models_url,
        headers={**vendor.headers, **headers, **(found.authenticate(key) if key else {})},
        request_id_header=vendor.request_id_header,
        default_max_tokens=vendor.default_max_tokens or 4096,
        header_quirks=vendor.header_quirks,
        root_paths=vendor.root_paths,
    )
    return Instance(vendor.name, models, endpoint)


def _checked(url: str, variable: str) -> str:
    """The URL without a slash at its end; BadVariable if nothing can be called at it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise BadVariable(variable, f"is no URL: {error}") from error
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise BadVariable(variable, "is no http:// or https:// URL")
    if parts.query or parts.fragment:
        raise BadVariable(variable, "must have neither a query nor a fragment")
    return url.rstrip("/")


def _listed(text: str) -> tuple[str, ...]:
    """A comma list, in its order, each once."""
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))


def _extra_headers(vendor: Vendor, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for tail, header in vendor.header_variables:
        variable = f"{vendor.name.upper()}_{tail}"
        if value := environment.get(variable, "").strip():
            if not (value.isascii() and value.isprintable()):
                raise BadVariable(variable, "holds characters that no HTTP header takes")
            yield header, value
