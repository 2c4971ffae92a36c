"""The rows for calls of providers and for models."""

from __future__ import annotations

from typing import Literal, get_args

from ingress.config import IngressConfig
from providers.config import RegistryConfig, TransportConfig
from sluice.settings.kinds import (
    BOOLEAN,
    PATH,
    PROXY,
    TEXT,
    choice,
    duration,
    optional,
    size,
    url,
)
from sluice.settings.setting import Group, Setting

_INGRESS = IngressConfig()
_REGISTRY = RegistryConfig()
_TRANSPORT = TransportConfig()

ModelsMode = Literal["fallback", "allowlist"]

HTTP_TIMEOUT = Setting(
    name="HTTP_TIMEOUT",
    kind=duration(1, 86_400),
    default=_INGRESS.request_timeout,
    summary="Time that a request may take in all; becomes its deadline.",
)
RESPONSE_HEADER_TIMEOUT = Setting(
    name="HTTP_RESPONSE_HEADER_TIMEOUT",
    kind=duration(0.1, 86_400),
    default=_TRANSPORT.response_header_timeout,
    summary="Wait for a provider's response headers.",
)
CONNECT_TIMEOUT = Setting(
    name="HTTP_CONNECT_TIMEOUT",
    kind=duration(0.1, 600),
    default=_TRANSPORT.connect_timeout,
    summary="Wait for a connection to a provider.",
)
FIRST_TOKEN_TIMEOUT = Setting(
    name="FIRST_TOKEN_TIMEOUT",
    kind=duration(0, 86_400),
    default=_TRANSPORT.first_token_timeout,
    summary="Wait for the first content of a stream, its beginning included; 0 is no matter how long.",
)
STREAM_IDLE_TIMEOUT = Setting(
    name="STREAM_IDLE_TIMEOUT",
    kind=duration(0.1, 86_400),
    default=_TRANSPORT.stream_idle_timeout,
    summary="Silence inside a provider's answer after which it counts as broken off.",
)
MAX_RESPONSE = Setting(
    name="HTTP_MAX_RESPONSE_SIZE",
    kind=size(1 << 20, 1 << 30),
    default=_TRANSPORT.max_response,
    summary="Largest answer that is taken from a provider.",
)
CACHE_REFRESH_INTERVAL = Setting(
    name="CACHE_REFRESH_INTERVAL",
    kind=duration(1, 30 * 86_400),
    default=_REGISTRY.refresh_interval,
    summary="Time between two readings of the providers' model lists.",
)
CACHE_FETCH_TIMEOUT = Setting(
    name="CACHE_FETCH_TIMEOUT",
    kind=duration(1, 600),
    default=_REGISTRY.fetch_timeout,
    summary="Wait for one provider's model list.",
)
RECHECK_INTERVAL = Setting(
    name="PROVIDER_RECHECK_INTERVAL",
    kind=duration(1, 30 * 86_400),
    default=_REGISTRY.recheck_interval,
    summary="Time after which a provider whose list could not be read is asked again.",
)
CACHE_DIR = Setting[str | None](
    name="GOMODEL_CACHE_DIR",
    kind=optional(PATH),
    default=None,
    summary="Folder in which the model lists are kept over a restart.",
    unset="`cache` in `SLUICE_DATA_DIR`",
)
MODELS_MODE = Setting[ModelsMode](
    name="CONFIGURED_PROVIDER_MODELS_MODE",
    kind=choice(get_args(ModelsMode), {"merge": "fallback"}),
    default=_REGISTRY.configured_models,
    summary="Whether `<VENDOR>_MODELS` stands in for the provider's list until that is read and is "
    "added to it (fallback), or is the list (allowlist).",
)
ENABLED_BY_DEFAULT = Setting(
    name="MODELS_ENABLED_BY_DEFAULT",
    kind=BOOLEAN,
    default=_REGISTRY.enabled_by_default,
    summary="Whether a model may be called that no entry of `model_overrides` in `config.yaml` "
    "selects.",
)
OVERRIDES_ENABLED = Setting(
    name="MODEL_OVERRIDES_ENABLED",
    kind=BOOLEAN,
    default=True,
    summary="Whether `model_overrides` in `config.yaml` counts.",
)
ONLY_ALIASES = Setting(
    name="KEEP_ONLY_ALIASES_AT_MODELS_ENDPOINT",
    kind=BOOLEAN,
    default=_REGISTRY.only_aliases_listed,
    summary="Whether the lists of models show nothing but the aliases.",
)
RETURN_USAGE = Setting(
    name="ENFORCE_RETURNING_USAGE_DATA",
    kind=BOOLEAN,
    default=True,
    summary="Whether providers of OpenAI's API are asked to count tokens in streams, too; a caller "
    "that did not ask for it does not see it.",
)
HTTP_PROXY = Setting[str | None](
    name="HTTP_PROXY",
    also=("http_proxy",),
    kind=optional(PROXY),
    default=None,
    secret=True,
    summary="Proxy on the way to providers with an `http://` address; `<VENDOR>_PROXY_URL` is one "
    "instance's own.",
)
HTTPS_PROXY = Setting[str | None](
    name="HTTPS_PROXY",
    also=("https_proxy",),
    kind=optional(PROXY),
    default=None,
    secret=True,
    summary="The same for `https://` addresses.",
)
NO_PROXY = Setting(
    name="NO_PROXY",
    also=("no_proxy",),
    kind=TEXT,
    default=_TRANSPORT.no_proxy,
    summary="Hosts, domains and networks to which no proxy leads, separated by commas; this machine "
    "is always one.",
)
SIM_URL = Setting[str | None](
    name="SLUICE_SIM_URL",
    kind=optional(url("http", "https")),
    default=None,
    summary="Base URL of a simulated provider (`sluice sim`), which becomes the instance `sim`.",
    unset="`serve` starts one if there is no instance at all",
)

PROVIDERS_GROUP = Group(
    "Provider calls",
    (
        *(HTTP_TIMEOUT, RESPONSE_HEADER_TIMEOUT, CONNECT_TIMEOUT),
        *(FIRST_TOKEN_TIMEOUT, STREAM_IDLE_TIMEOUT),
        *(
            *(MAX_RESPONSE, RETURN_USAGE, HTTP_PROXY, HTTPS_PROXY, NO_PROXY),
            *(MODELS_MODE, CACHE_REFRESH_INTERVAL, RECHECK_INTERVAL, CACHE_FETCH_TIMEOUT),
            *(CACHE_DIR, ENABLED_BY_DEFAULT, OVERRIDES_ENABLED, ONLY_ALIASES, SIM_URL),
        ),
    ),
)
