"""What GoModel has and Sluice has not, or not yet: accepted and told, or refused; and where GoModel's
`config.yaml` keeps what is a variable here."""

from __future__ import annotations

from typing import Any

from sluice.settings.kinds import BOOLEAN, TEXT, Kind, duration, integer
from sluice.settings.setting import Group, Setting

_BUFFERS = "exchanges go to Kafka first, so that nothing waits in a buffer that could overflow"
_DAYS = integer(0, 36_500)
_SECONDS = integer(0, 1 << 31)
_COUNT = integer(0, 1 << 31)
_WAIT = duration(0, 86_400)


def _told(
    name: str, kind: Kind[Any], default: object, why: str, what: str, **more: Any
) -> Setting[Any]:
    summary = f"In GoModel: {what}. Without effect: {why}."
    return Setting(
        name=name, kind=kind, default=default, summary=summary, without_effect=why, **more
    )


def _refused(name: str, why: str, what: str) -> Setting[Any]:
    summary = f"In GoModel: {what}. `true` stops the start: {why}."
    return Setting(name=name, kind=BOOLEAN, default=False, summary=summary, refused=why)


GROUP = Group(
    "GoModel's settings that mean nothing here",
    (
        _told(
            "SWAGGER_ENABLED",
            BOOLEAN,
            False,
            "`/openapi.json` is always there, and a page that shows it, `/docs`, where the dashboard is",
            "whether there is a Swagger page, in binaries that were built with it",
        ),
        _refused(
            "PPROF_ENABLED",
            "Go's profiler cannot look into this program; use py-spy",
            "Go's profiler under `/debug/pprof`",
        ),
        _told(
            "MODEL_LIST_URL",
            TEXT,
            "",
            "prices and metadata come with the program and from `prices` and `models` in"
            " `config.yaml`; nothing is fetched for them",
            "where prices and metadata are fetched",
        ),
        _told(
            "REDIS_KEY_MODELS",
            TEXT,
            "gomodel:models",
            "the lists of models are kept in `GOMODEL_CACHE_DIR`",
            "the key under which the lists of models are kept",
        ),
        _told(
            "REDIS_TTL_MODELS",
            _SECONDS,
            86400,
            "a list of models is kept until there is a newer one",
            "how long the lists of models are kept",
        ),
        _told(
            "SEMANTIC_CACHE_EXCLUDE_SYSTEM_PROMPT",
            BOOLEAN,
            False,
            "system prompts never count as messages, and always shape the answer",
            "whether system prompts count among the messages of a conversation",
        ),
        *(
            _told(
                f"SEMANTIC_CACHE_{store}_DIMENSION",
                TEXT,
                "",
                "the embedder's first vector says it",
                f"how many numbers a vector of {store.capitalize()} has",
            )
            for store in ("PGVECTOR", "PINECONE")
        ),
        _told(
            "WORKFLOW_REFRESH_INTERVAL",
            _WAIT,
            60.0,
            "every process follows them as they change",
            "how often workflows are read",
        ),
        _told(
            "LOGGING_LOG_HEADERS",
            BOOLEAN,
            True,
            "stored are only those headers of a provider's answer that reach the caller, and no"
            " credential is among them; without bodies (`LOGGING_LOG_BODIES`) they are left out",
            "whether headers are stored",
        ),
        _told(
            "LOGGING_ONLY_MODEL_INTERACTIONS",
            BOOLEAN,
            True,
            "only requests to providers become exchanges",
            "whether other requests are stored too",
        ),
        _told("LOGGING_BUFFER_SIZE", _COUNT, 1000, _BUFFERS, "entries that wait to be stored"),
        _told("LOGGING_FLUSH_INTERVAL", _WAIT, 5.0, _BUFFERS, "time between two writes"),
        _told("USAGE_ENABLED", BOOLEAN, True, "every exchange has its usage", "usage records"),
        _told("USAGE_BUFFER_SIZE", _COUNT, 1000, _BUFFERS, "records that wait to be stored"),
        _told("USAGE_FLUSH_INTERVAL", _WAIT, 5.0, _BUFFERS, "time between two writes"),
        _told(
            "ENABLE_GUARDRAILS_FOR_BATCH_PROCESSING",
            BOOLEAN,
            False,
            "lines of batches go through guardrails as all other requests do",
            "guardrails for batches",
        ),
    ),
    "They are read so that GoModel's files start Sluice unchanged. A value other than the default is"
    " named when a process starts and by `sluice doctor`; some values stop the start.",
)
# Every other variable of GoModel's, and what is different about it here.
HONOURED = {
    "BUDGETS_ENABLED": "",
    "PORT": "",
    "BASE_PATH": "",
    "GOMODEL_MASTER_KEY": "also `SLUICE_MASTER_KEY`, as with every `GOMODEL_X`",
    "BODY_SIZE_LIMIT": "up to 16G; above 15M a body goes by a file: see `SPOOL_DIR`",
    "ENABLE_PASSTHROUGH_ROUTES": "",
    "ALLOW_PASSTHROUGH_V1_ALIAS": "",
    "ENABLED_PASSTHROUGH_PROVIDERS": "also names of instances; `all` or `*` is every provider",
    "LOG_FORMAT": "",
    "LOG_LEVEL": "",
    "HTTP_TIMEOUT": "also `10m`; the deadline of a request, however long its stream is",
    "HTTP_RESPONSE_HEADER_TIMEOUT": "",
    "RETRY_MAX_RETRIES": "over all candidates of a request, each of which is asked once anyway; streams"
    " are retried, too, until something of them was sent",
    "RETRY_INITIAL_BACKOFF": "",
    "RETRY_MAX_BACKOFF": "",
    "RETRY_BACKOFF_FACTOR": "",
    "RETRY_JITTER_FACTOR": "by default 1: a wait is anything between nothing and all of it",
    "CIRCUIT_BREAKER_FAILURE_THRESHOLD": "per model of an instance, counted by calls",
    "CIRCUIT_BREAKER_SUCCESS_THRESHOLD": "",
    "CIRCUIT_BREAKER_TIMEOUT": "the longest time between two probes; the first comes after 1 s",
    "FEATURE_FALLBACK_MODE": "in `auto` the same model at other instances comes first; for streams"
    " until something of them was sent, and with `STREAM_RECOVERY` beyond",
    "FALLBACK_MANUAL_RULES_PATH": "also `routing.fallbacks` in `config.yaml`",
    "ADMIN_ENDPOINTS_ENABLED": "",
    "ADMIN_UI_ENABLED": "",
    "METRICS_ENABLED": "on by default",
    "METRICS_ENDPOINT": "",
    "REDIS_URL": "for kept answers; the lists of models are kept in `GOMODEL_CACHE_DIR`",
    "REDIS_KEY_RESPONSES": "",
    "REDIS_TTL_RESPONSES": "also in the worker's memory",
    "RESPONSE_CACHE_SIMPLE_ENABLED": "without `REDIS_URL`, too; tenants share nothing by default, and"
    " answers that were cut, refused or call tools are not kept",
    "SEMANTIC_CACHE_ENABLED": "guards stop answers whose numbers, names, denials or roles differ",
    "SEMANTIC_CACHE_THRESHOLD": "a cosine in every store, Weaviate's too; a caller can only tighten it",
    "SEMANTIC_CACHE_TTL": "",
    "SEMANTIC_CACHE_MAX_CONV_MESSAGES": "system prompts do not count",
    "SEMANTIC_CACHE_EMBEDDER_PROVIDER": "also `local`",
    "SEMANTIC_CACHE_EMBEDDER_MODEL": "by default `text-embedding-3-small`, of Gemini"
    " `gemini-embedding-001`",
    "SEMANTIC_CACHE_VECTOR_STORE_TYPE": "also `embedded`, the default where no address is set",
    **dict.fromkeys(
        (
            *("SEMANTIC_CACHE_QDRANT_URL", "SEMANTIC_CACHE_QDRANT_API_KEY"),
            *("SEMANTIC_CACHE_PGVECTOR_URL", "SEMANTIC_CACHE_PINECONE_HOST"),
            *("SEMANTIC_CACHE_PINECONE_API_KEY", "SEMANTIC_CACHE_WEAVIATE_URL"),
            "SEMANTIC_CACHE_WEAVIATE_API_KEY",
        ),
        "",
    ),
    "SEMANTIC_CACHE_QDRANT_COLLECTION": "by default `sluice_semantic_cache`",
    "SEMANTIC_CACHE_PGVECTOR_TABLE": "by default `sluice_semantic_cache`; the columns are Sluice's",
    "SEMANTIC_CACHE_PINECONE_NAMESPACE": "by default `sluice`",
    "SEMANTIC_CACHE_WEAVIATE_CLASS": "by default `SluiceSemanticCache`",
    "CACHE_REFRESH_INTERVAL": "",
    "GOMODEL_CACHE_DIR": "by default in `SLUICE_DATA_DIR`",
    "MODELS_ENABLED_BY_DEFAULT": "",
    "MODEL_OVERRIDES_ENABLED": "overrides stand in `config.yaml`",
    "KEEP_ONLY_ALIASES_AT_MODELS_ENDPOINT": "",
    "CONFIGURED_PROVIDER_MODELS_MODE": "in `fallback` configured models stay in the list beside the"
    " provider's",
    "STORAGE_TYPE": "also `jsonl`",
    "POSTGRES_URL": "the tables are Sluice's",
    "POSTGRES_MAX_CONNS": "of each ingress and worker",
    "SQLITE_PATH": "by default in `SLUICE_DATA_DIR`; the tables are Sluice's",
    "MONGODB_URL": "",
    "MONGODB_DATABASE": "by default `sluice`",
    "LOGGING_ENABLED": "on by default: exchanges are stored anyway, this decides on their bodies",
    "LOGGING_LOG_BODIES": "",
    "LOGGING_RETENTION_DAYS": "",
    "USAGE_RETENTION_DAYS": "of the sums by hour and day, by default 400; exchanges have"
    " `LOGGING_RETENTION_DAYS`",
    "ENFORCE_RETURNING_USAGE_DATA": "the additional chunk is hidden from callers that did not ask"
    " for it",
    "GUARDRAILS_ENABLED": "where no workflow says otherwise, all rules of `config.yaml` apply",
    "<VENDOR>[_<NAME>]_API_KEY": "an instance without the key that it needs is left out and told",
    "<VENDOR>[_<NAME>]_BASE_URL": "`GEMINI_BASE_URL` is Gemini's own API by default; one that ends in"
    " `/openai` is its OpenAI-compatible side, as in GoModel",
    "<VENDOR>[_<NAME>]_MODELS": "",
    "AZURE_API_VERSION": "without one the v1 API is meant, if the base URL names no deployment",
    "ANTHROPIC_DEFAULT_MAX_TOKENS": "",
    "OPENROUTER_SITE_URL": "nothing is sent by default",
    "OPENROUTER_APP_NAME": "nothing is sent by default",
    "HTTP_PROXY": "",
    "HTTPS_PROXY": "",
    "NO_PROXY": "",
}
# Variables whose names nobody can list.
PREFIXES: dict[str, str] = {}
# Tables of config.yaml that are no settings.
TABLES = {
    "budgets.user_paths": "budgets are set by SET_BUDGET_… and the admin API",
}
# Keys of config.yaml that are called otherwise than their variables.
KEYS = {
    **{
        f"server.{key}": key.upper()
        for key in (
            *("port", "base_path", "body_size_limit", "swagger_enabled", "pprof_enabled"),
            *("enable_passthrough_routes", "allow_passthrough_v1_alias"),
            "enabled_passthrough_providers",
        )
    },
    "server.master_key": "GOMODEL_MASTER_KEY",
    "models.enabled_by_default": "MODELS_ENABLED_BY_DEFAULT",
    "models.overrides_enabled": "MODEL_OVERRIDES_ENABLED",
    "models.keep_only_aliases_at_models_endpoint": "KEEP_ONLY_ALIASES_AT_MODELS_ENDPOINT",
    "models.configured_provider_models_mode": "CONFIGURED_PROVIDER_MODELS_MODE",
    "cache.model.refresh_interval": "CACHE_REFRESH_INTERVAL",
    "cache.model.recheck_interval": "PROVIDER_RECHECK_INTERVAL",
    "cache.model.model_list.url": "MODEL_LIST_URL",
    "cache.model.local.cache_dir": "GOMODEL_CACHE_DIR",
    "cache.model.redis.url": "REDIS_URL",
    "cache.model.redis.key": "REDIS_KEY_MODELS",
    "cache.model.redis.ttl": "REDIS_TTL_MODELS",
    "cache.response.simple.enabled": "RESPONSE_CACHE_SIMPLE_ENABLED",
    "cache.response.simple.redis.url": "REDIS_URL",
    "cache.response.simple.redis.key": "REDIS_KEY_RESPONSES",
    "cache.response.simple.redis.ttl": "REDIS_TTL_RESPONSES",
    "cache.response.semantic.enabled": "SEMANTIC_CACHE_ENABLED",
    "cache.response.semantic.similarity_threshold": "SEMANTIC_CACHE_THRESHOLD",
    "cache.response.semantic.ttl": "SEMANTIC_CACHE_TTL",
    "cache.response.semantic.max_conversation_messages": "SEMANTIC_CACHE_MAX_CONV_MESSAGES",
    "cache.response.semantic.exclude_system_prompt": "SEMANTIC_CACHE_EXCLUDE_SYSTEM_PROMPT",
    "cache.response.semantic.embedder.provider": "SEMANTIC_CACHE_EMBEDDER_PROVIDER",
    "cache.response.semantic.embedder.model": "SEMANTIC_CACHE_EMBEDDER_MODEL",
    "cache.response.semantic.vector_store.type": "SEMANTIC_CACHE_VECTOR_STORE_TYPE",
    **{
        f"cache.response.semantic.vector_store.{store}.{field}": f"SEMANTIC_CACHE_{store}_{field}".upper()
        for store, fields in (
            ("qdrant", ("url", "collection", "api_key")),
            ("pgvector", ("url", "table", "dimension")),
            ("pinecone", ("host", "api_key", "namespace", "dimension")),
            ("weaviate", ("url", "class", "api_key")),
        )
        for field in fields
    },
    "storage.sqlite.path": "SQLITE_PATH",
    "storage.postgresql.url": "POSTGRES_URL",
    "storage.postgresql.max_conns": "POSTGRES_MAX_CONNS",
    "storage.mongodb.url": "MONGODB_URL",
    "storage.mongodb.database": "MONGODB_DATABASE",
    "usage.enforce_returning_usage_data": "ENFORCE_RETURNING_USAGE_DATA",
    "workflows.refresh_interval": "WORKFLOW_REFRESH_INTERVAL",
    **{
        f"resilience.retry.{key}": f"RETRY_{key.upper()}"
        for key in (
            *("max_retries", "initial_backoff", "max_backoff", "backoff_factor", "jitter_factor"),
        )
    },
    **{
        f"resilience.circuit_breaker.{key}": f"CIRCUIT_BREAKER_{key.upper()}"
        for key in ("failure_threshold", "success_threshold", "timeout")
    },
    "guardrails.enable_for_batch_processing": "ENABLE_GUARDRAILS_FOR_BATCH_PROCESSING",
    "admin.endpoints_enabled": "ADMIN_ENDPOINTS_ENABLED",
    "admin.ui_enabled": "ADMIN_UI_ENABLED",
    "fallback.default_mode": "FEATURE_FALLBACK_MODE",
    "fallback.manual_rules_path": "FALLBACK_MANUAL_RULES_PATH",
}
