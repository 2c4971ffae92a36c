"""The headers of Kafka records: on which they stand, what each means and what it may be."""

from __future__ import annotations

from typing import Any, get_args

from schemas import headers as h
from schemas.requests import SCHEMA_VERSION, TYPES, Dialect

Json = dict[str, Any]
Headers = dict[str, tuple[str, Json]]
_TEXT: Json = {"type": "string"}
_TIME: Json = {"type": "string", "format": "date-time"}
_FLAG: Json = {"type": "string", "enum": ["true", "false"]}
_NUMBER: Json = {"type": "string", "pattern": "^[0-9]+$"}
_INTEGER: Json = {"type": "string", "description": "4 or 8 bytes big-endian, or decimal text."}

_CLAIM: Headers = {
    h.DATAREF: ("The file in SPOOL_DIR that is the body; the record has none.", _TEXT),
    h.CONTENT_LENGTH: ("Its bytes.", _NUMBER),
    h.CONTENT_DIGEST: ("Its `sha-256=:…:`, as RFC 9530 has it.", _TEXT),
}
# What any service may send. All are optional.
REQUEST: Headers = {
    h.CE_ID: ("Your name for the request; the position of the record without it.", _TEXT),
    h.CE_SOURCE: ("Who you are; scopes `ce_id`.", _TEXT | {"default": "/kafka"}),
    h.CE_TYPE: (
        "What is asked.",
        {"enum": [each.decode() for each in TYPES], "default": "llm.request.chat"},
    ),
    h.CE_SPECVERSION: ("CloudEvents; not looked at.", {"enum": ["1.0"]}),
    h.CE_TIME: ("When it was made; the record's timestamp without it.", _TIME),
    h.CE_EXPIRYTIME: ("The deadline.", _TIME),
    **_CLAIM,
    h.CONTENT_TYPE: ("Of a relayed body; every other one is JSON.", _TEXT),
    h.TRACEPARENT: ("W3C trace context.", _TEXT),
    h.REPLY_TOPIC: ("Where the answer goes; without it there is only an outcome.", _TEXT),
    h.REPLY_PARTITION: ("Its partition; by the request id without it.", _INTEGER),
    h.CORRELATION_ID: ("Any bytes; on every reply.", _TEXT),
    h.SCHEMA_VERSION: ("Of this contract.", {"enum": [str(SCHEMA_VERSION)]}),
    h.DIALECT: (
        "How the body is written, and so its answer.",
        {"enum": list(get_args(Dialect)), "default": "openai_chat"},
    ),
    h.MODEL: ("The model, for a body that does not name it.", _TEXT),
    h.STREAM: ("Whether it is a stream, for a body that does not say it.", _FLAG),
    h.PROVIDER: ("Of a relayed request: the instance or vendor.", _TEXT),
    h.METHOD: ("Of a relayed request: the HTTP method.", _TEXT | {"default": "POST"}),
    h.PATH: ("Of a relayed request: behind the provider's base URL, with its query.", _TEXT),
    h.HTTP_HEADERS: ("JSON object of HTTP headers for the provider.", _TEXT),
    h.CACHE: ("What is said of caches, as in `Cache-Control`.", _TEXT),
    h.DROP_PARAMS: ("What a provider cannot be told may be left out.", _FLAG),
    h.WITHOUT_BODIES: ("Neither body is stored or shown.", _FLAG),
    h.KEEP: ("The answer can be fetched later, whole.", _FLAG),
    h.IDEMPOTENCY_KEY: ("Requests with an equal one make one call.", _TEXT),
    h.USER_PATH: ("The tenant label.", _TEXT | {"default": "/kafka"}),
}
# What only the gateway itself sends with a request.
OWN: Headers = {
    h.CLIENT: ("Name of the API key, never the key.", _TEXT),
    h.CLIENT_IP: ("The client's address.", _TEXT),
    h.CLIENT_REQUEST_ID: ("The client's `X-Request-ID`.", _TEXT),
    h.MODELS: ("Of a new batch: JSON list of what its key may ask for.", _TEXT),
    h.BATCH: ("The batch of which it is a line.", _TEXT),
    h.BATCH_LINE: ("The line's number.", _NUMBER),
    h.BATCH_AGAIN: ("The line may stand in the log twice.", {"enum": ["true"]}),
    h.CUSTOM_ID: ("The line's own name.", _TEXT),
    h.REQUEST_ID: ("Of one that was moved forward: its id.", _TEXT),
}
REPLY: Headers = {
    h.CE_TYPE: ("Which piece of the answer it is.", _TEXT),
    h.CORRELATION_ID: ("As the request had it.", _TEXT),
    h.ATTEMPT: ("From 1; larger after a crash, and when an outcome is told again.", _NUMBER),
    h.SEQ: ("The piece's number in its attempt, from 0.", _TEXT),
    h.COUNT: ("On the last piece: how many there are.", _NUMBER),
    h.REPLAY: ("The attempt tells the one before it again, byte for byte.", {"enum": ["1"]}),
    h.STATUS: ("On the first piece: the HTTP status.", _NUMBER),
    h.CONTENT_TYPE: ("On the first piece: of the answer.", _TEXT),
    h.PROVIDER: ("On the first piece: the instance that answers.", _TEXT),
    h.MODEL: ("On the first piece: the model, as its provider knows it.", _TEXT),
    h.HTTP_HEADERS: ("On the first piece: JSON object of the provider's headers.", _TEXT),
    **_CLAIM,
}
EXCHANGE: Headers = {
    h.CE_TYPE: ("How it ended.", _TEXT),
    h.IDEMPOTENCY: ("Of an outcome that answers a key: key, fingerprint, expiry.", _TEXT),
}
CONTROL: Headers = {h.CE_TYPE: ("Which record it is.", _TEXT)}
OBJECT: Headers = {
    h.CE_TYPE: ("`llm.config.object`.", _TEXT),
    h.OBJECT_VERSION: ("The object's version.", _NUMBER),
    h.OBJECT_REPLACES: ("The version that it follows on; 0: it creates.", _NUMBER),
}
DEAD: Headers = {
    h.DLT_EXCEPTION_FQCN: ("Class of the error.", _TEXT),
    h.DLT_EXCEPTION_MESSAGE: ("The reason.", _TEXT),
    h.DLT_ORIGINAL_TOPIC: ("Where it stood.", _TEXT),
    h.DLT_ORIGINAL_PARTITION: ("Its partition there.", _INTEGER),
    h.DLT_ORIGINAL_OFFSET: ("Its offset there.", _INTEGER),
    h.DLT_ORIGINAL_TIMESTAMP: ("When it was written there, milliseconds.", _INTEGER),
}
