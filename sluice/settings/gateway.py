"""The rows for HTTP, access, logs and the program itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from ingress.config import IngressConfig
from ingress.lasting import ON_DISCONNECT as POLICIES, OnDisconnect
from schemas.faultpoints import FAULT_POINTS
from sluice.settings.kinds import (
    BASE_PATH as BASE_PATH_KIND,
    BOOLEAN,
    HEADER_SECRET,
    HOST as HOST_KIND,
    NETWORKS,
    PATH,
    PORT as PORT_KIND,
    PRESENCE,
    PROVIDERS,
    LogFormat,
    LogLevel,
    checked,
    choice,
    duration,
    integer,
    optional,
    size,
)
from sluice.settings.setting import Group, Setting

if TYPE_CHECKING:
    from sluice.settings.loading import Settings

_INGRESS = IngressConfig()


def _fault_point(text: str) -> None:
    name, colon, count = text.partition(":")
    if name not in FAULT_POINTS:
        raise ValueError("unknown fault point")
    if colon and not (count.isascii() and count.isdigit() and int(count) > 0):
        raise ValueError("after the colon stands how often it is passed, from 1")


def _supervisor(text: str) -> None:
    pid, _, descriptor = text.partition(":")
    int(pid), int(descriptor)


HOST = Setting(
    name="HOST",
    kind=HOST_KIND,
    default=_INGRESS.host,
    summary="Address on which the gateway listens; the container image sets `0.0.0.0`.",
)
PORT = Setting(
    name="PORT", kind=PORT_KIND, default=_INGRESS.port, summary="Port on which the gateway listens."
)
MASTER_KEY = Setting[str | None](
    name="GOMODEL_MASTER_KEY",
    kind=optional(HEADER_SECRET),
    default=None,
    secret=True,
    summary="The key that every client must send, as `Authorization: Bearer` or `x-api-key`.",
    unset="the gateway is open to everybody who reaches it",
)
TRUSTED_PROXIES = Setting[tuple[str, ...]](
    name="TRUSTED_PROXIES",
    kind=NETWORKS,
    default=(),
    summary="Networks of reverse proxies whose `X-Forwarded-For` names the client.",
    unset="the peer's address is the client's",
)
BODY_SIZE_LIMIT = Setting(
    name="BODY_SIZE_LIMIT",
    kind=size(1 << 10, 16 << 30),
    default=_INGRESS.body_limit,
    summary="Largest request body; a larger one is answered by 413. More than 15M need `SPOOL_DIR`.",
)
BODY_TIMEOUT = Setting(
    name="INGRESS_BODY_TIMEOUT",
    kind=duration(0.1, 3600),
    default=_INGRESS.body_timeout,
    summary="A request's body must have arrived by then, however slowly it trickles; one of more than "
    "15M has as long again for each further 15M.",
)
PUBLISH_TIMEOUT = Setting(
    name="INGRESS_PUBLISH_TIMEOUT",
    kind=duration(0.1, 60),
    default=_INGRESS.publish_timeout,
    summary="Without Kafka's acknowledgement by then, a request is refused with 503.",
)
MAX_IN_FLIGHT = Setting(
    name="INGRESS_MAX_IN_FLIGHT",
    kind=integer(1, 1_000_000),
    default=_INGRESS.max_in_flight,
    summary="Requests that one ingress has in flight at most; more are answered by 503.",
)
MAX_IN_FLIGHT_BYTES = Setting(
    name="INGRESS_MAX_IN_FLIGHT_BYTES",
    kind=size(1 << 20, 64 << 30),
    default=_INGRESS.max_in_flight_bytes,
    summary="Bytes of the bodies of requests in flight that one ingress holds at most.",
)
REPLY_BUFFER = Setting(
    name="INGRESS_REPLY_BUFFER",
    kind=size(64 << 10, 1 << 30),
    default=_INGRESS.reply_buffer,
    summary="Bytes of an answer that wait for one slow reader before it is dropped.",
)
WRITE_TIMEOUT = Setting(
    name="INGRESS_WRITE_TIMEOUT",
    kind=duration(1, 3600),
    default=_INGRESS.write_timeout,
    summary="A reader that takes nothing for so long is dropped.",
)
PING_INTERVAL = Setting(
    name="INGRESS_PING_INTERVAL",
    kind=duration(0.1, 3600),
    default=_INGRESS.ping_interval,
    summary="Silence after which a stream gets an SSE comment, so that no proxy closes it.",
)
MAX_QUEUE_WAIT = Setting(
    name="INGRESS_MAX_QUEUE_WAIT",
    kind=duration(1, 86_400),
    default=_INGRESS.max_lag_seconds,
    summary="Expected wait for a worker above which requests are answered by 503.",
)
ON_DISCONNECT = Setting[OnDisconnect](
    name="INGRESS_ON_DISCONNECT",
    kind=choice(POLICIES),
    default=_INGRESS.on_disconnect,
    summary="What becomes of a request whose client goes: `cancel`, `finish` (it ends and is recorded) "
    "or `background` (and its answer can be fetched); a request may say it itself.",
)
SLOT = Setting(
    name="SLUICE_SLOT",
    kind=integer(0, 4095),
    default=_INGRESS.slot,
    summary="This ingress process's partition of the reply topic; no two may share one.",
)

BASE_PATH = Setting(
    name="BASE_PATH",
    kind=BASE_PATH_KIND,
    default=_INGRESS.base_path,
    summary="Path under which everything is mounted, for a gateway behind a prefix.",
)
DROP_PARAMS = Setting(
    name="DROP_PARAMS",
    kind=BOOLEAN,
    default=_INGRESS.drop_params,
    summary="Whether a field that a provider cannot be told is left out, and named in the response "
    "header `sluice-dropped-params`, where leaving it out changes what is asked; else 400.",
)
PASSTHROUGH = Setting(
    name="ENABLE_PASSTHROUGH_ROUTES",
    kind=BOOLEAN,
    default=_INGRESS.passthrough_enabled,
    summary="Whether `/p/<provider>/…` hands any request on to that provider.",
)
PASSTHROUGH_V1 = Setting(
    name="ALLOW_PASSTHROUGH_V1_ALIAS",
    kind=BOOLEAN,
    default=_INGRESS.passthrough_v1_alias,
    summary="Whether `/p/<provider>/v1/…` means `/p/<provider>/…`.",
)
PASSTHROUGH_PROVIDERS = Setting[tuple[str, ...]](
    name="ENABLED_PASSTHROUGH_PROVIDERS",
    kind=PROVIDERS,
    default=("openai", "anthropic", "openrouter", "zai", "vllm"),
    summary="The providers that `/p/<provider>/…` reaches.",
)

DATA_DIR = Setting(
    name="SLUICE_DATA_DIR",
    kind=PATH,
    default="data",
    summary="Folder of the embedded broker, the SQLite database and small state files.",
)
SHUTDOWN_TIMEOUT = Setting(
    name="SHUTDOWN_TIMEOUT",
    kind=duration(1, 3600),
    default=_INGRESS.shutdown_timeout,
    summary="How long a stop waits for running work; `serve` shares it out among its roles.",
)
SIM_PORT = Setting[int | None](
    name="SLUICE_SIM_PORT",
    kind=optional(PORT_KIND),
    default=None,
    summary="Port of the simulated provider.",
    unset="a free one under `serve`, 8089 for `sluice sim`",
)

LOG_LEVEL = Setting[LogLevel](
    name="LOG_LEVEL",
    kind=choice(get_args(LogLevel), {"warning": "warn"}),
    default="info",
    summary="Least level that is logged.",
)
LOG_FORMAT = Setting[LogFormat](
    name="LOG_FORMAT",
    kind=choice(get_args(LogFormat), {"console": "text"}),
    default="auto",
    summary="Form of the log: `auto` is text on a terminal and JSON elsewhere.",
)
NO_COLOR = Setting(
    name="NO_COLOR", kind=PRESENCE, default=False, summary="If present, logs have no colours."
)
FORCE_COLOR = Setting(
    name="FORCE_COLOR",
    kind=PRESENCE,
    default=False,
    summary="If present, text logs have colours even where no terminal is.",
)
ADMIN_ENDPOINTS_ENABLED = Setting(
    name="ADMIN_ENDPOINTS_ENABLED",
    kind=BOOLEAN,
    default=_INGRESS.admin_enabled,
    summary="Whether the ingress has the admin API.",
)
ADMIN_UI_ENABLED = Setting(
    name="ADMIN_UI_ENABLED",
    kind=BOOLEAN,
    default=_INGRESS.dashboard_enabled,
    summary="Whether the ingress has the dashboard, which asks the admin API.",
)
METRICS_ENABLED = Setting(
    name="METRICS_ENABLED",
    kind=BOOLEAN,
    default=_INGRESS.metrics_enabled,
    summary="Whether the ingress has a page for Prometheus.",
)
METRICS_ENDPOINT = Setting(
    name="METRICS_ENDPOINT",
    kind=BASE_PATH_KIND,
    default=_INGRESS.metrics_path,
    summary="Path of that page; one that would hide the API means the default.",
)
METRICS_PORT = Setting[int | None](
    name="METRICS_PORT",
    kind=optional(PORT_KIND),
    default=None,
    summary="Port of `/metrics` of `sluice streams` and `sluice sinks`; under `serve` the streams "
    "have this one and the sinks the next. The ingress has `/metrics` on its own port.",
    unset="streams and sinks serve none",
)
METRICS_HOST = Setting(
    name="METRICS_HOST",
    kind=HOST_KIND,
    default="127.0.0.1",
    summary="Address on which `METRICS_PORT` listens.",
)

FAULT_POINT = Setting[str | None](
    name="SLUICE_FAULT_POINT",
    kind=optional(checked("name or name:n of " + ", ".join(FAULT_POINTS), _fault_point)),
    default=None,
    summary="For tests only: the process kills itself when it reaches this point (the n-th time).",
)
SUPERVISOR = Setting[str | None](
    name="SLUICE_SUPERVISOR",
    kind=optional(checked("pid:descriptor", _supervisor)),
    default=None,
    summary="Set by `sluice serve` for its children; not for use.",
)

HTTP_GROUP = Group(
    "HTTP",
    (
        *(HOST, PORT, BASE_PATH, MASTER_KEY, TRUSTED_PROXIES, BODY_SIZE_LIMIT, BODY_TIMEOUT),
        *(DROP_PARAMS, PASSTHROUGH, PASSTHROUGH_V1, PASSTHROUGH_PROVIDERS, PUBLISH_TIMEOUT),
        *(MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES, MAX_QUEUE_WAIT, REPLY_BUFFER, WRITE_TIMEOUT),
        *(PING_INTERVAL, ON_DISCONNECT, SLOT),
    ),
)
PROGRAM_GROUP = Group("The program", (DATA_DIR, SHUTDOWN_TIMEOUT, SIM_PORT))
LOG_GROUP = Group(
    "Logs and metrics",
    (
        *(LOG_LEVEL, LOG_FORMAT, NO_COLOR, FORCE_COLOR),
        *(ADMIN_ENDPOINTS_ENABLED, ADMIN_UI_ENABLED),
        *(METRICS_ENABLED, METRICS_ENDPOINT, METRICS_PORT, METRICS_HOST),
    ),
)
INTERNAL_GROUP = Group("Tests and internals", (FAULT_POINT, SUPERVISOR))


def metrics_path(settings: Settings) -> str:
    """As GoModel has it: a path that would hide the API falls back to the usual one."""
    path = settings[METRICS_ENDPOINT]
    taken = path == "" or path.split("/")[1] in ("v1", "v1beta", "p", "health")
    return METRICS_ENDPOINT.default if taken else path
