"""Names of Kafka record headers: CloudEvents binary mode, W3C, Spring Kafka, and few of ours."""

from __future__ import annotations

from collections.abc import Iterable

# CloudEvents 1.0, Kafka protocol binding, binary content mode
CE_SPECVERSION = "ce_specversion"
CE_ID = "ce_id"
CE_TYPE = "ce_type"
CE_SOURCE = "ce_source"
CE_TIME = "ce_time"
CE_EXPIRYTIME = "ce_expirytime"  # the absolute deadline, RFC 3339
# its extension for claim checks: the value is in SPOOL_DIR, in the file of this name
DATAREF = "ce_dataref"
CONTENT_TYPE = "content-type"
CONTENT_LENGTH = "content-length"  # bytes of what ce_dataref refers to
CONTENT_DIGEST = "content-digest"  # the same's `sha-256=:…:`, as RFC 9530 has it
# W3C Trace Context
TRACEPARENT = "traceparent"
# Spring Kafka request-reply; integers are big-endian, decimal text is accepted
REPLY_TOPIC = "kafka_replyTopic"
REPLY_PARTITION = "kafka_replyPartition"
CORRELATION_ID = "kafka_correlationId"
# Spring Kafka dead letters
DLT_EXCEPTION_FQCN = "kafka_dlt-exception-fqcn"
DLT_EXCEPTION_MESSAGE = "kafka_dlt-exception-message"
DLT_ORIGINAL_TOPIC = "kafka_dlt-original-topic"
DLT_ORIGINAL_PARTITION = "kafka_dlt-original-partition"
DLT_ORIGINAL_OFFSET = "kafka_dlt-original-offset"
DLT_ORIGINAL_TIMESTAMP = "kafka_dlt-original-timestamp"
# Ours, on requests
SCHEMA_VERSION = "sluice-schema"
DIALECT = "sluice-dialect"
STREAM = "sluice-stream"  # true or false, where the body does not say it
METHOD = "sluice-method"  # of a relayed request
PATH = "sluice-path"  # of a relayed request, behind the provider's base URL, with its query
KEEP = "sluice-keep"  # true: the answer can be fetched later, whole
IDEMPOTENCY_KEY = "idempotency-key"  # the caller's: equal ones make one call
CACHE = "sluice-cache"  # no-cache, no-store, max-age=60, type=exact, ttl=300, tag=docs …
DROP_PARAMS = "sluice-drop-params"  # true: what a provider cannot be told may be left out
WITHOUT_BODIES = "sluice-without-bodies"  # true: neither body is stored with the exchange
USER_PATH = "sluice-user-path"
CLIENT = "sluice-client"
CLIENT_IP = "sluice-client-ip"
CLIENT_REQUEST_ID = "sluice-client-request-id"
MODELS = "sluice-models"  # JSON list, of a new batch: what its key may ask for
BATCH = "sluice-batch"  # the batch of which the request is a line
BATCH_LINE = "sluice-batch-line"  # its number there, from 1
BATCH_AGAIN = "sluice-batch-again"  # true: its record may stand in the log twice
CUSTOM_ID = "sluice-custom-id"  # the line's own name
REQUEST_ID = "sluice-request-id"  # only on records that a worker moved forward
# Ours, on requests and replies
PROVIDER = "sluice-provider"
MODEL = "sluice-model"
HTTP_HEADERS = "sluice-http-headers"  # JSON object, of HTTP headers worth passing on
# Ours, on exchanges
IDEMPOTENCY = "sluice-idempotency"  # of an outcome that answers a key: key, fingerprint, expiry
# Ours, on replies
ATTEMPT = "sluice-attempt"
SEQ = "sluice-seq"
COUNT = "sluice-count"
REPLAY = "sluice-replay"  # this attempt tells the one before it again, byte for byte
STATUS = "sluice-status"

# Ours, on llm.config
OBJECT_VERSION = "sluice-version"
OBJECT_REPLACES = "sluice-replaces"  # the version that it follows on; 0: it creates

Headers = list[tuple[str, bytes]]


def first(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, bytes]:
    """Headers as a dict; of equal names the first counts, null values are absent."""
    found: dict[str, bytes] = {}
    for name, value in headers:
        if value is not None and name not in found:
            found[name] = value
    return found


def integer(value: bytes) -> int:
    """An integer header: 4 or 8 bytes big-endian as Spring writes it, or decimal text; else ValueError."""
    if value.isdigit() and len(value) < 20:
        return int(value)
    if len(value) in (4, 8):
        return int.from_bytes(value, "big", signed=True)
    raise ValueError(f"neither a big-endian integer nor decimal text: {value[:20]!r}")
