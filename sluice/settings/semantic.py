"""The rows of the semantic cache."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, get_args

from sluice.settings import caching
from sluice.settings.kinds import (
    BOOLEAN,
    TEXT,
    Kind,
    choice,
    duration,
    integer,
    number,
    optional,
    size,
    url,
)
from sluice.settings.setting import Group, Setting
from streams.caches.meaning.config import SemanticConfig

if TYPE_CHECKING:
    from sluice.settings.loading import Settings

VectorStoreType = Literal["embedded", "weaviate", "qdrant", "pgvector", "pinecone"]
_SEMANTIC = SemanticConfig()
_TABLE = re.compile(r"[a-z_][a-z0-9_]{0,50}")
_CLASS = re.compile(r"[A-Z][A-Za-z0-9_]{0,200}")
LOCAL = "local"


def _named(pattern: re.Pattern[str], accepts: str) -> Kind[str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError("no such name")
        return text

    return Kind(accepts, parse, str)


def _judge(text: str) -> str:
    if text in ("exact", "embedding") or text.removeprefix("model:") not in (text, ""):
        return text
    raise ValueError("not one of them")


ENABLED = Setting(
    name="SEMANTIC_CACHE_ENABLED",
    kind=BOOLEAN,
    default=False,
    summary="Whether an answer is given again to a question that means the same in other words. "
    "`SEMANTIC_CACHE_EMBEDDER_PROVIDER` must say who embeds.",
)
SHADOW = Setting(
    name="SEMANTIC_CACHE_SHADOW",
    kind=BOOLEAN,
    default=_SEMANTIC.shadow,
    summary="Measure only: every request is still answered by a call, and what the cache would have "
    "said is compared with it.",
)
THRESHOLD = Setting(
    name="SEMANTIC_CACHE_THRESHOLD",
    kind=number(0, 1),
    default=_SEMANTIC.threshold,
    summary="From this cosine of two questions on the answer of one is given to the other, unless "
    "numbers, names, denials or roles differ. Without effect beside `SEMANTIC_CACHE_MAX_ERROR_RATE`.",
)
MAX_ERROR_RATE = Setting(
    name="SEMANTIC_CACHE_MAX_ERROR_RATE",
    kind=optional(number(0.0001, 0.5)),
    default=_SEMANTIC.max_error_rate,
    unset="the threshold decides",
    summary="Wrong answers that may be given, as a share of the requests that reach the semantic cache: "
    "it learns which answers it may give, and keeps an account of them.",
)
JUDGE = Setting(
    name="SEMANTIC_CACHE_JUDGE",
    kind=Kind("exact, embedding or model:<name of a model>", _judge, str),
    default=_SEMANTIC.judge,
    summary="Who compares a kept answer with a fresh one: `exact` words, the `embedding` of the answers, "
    "or a model that reads both questions and the kept answer.",
)
TTL = Setting(
    name="SEMANTIC_CACHE_TTL",
    kind=integer(0, 1 << 31),
    default=int(_SEMANTIC.ttl),
    summary="Seconds that an answer is kept; 0 is an hour.",
)
MAX_MESSAGES = Setting(
    name="SEMANTIC_CACHE_MAX_CONV_MESSAGES",
    kind=integer(1, 1 << 31),
    default=_SEMANTIC.max_messages,
    summary="A longer conversation gets an answer of its own. System prompts do not count.",
)
TIMEOUT = Setting(
    name="SEMANTIC_CACHE_TIMEOUT",
    kind=duration(0.001, 60),
    default=_SEMANTIC.timeout,
    summary="A look-up, with its embedding, that takes longer is a miss.",
)
EMBEDDER_PROVIDER = Setting(
    name="SEMANTIC_CACHE_EMBEDDER_PROVIDER",
    kind=TEXT,
    default="",
    summary="Who embeds questions: the name of an instance, or `local` for a model in the worker "
    "(`pip install 'sluice[local-embeddings]'`).",
)
EMBEDDER_MODEL = Setting(
    name="SEMANTIC_CACHE_EMBEDDER_MODEL",
    kind=TEXT,
    default="",
    unset="`text-embedding-3-small`, `gemini-embedding-001` of Gemini, MiniLM-L6 if local",
    summary="What embeds them: a model of that instance; if local a folder with `model.onnx` and "
    "`tokenizer.json`, or the name of a model that `fastembed` fetches.",
)
# Of the vendors that have another default.
DEFAULT_MODELS = {"gemini": "gemini-embedding-001"}
DEFAULT_MODEL = "text-embedding-3-small"
DEFAULT_LOCAL_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
STORE_TYPE = Setting[VectorStoreType | None](
    name="SEMANTIC_CACHE_VECTOR_STORE_TYPE",
    kind=optional(choice(get_args(VectorStoreType))),
    default=None,
    unset="the one whose address is set, else `embedded`",
    summary="Where questions are kept and found. `embedded` is a file in `SLUICE_DATA_DIR` that each "
    "worker has for itself; the others are shared by all workers.",
)
MAX_ENTRIES = Setting(
    name="SEMANTIC_CACHE_EMBEDDED_MAX_ENTRIES",
    kind=integer(16, 10_000_000),
    default=_SEMANTIC.max_entries,
    summary="Questions in the embedded store; the oldest go first. Each takes about 1 kB of memory.",
)
MEMORY = Setting(
    name="SEMANTIC_CACHE_EMBEDDED_MEMORY",
    kind=size(1 << 20, 64 << 30),
    default=_SEMANTIC.max_answer_bytes,
    summary="Memory for their answers.",
)


def _url(name: str, what: str, *schemes: str, secret: bool = False) -> Setting[str | None]:
    return Setting(
        name=name, kind=optional(url(*schemes)), default=None, summary=what, secret=secret
    )


def _key(name: str, what: str) -> Setting[str]:
    return Setting(name=name, kind=TEXT, default="", summary=what, secret=True)


KEY_LEARNT = Setting(
    name="SEMANTIC_CACHE_REDIS_KEY",
    kind=TEXT,
    default="sluice:semantic:",
    summary="What the keys of what was learnt begin with in Redis, where `REDIS_URL` is set. Otherwise it "
    "stands in `SLUICE_DATA_DIR`.",
)
WEAVIATE_URL = _url("SEMANTIC_CACHE_WEAVIATE_URL", "Weaviate's address.", "http", "https")
WEAVIATE_GRPC = Setting(
    name="SEMANTIC_CACHE_WEAVIATE_GRPC",
    kind=optional(TEXT),
    default=None,
    unset="that host and 50051",
    summary="Host and port of Weaviate's gRPC.",
)
WEAVIATE_CLASS = Setting(
    name="SEMANTIC_CACHE_WEAVIATE_CLASS",
    kind=_named(_CLASS, "a class's name, with a capital letter first"),
    default="SluiceSemanticCache",
    summary="The class that is made there.",
)
WEAVIATE_KEY = _key("SEMANTIC_CACHE_WEAVIATE_API_KEY", "Weaviate's key.")
QDRANT_URL = _url("SEMANTIC_CACHE_QDRANT_URL", "Qdrant's address.", "http", "https")
QDRANT_COLLECTION = Setting(
    name="SEMANTIC_CACHE_QDRANT_COLLECTION",
    kind=TEXT,
    default="sluice_semantic_cache",
    summary="The collection that is made there.",
)
QDRANT_KEY = _key("SEMANTIC_CACHE_QDRANT_API_KEY", "Qdrant's key.")
PGVECTOR_URL = _url(
    "SEMANTIC_CACHE_PGVECTOR_URL",
    "The PostgreSQL server with the extension pgvector.",
    *("postgres", "postgresql"),
    secret=True,
)
PGVECTOR_TABLE = Setting(
    name="SEMANTIC_CACHE_PGVECTOR_TABLE",
    kind=_named(_TABLE, "a plain name of a table in small letters"),
    default="sluice_semantic_cache",
    summary="The table that is made there.",
)
PINECONE_HOST = Setting(
    name="SEMANTIC_CACHE_PINECONE_HOST",
    kind=TEXT,
    default="",
    summary="The address of Pinecone's index, as its console shows it; its metric must be cosine.",
)
PINECONE_KEY = _key("SEMANTIC_CACHE_PINECONE_API_KEY", "Pinecone's key.")
PINECONE_NAMESPACE = Setting(
    name="SEMANTIC_CACHE_PINECONE_NAMESPACE",
    kind=TEXT,
    default="sluice",
    summary="The namespace in the index.",
)
# What each store cannot do without.
NEEDED: dict[VectorStoreType, tuple[Setting[Any], ...]] = {
    "weaviate": (WEAVIATE_URL,),
    "qdrant": (QDRANT_URL,),
    "pgvector": (PGVECTOR_URL,),
    "pinecone": (PINECONE_HOST, PINECONE_KEY),
}
GROUP = Group(
    "Answers to other words",
    (
        *(ENABLED, MAX_ERROR_RATE, THRESHOLD, SHADOW, JUDGE, TTL, MAX_MESSAGES, TIMEOUT),
        *(EMBEDDER_PROVIDER, EMBEDDER_MODEL, STORE_TYPE, MAX_ENTRIES, MEMORY, KEY_LEARNT),
        *(WEAVIATE_URL, WEAVIATE_GRPC, WEAVIATE_CLASS, WEAVIATE_KEY),
        *(QDRANT_URL, QDRANT_COLLECTION, QDRANT_KEY, PGVECTOR_URL, PGVECTOR_TABLE),
        *(PINECONE_HOST, PINECONE_KEY, PINECONE_NAMESPACE),
    ),
    "The semantic cache; [caching.md](caching.md#the-same-in-other-words) says how it decides.",
)


def config(settings: Settings) -> SemanticConfig | None:
    """How answers are given to other words; None if they are not."""
    if not settings[ENABLED]:
        return None
    return SemanticConfig(
        threshold=settings[THRESHOLD],
        max_error_rate=settings[MAX_ERROR_RATE],
        shadow=settings[SHADOW],
        judge=settings[JUDGE],
        ttl=float(settings[TTL] or 3600),
        max_messages=settings[MAX_MESSAGES],
        hottest=max(1.0, settings[caching.MAX_TEMPERATURE]),
        timeout=settings[TIMEOUT],
        max_entries=settings[MAX_ENTRIES],
        max_answer_bytes=settings[MEMORY],
    )


def store_type(settings: Settings) -> VectorStoreType:
    """The store of vectors, chosen by what is configured if it is not named."""
    if (named := settings[STORE_TYPE]) is not None:
        return named
    complete = (name for name, rows in NEEDED.items() if all(settings[row] for row in rows))
    return next(complete, "embedded")


def contradictions(settings: Settings) -> list[str]:
    """What the semantic cache cannot do without."""
    if not settings[ENABLED]:
        return []
    problems = []
    provider, known = (
        settings[EMBEDDER_PROVIDER],
        [each.name for each in settings.providers.instances],
    )
    if provider not in (LOCAL, *known):
        said = f"is {provider!r}, which is no configured provider" if provider else "is not set"
        problems.append(
            f"SEMANTIC_CACHE_ENABLED is true, but {EMBEDDER_PROVIDER.name} {said}: say local"
            f" or one of {', '.join(known) or '(none is configured)'}"
        )
    chosen = settings[STORE_TYPE]
    problems += [
        f"{STORE_TYPE.name} is {chosen}, but {row.name} is not set"
        for row in (NEEDED.get(chosen, ()) if chosen else ())
        if not settings[row]
    ]
    if settings[MAX_ERROR_RATE] is not None and THRESHOLD.name in settings.origins:
        settings.notes.append(f"{THRESHOLD.name} has no effect: {MAX_ERROR_RATE.name} decides")
    return problems
