"""Settings as the structs that the folders take."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from ingress.config import IngressConfig
from providers.config import RegistryConfig, TransportConfig
from providers.instances import Instance
from schemas.claims import RECORD_BYTES
from schemas.files import DAY
from schemas.identity import Sharing
from schemas.kafka import KafkaConfig
from schemas.topics import Retention, Topic, Topics, table
from sinks.config import SinkConfig, StorageType
from sluice.settings import (
    batches,
    caching,
    cors,
    gateway,
    kafka,
    redaction,
    routing,
    semantic,
    spool,
    upstream,
    work,
)
from sluice.settings.loading import Settings
from streams.batches.config import BatchConfig
from streams.caches.config import CacheConfig
from streams.caches.rules import Rules
from streams.config import StreamsConfig
from streams.routing.config import BreakerConfig, RetryConfig, RoutingConfig


def bootstrap_servers(settings: Settings) -> str | None:
    """The cluster's brokers, else the embedded broker that has run in the data folder, else None."""
    if servers := settings[kafka.BOOTSTRAP_SERVERS]:
        return servers
    try:
        return (settings.data_dir / "bootstrap").read_text().strip() or None
    except OSError:
        return None


def kafka_config(settings: Settings, servers: str) -> KafkaConfig:
    """How every client connects."""
    return KafkaConfig(
        bootstrap_servers=servers,
        topics=Topics(settings[kafka.TOPIC_PREFIX]),
        security_protocol=settings[kafka.SECURITY_PROTOCOL],
        sasl_mechanism=settings[kafka.SASL_MECHANISM],
        sasl_username=settings[kafka.SASL_USERNAME],
        sasl_password=settings[kafka.SASL_PASSWORD],
        ssl_cafile=settings[kafka.SSL_CAFILE],
        ssl_certfile=settings[kafka.SSL_CERTFILE],
        ssl_keyfile=settings[kafka.SSL_KEYFILE],
        ssl_key_password=settings[kafka.SSL_KEY_PASSWORD],
        ssl_check_hostname=settings[kafka.SSL_CHECK_HOSTNAME],
    )


def topic_table(settings: Settings) -> list[Topic]:
    """The topics as they should be."""
    keep = Retention(
        requests_ms=_milliseconds(settings[kafka.RETENTION_REQUESTS]),
        replies_ms=_milliseconds(settings[kafka.RETENTION_REPLIES]),
        exchanges_ms=_milliseconds(settings[kafka.RETENTION_EXCHANGES]),
        idempotency_ms=_milliseconds(settings[work.IDEMPOTENCY_TTL]),
        control_ms=_milliseconds(settings[kafka.RETENTION_CONTROL]),
        dead_letters_ms=_milliseconds(settings[kafka.RETENTION_DEAD_LETTERS]),
    )
    topics = Topics(settings[kafka.TOPIC_PREFIX])
    return table(topics, settings[kafka.PARTITIONS], settings[kafka.REPLY_PARTITIONS], keep)


def ingress_config(settings: Settings) -> IngressConfig:
    """What the ingress needs."""
    return IngressConfig(
        host=settings[gateway.HOST],
        port=settings[gateway.PORT],
        master_key=settings[gateway.MASTER_KEY],
        slot=settings[gateway.SLOT],
        partitions=settings[kafka.PARTITIONS],
        body_limit=settings[gateway.BODY_SIZE_LIMIT],
        body_timeout=settings[gateway.BODY_TIMEOUT],
        spool_dir=spool.folder(settings),
        spool_retention=settings[spool.SPOOL_RETENTION],
        request_timeout=settings[upstream.HTTP_TIMEOUT],
        publish_timeout=settings[gateway.PUBLISH_TIMEOUT],
        max_in_flight=settings[gateway.MAX_IN_FLIGHT],
        max_in_flight_bytes=settings[gateway.MAX_IN_FLIGHT_BYTES],
        reply_buffer=settings[gateway.REPLY_BUFFER],
        write_timeout=settings[gateway.WRITE_TIMEOUT],
        ping_interval=settings[gateway.PING_INTERVAL],
        trusted_proxies=settings[gateway.TRUSTED_PROXIES],
        shutdown_timeout=settings[gateway.SHUTDOWN_TIMEOUT],
        max_lag_seconds=settings[gateway.MAX_QUEUE_WAIT],
        on_disconnect=settings[gateway.ON_DISCONNECT],
        drop_params=settings[gateway.DROP_PARAMS],
        files_retention=settings[batches.RETENTION_DAYS] * DAY,
        sharing=sharing(settings),
        redaction=redaction.rules(settings),
        cors=cors.config(settings),
        base_path=settings[gateway.BASE_PATH],
        admin_enabled=settings[gateway.ADMIN_ENDPOINTS_ENABLED],
        dashboard_enabled=settings[gateway.ADMIN_UI_ENABLED],
        metrics_enabled=settings[gateway.METRICS_ENABLED],
        metrics_path=gateway.metrics_path(settings),
        passthrough_enabled=settings[gateway.PASSTHROUGH],
        passthrough_v1_alias=settings[gateway.PASSTHROUGH_V1],
        passthrough_providers=_passed_through(settings),
    )


def _passed_through(settings: Settings) -> tuple[str, ...]:
    """Empty: every one."""
    names = settings[gateway.PASSTHROUGH_PROVIDERS]
    return () if {"all", "*"} & set(names) else names


def streams_config(settings: Settings) -> StreamsConfig:
    """What a worker needs."""
    return StreamsConfig(
        instance_id=settings[kafka.GROUP_INSTANCE_ID],
        concurrency=settings[work.CONCURRENCY],
        max_held=settings[work.MAX_HELD],
        max_held_bytes=settings[work.MAX_HELD_BYTES],
        batch_share=settings[work.BATCH_SHARE],
        tenant_share=settings[work.TENANT_SHARE],
        session_timeout=settings[work.STREAMS_SESSION_TIMEOUT],
        heartbeat_interval=settings[work.HEARTBEAT_INTERVAL],
        commit_interval=settings[work.COMMIT_INTERVAL],
        fetch_max_wait=settings[work.FETCH_MAX_WAIT],
        pin_limit=settings[work.PIN_LIMIT],
        shutdown_timeout=settings[gateway.SHUTDOWN_TIMEOUT],
        stall_timeout=settings[work.STALL_TIMEOUT],
        idempotency_ttl=settings[work.IDEMPOTENCY_TTL],
        idempotency_max_keys=settings[work.IDEMPOTENCY_MAX_KEYS],
        reply_topics=settings[kafka.REPLY_TOPICS],
        faust_datadir=str(settings.data_dir / "faust"),
    )


def batch_config(settings: Settings) -> BatchConfig:
    """How batches are run."""
    return BatchConfig(
        runner=settings[batches.RUNNER],
        in_flight=settings[batches.IN_FLIGHT],
        max_requests=settings[batches.MAX_REQUESTS],
        max_line=min(settings[gateway.BODY_SIZE_LIMIT], RECORD_BYTES),
        call_timeout=settings[upstream.HTTP_TIMEOUT],
        drop_params=settings[gateway.DROP_PARAMS],
        cancel_grace=settings[batches.CANCEL_TIMEOUT],
    )


def sharing(settings: Settings) -> Sharing | None:
    """Which requests may have each other's answers; None if none may."""
    if not (settings[caching.SIMPLE_ENABLED] or settings[semantic.ENABLED]):
        return None
    return Sharing(settings[caching.SCOPE], settings[caching.MAX_TEMPERATURE])


def cache_config(settings: Settings) -> CacheConfig | None:
    """How answers are kept; None if they are not."""
    if (found := sharing(settings)) is None:
        return None
    return CacheConfig(
        sharing=found,
        exact=settings[caching.SIMPLE_ENABLED],
        rules=Rules(settings[caching.TOOL_CALLS]),
        ttl=float(settings[caching.TTL_RESPONSES] or 3600),
        memory=settings[caching.MEMORY],
        max_entry=settings[caching.MAX_ENTRY],
        coalesce=settings[caching.COALESCING],
        redis_url=settings[work.REDIS_URL],
        redis_prefix=settings[caching.KEY_RESPONSES],
        redis_timeout=settings[caching.REDIS_TIMEOUT],
    )


def transport_config(settings: Settings) -> TransportConfig:
    """What calling a provider takes."""
    return TransportConfig(
        connect_timeout=settings[upstream.CONNECT_TIMEOUT],
        response_header_timeout=settings[upstream.RESPONSE_HEADER_TIMEOUT],
        first_token_timeout=settings[upstream.FIRST_TOKEN_TIMEOUT],
        stream_idle_timeout=settings[upstream.STREAM_IDLE_TIMEOUT],
        max_response=settings[upstream.MAX_RESPONSE],
        http_proxy=settings[upstream.HTTP_PROXY],
        https_proxy=settings[upstream.HTTPS_PROXY],
        no_proxy=settings[upstream.NO_PROXY],
    )


def registry_config(settings: Settings) -> RegistryConfig:
    """How the lists of models are kept."""
    return RegistryConfig(
        refresh_interval=settings[upstream.CACHE_REFRESH_INTERVAL],
        fetch_timeout=settings[upstream.CACHE_FETCH_TIMEOUT],
        recheck_interval=settings[upstream.RECHECK_INTERVAL],
        configured_models=settings[upstream.MODELS_MODE],
        aliases=settings.tables.aliases,
        only_aliases_listed=settings[upstream.ONLY_ALIASES],
        enabled_by_default=settings[upstream.ENABLED_BY_DEFAULT],
        overrides=settings.tables.overrides if settings[upstream.OVERRIDES_ENABLED] else {},
        metadata=settings.tables.metadata,
    )


def routing_config(settings: Settings) -> RoutingConfig:
    """Who answers which request, and what happens when nobody does."""
    routes = settings.tables.routes
    retry = RetryConfig(
        max_retries=settings[routing.MAX_RETRIES],
        initial_backoff=settings[routing.INITIAL_BACKOFF],
        max_backoff=settings[routing.MAX_BACKOFF],
        backoff_factor=settings[routing.BACKOFF_FACTOR],
        jitter=settings[routing.JITTER_FACTOR],
        retry_after_max=settings[routing.RETRY_AFTER_MAX],
    )
    breaker = BreakerConfig(
        failure_threshold=settings[routing.FAILURE_THRESHOLD],
        success_threshold=settings[routing.SUCCESS_THRESHOLD],
        timeout=settings[routing.BREAKER_TIMEOUT],
    )
    return RoutingConfig(
        rules=routes.rules,
        fallbacks=routes.fallbacks,
        mode=settings[routing.FALLBACK_MODE],
        modes=routes.modes,
        fallback_on=settings[routing.FALLBACK_ON],
        recovery=settings[routing.STREAM_RECOVERY],
        strategy=settings[routing.STRATEGY],
        retry=retry,
        breaker=breaker,
        retries={name: replace(retry, **each.retry) for name, each in routes.patience.items()},
        breakers={name: replace(breaker, **each.breaker) for name, each in routes.patience.items()},
        max_concurrency={
            each.name: each.max_concurrency
            for each in instances(settings)
            if each.max_concurrency is not None
        },
    )


def instances(settings: Settings) -> list[Instance]:
    """The configured accesses to providers."""
    return settings.providers.instances


def cache_dir(settings: Settings) -> Path:
    """Where the lists of models are kept."""
    return Path(settings[upstream.CACHE_DIR] or settings.data_dir / "cache")


def storage_type(settings: Settings) -> StorageType:
    """The store, chosen by what is configured if it is not named."""
    if (named := settings[work.STORAGE_TYPE]) is not None:
        return named
    if stores := settings[work.SINKS]:
        return stores[0]
    if settings[work.MONGODB_URL]:
        return "mongodb"
    return "postgresql" if settings[work.POSTGRES_URL] else "sqlite"


def sqlite_path(settings: Settings) -> str:
    """The SQLite database, in the data folder if it is not placed elsewhere."""
    return settings[work.SQLITE_PATH] or str(settings.data_dir / "sluice.db")


def sink_config(settings: Settings) -> SinkConfig:
    """What a sink needs."""
    return SinkConfig(
        storage_type=storage_type(settings),
        mongodb_url=settings[work.MONGODB_URL],
        mongodb_database=settings[work.MONGODB_DATABASE],
        postgres_url=settings[work.POSTGRES_URL],
        postgres_max_conns=settings[work.POSTGRES_MAX_CONNS],
        sqlite_path=sqlite_path(settings),
        jsonl_path=settings[work.JSONL_PATH] or str(settings.data_dir / "exchanges.jsonl"),
        bodies=settings[work.LOGGING_ENABLED] and settings[work.LOG_BODIES],
        body_limit=settings[work.LOGGING_BODY_LIMIT],
        redaction=redaction.rules(settings),
        retention_days=settings[work.RETENTION_DAYS],
        usage_retention_days=settings[work.USAGE_RETENTION_DAYS],
        batch_size=settings[work.BATCH_SIZE],
        batch_wait=settings[work.BATCH_WAIT],
        session_timeout=settings[work.SINKS_SESSION_TIMEOUT],
        instance_id=settings[kafka.GROUP_INSTANCE_ID],
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
