"""What the ingress needs to know; `sluice/settings/` fills it in and documents each field."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from ingress.lasting import OnDisconnect
from schemas.identity import Sharing
from schemas.redaction import STANDARD, Redaction

ANY_ORIGIN = "*"


class CorsConfig(Struct, frozen=True):
    """Whose pages may ask: origins as browsers write them, or `*` alone."""

    origins: tuple[str, ...]
    credentials: bool = False  # cookies and the like; not with `*`


class IngressConfig(Struct, frozen=True, kw_only=True):
    """Sizes are bytes, times are seconds."""

    host: str = "127.0.0.1"
    port: int = 8080
    master_key: str | None = None
    slot: int = 0  # the partition of llm.replies that is this process's
    partitions: int = 8  # of llm.requests
    body_limit: int = 10 << 20
    body_timeout: float = 30.0  # a body must have arrived by then, however slowly it trickles
    spool_dir: Path | None = (
        None  # where bodies stand that no record can carry; None: they are refused
    )
    spool_retention: float = 48 * 3600.0  # what is older there belongs to no request any more
    files_retention: float = 30 * 86_400.0  # for which the gateway keeps files; 0: for ever
    request_timeout: float = 600.0  # becomes the deadline of every request
    publish_timeout: float = 1.8
    max_in_flight: int = 4096
    max_in_flight_bytes: int = 256 << 20
    reply_buffer: int = 8 << 20  # bytes held for one slow reader before it is dropped
    write_timeout: float = 30.0  # a reader that takes nothing for so long is gone
    ping_interval: float = 15.0  # SSE keep-alive
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-For counts
    shutdown_timeout: float = 30.0
    on_disconnect: OnDisconnect = "cancel"  # for requests that do not say it
    drop_params: bool = False  # what a provider cannot be told may be left out
    redaction: Redaction = STANDARD  # what is hidden of exchanges that are shown
    sharing: Sharing | None = None  # which requests may have each other's answers; None: none
    max_lag_seconds: float = 60.0  # expected wait in the queue above which requests are refused
    cors: CorsConfig | None = None  # None: nothing is said to browsers
    base_path: str = ""  # `/prefix` under which everything is mounted
    admin_enabled: bool = True
    dashboard_enabled: bool = True  # which shows nothing without the admin API
    metrics_enabled: bool = True
    metrics_path: str = "/metrics"
    passthrough_enabled: bool = True
    passthrough_v1_alias: bool = True  # `/p/<provider>/v1/…` is `/p/<provider>/…`
    passthrough_providers: tuple[str, ...] = ()  # instances or vendors; empty: every one
