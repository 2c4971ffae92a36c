"""What calling a provider takes; `sluice/settings/` fills it in and documents each field."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.aliases import Alias
from schemas.prices import Metadata


class TransportConfig(Struct, frozen=True):
    """Times are seconds, sizes bytes."""

    connect_timeout: float = 3.0
    response_header_timeout: float = 600.0  # until the response's headers
    first_token_timeout: float = 60.0  # until the first content of a stream; 0: none
    stream_idle_timeout: float = 120.0  # silence inside a body
    max_response: int = 16 << 20  # an exchange holds a request and its answer in one record
    http_proxy: str | None = None
    https_proxy: str | None = None
    no_proxy: str = ""


class RegistryConfig(Struct, frozen=True):
    """How the lists of models are kept."""

    refresh_interval: float = 3600.0  # seconds
    recheck_interval: float = 60.0  # seconds until a list that failed is asked for again
    fetch_timeout: float = 60.0  # seconds for one instance's list
    # `fallback`: what <VENDOR>_MODELS names is added to the fetched list and stands in for it;
    # `allowlist`: it is the list, and nothing is fetched.
    configured_models: Literal["fallback", "allowlist"] = "fallback"
    aliases: tuple[Alias, ...] = ()
    only_aliases_listed: bool = False
    enabled_by_default: bool = True  # a model without an allow-list may be called by everybody
    overrides: dict[str, tuple[str, ...]] = {}  # selector to the user paths that may call it
    metadata: dict[str, Metadata] = {}  # by selector; counts more than what else is known
