"""Query parameters and headers by name: what each means and what it may be."""

from __future__ import annotations

from typing import Any

from ingress.api.admin_usage import HITS
from ingress.categories import CATEGORIES, EVERY as EVERY_KIND
from ingress.conversation import LIMIT as THREAD_LIMIT, MOST as THREAD_MOST
from ingress.lasting import DISCONNECT, EVENT_IDS, ON_DISCONNECT
from ingress.listing import LIMIT, MOST
from ingress.periods import DAYS, INTERVALS, MOST_DAYS
from schemas.analytics import COUNTED
from schemas.exchange import OUTCOME_TYPE

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "string", "enum": ["true", "false"]}
_DAY: Json = {"type": "string", "format": "date"}


def _number(most: int, least: int = 0, default: int | None = None) -> Json:
    found: Json = {"type": "integer", "minimum": least, "maximum": most}
    return found if default is None else found | {"default": default}


# Description and schema by name; where one name means several things, a word stands before it.
QUERY: dict[str, tuple[str, Json]] = {
    "days": ("How many days, the last one included.", _number(MOST_DAYS, 1, DAYS)),
    "start_date": ("The first day; stands before `days`.", _DAY),
    "end_date": ("The last day; today without it.", _DAY),
    "interval": ("What rows are put together to.", {"enum": list(INTERVALS), "default": "daily"}),
    "timezone": ("IANA name of the zone whose days are meant.", TEXT | {"default": "UTC"}),
    "cache_mode": (
        "Whether what caches answered counts.",
        {"enum": list(HITS), "default": "uncached"},
    ),
    "format": ("`csv` for a table.", {"enum": ["json", "csv"], "default": "json"}),
    "model": ("Of this model.", TEXT),
    "requested_model": ("That asked for a model by this name.", TEXT),
    "provider": ("Of this instance.", TEXT),
    "user_path": ("Of this user path, and those below.", TEXT),
    "auth_key_id": ("Of the key of this id; a client's key sees only its own.", TEXT),
    "outcome": ("That ended so.", {"enum": list(OUTCOME_TYPE)}),
    "operation": ("That asked for this: `chat`, `embeddings`, …", TEXT),
    "status_code": ("That were told this status.", _number(999)),
    "error_code": ("That ended with this error.", TEXT),
    "stream": ("That were streams, or were not.", FLAG),
    "search": ("In whose ids, models or paths this stands.", TEXT),
    "limit": ("How many at most.", _number(MOST, 0, LIMIT)),
    "offset": ("How many to pass over; better: `cursor`.", _number(COUNTED)),
    "cursor": ("`next_cursor` of the page before.", TEXT),
    "key": ("The entry of this key (`X-Cache-Key`).", TEXT),
    "tag": ("With this tag.", TEXT),
    "reason": ("In whose reason this stands.", TEXT),
    "request": ("Of the request of this id.", TEXT),
    "since": ("Not before: an age (`2h`), a date, or RFC 3339.", TEXT),
    "until": ("Before: the same.", TEXT),
    "log_id": ("An entry of the audit log; its thread is meant.", TEXT),
    "thread limit": ("How many at most.", _number(THREAD_MOST, 1, THREAD_LIMIT)),
    "category": (
        "Only models of this category.",
        {"enum": list(CATEGORIES), "default": EVERY_KIND},
    ),
    "letters limit": ("How many at most.", _number(1000, 0, 100)),
    "bodies": ("With the request and its answer.", FLAG | {"default": "false"}),
    "wait": ("Seconds to wait for its end.", _number(60, 0, 10)),
    "starting_after": ("How many events you have; those after them are sent.", _number(10**9)),
    "responses starting_after": (
        "`sequence_number` of the last event that you have.",
        _number(10**9),
    ),
    "told stream": ("The answer as the stream of events that it was.", FLAG),
    "after": ("The id of the last item that you have.", TEXT),
    "items limit": ("How many at most.", _number(100, 1, 20)),
    "order": ("", {"enum": ["asc", "desc"], "default": "desc"}),
    "models limit": ("Of Anthropic's list: models on a page.", _number(1000, 1, 20)),
    "after_id": ("Of Anthropic's list: behind this one.", TEXT),
    "before_id": ("Of Anthropic's list: before this one.", TEXT),
    "pageSize": ("Of Gemini's list: models on a page.", _number(1000, 1, 50)),
    "pageToken": ("Of Gemini's list: `nextPageToken` of the page before.", TEXT),
    "alt": ("`sse`: a stream is server-sent events, else the elements of one array.", TEXT),
}
HEADERS: dict[str, tuple[str, Json]] = {
    "x-request-id": ("Your name for the request: echoed, sent upstream and recorded.", TEXT),
    "x-sluice-user-path": ("The tenant label, such as `/team/billing`.", TEXT),
    "traceparent": ("W3C trace context.", TEXT),
    "idempotency-key": ("Requests with an equal one make one call.", TEXT | {"maxLength": 255}),
    "prefer": ("`respond-async`: 202 and where to look; `respond-async, wait=10`.", TEXT),
    EVENT_IDS: (
        "`1`: the events of a stream are numbered and can be resumed.",
        {"enum": ["0", "1"]},
    ),
    DISCONNECT: ("What becomes of the request if you go.", {"enum": list(ON_DISCONNECT)}),
    "sluice-drop-params": ("What the provider cannot be told may be left out.", FLAG),
    "cache-control": ("`no-cache`, `no-store`, `max-age=60`, `only-if-cached`.", TEXT),
    "x-cache-type": ("`exact`, `semantic`, `both`.", TEXT),
    "x-cache-ttl": ("Seconds for which the answer is kept.", TEXT),
    "x-cache-semantic-threshold": ("Cosine similarity from which a kept answer is given.", TEXT),
    "x-cache-tags": ("By which kept answers can be forgotten, with commas between.", TEXT),
    "anthropic-version": ("Of Anthropic's API; makes lists of models Anthropic's.", TEXT),
    "sluice-provider": ("Which instance keeps or runs it.", TEXT),
    "last-event-id": ("The number of the last event that you have.", TEXT),
    "if-match": ("The version that you mean to change: its ETag. Another one is 409.", TEXT),
    "if-none-match": ("The ETag that you have.", TEXT),
}
ASKING = (
    *("x-request-id", "x-sluice-user-path", "traceparent", "idempotency-key", "prefer"),
    *(EVENT_IDS, DISCONNECT, "sluice-drop-params"),
    *("cache-control", "x-cache-type", "x-cache-ttl", "x-cache-semantic-threshold", "x-cache-tags"),
)

# Of answers.
ANSWERED: dict[str, tuple[str, Json]] = {
    "x-request-id": ("Your name for the request, or ours.", TEXT),
    "sluice-request-id": ("Our name for it: `/v1/requests/<id>`.", TEXT),
    "request-id": ("The same, where Anthropic's SDK looks.", TEXT),
    "sluice-provider": ("The instance that answered.", TEXT),
    "sluice-model": ("The model that answered, as its provider knows it.", TEXT),
    "x-cache": ("`HIT (exact)`, `HIT (semantic)`, `HIT (coalesced)`, `MISS`, `BYPASS`.", TEXT),
    "x-cache-key": ("By which the kept answer can be forgotten.", TEXT),
    "x-cache-similarity": ("Cosine of the two questions.", TEXT),
    "age": ("Seconds since the answer was made.", TEXT),
    "ratelimit-policy": ("Limits and budgets that apply, as the IETF's draft has it.", TEXT),
    "ratelimit": ("What is left of them.", TEXT),
    **{
        f"x-ratelimit-{what}-{unit}": (about, TEXT)
        for unit in ("requests", "tokens")
        for what, about in (
            ("limit", "As OpenAI has it: how many."),
            ("remaining", "As OpenAI has it: how many are left."),
            ("reset", "As OpenAI has it: when all are there again, as `1s`, `6m0s`."),
        )
    },
    "retry-after": ("Seconds after which to ask again.", {"type": "integer"}),
    "www-authenticate": ("`Bearer`.", TEXT),
    "etag": ("The version.", TEXT),
    "location": ("Where what was begun is found.", TEXT),
    "preference-applied": ("Which preference was followed.", TEXT),
    "allow": ("The methods of the path.", TEXT),
    "cache-control": ("What is kept of it.", TEXT),
    "content-disposition": ("The name of the file.", TEXT),
}
EVERY = ("x-request-id", "sluice-request-id")
MODEL = ("sluice-provider", "sluice-model", "x-cache", "x-cache-key", "x-cache-similarity", "age")
LIMITED = tuple(name for name in ANSWERED if "ratelimit" in name)
