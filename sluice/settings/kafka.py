"""The rows for Kafka: the connection under Kafka's own names, topics, the embedded broker."""

from __future__ import annotations

from typing import get_args

from schemas.kafka import SaslMechanism, SecurityProtocol
from schemas.topics import Retention
from sluice.settings.kinds import (
    BOOLEAN,
    FILE,
    PATTERNS,
    PORT as PORT_KIND,
    SERVERS,
    TEXT,
    TOPIC_PREFIX as TOPIC_PREFIX_KIND,
    choice,
    duration,
    integer,
    optional,
    size,
)
from sluice.settings.setting import Group, Setting

BOOTSTRAP_SERVERS = Setting[str | None](
    name="KAFKA_BOOTSTRAP_SERVERS",
    kind=optional(SERVERS),
    default=None,
    summary="Brokers of the Kafka cluster.",
    unset="`serve` starts the embedded broker; the other commands look for it in the data folder",
)
SECURITY_PROTOCOL = Setting[SecurityProtocol](
    name="KAFKA_SECURITY_PROTOCOL",
    kind=choice(get_args(SecurityProtocol)),
    default="PLAINTEXT",
    summary="How to talk to the brokers.",
)
SASL_MECHANISM = Setting[SaslMechanism](
    name="KAFKA_SASL_MECHANISM",
    kind=choice(get_args(SaslMechanism)),
    default="PLAIN",
    summary="How to authenticate, with a SASL protocol.",
)
SASL_USERNAME = Setting[str | None](
    name="KAFKA_SASL_USERNAME",
    kind=optional(TEXT),
    default=None,
    summary="User, with a SASL protocol.",
)
SASL_PASSWORD = Setting[str | None](
    name="KAFKA_SASL_PASSWORD",
    kind=optional(TEXT),
    default=None,
    secret=True,
    summary="Password of that user, with a SASL protocol.",
)
SSL_CAFILE = Setting[str | None](
    name="KAFKA_SSL_CAFILE",
    kind=optional(FILE),
    default=None,
    summary="Certificates (PEM) that sign the brokers', with an SSL protocol.",
    unset="the system's",
)
SSL_CERTFILE = Setting[str | None](
    name="KAFKA_SSL_CERTFILE",
    kind=optional(FILE),
    default=None,
    summary="Our own certificate (PEM), if the brokers ask for one.",
)
SSL_KEYFILE = Setting[str | None](
    name="KAFKA_SSL_KEYFILE",
    kind=optional(FILE),
    default=None,
    summary="Private key (PEM) of that certificate.",
    unset="it stands in the certificate's file",
)
SSL_KEY_PASSWORD = Setting[str | None](
    name="KAFKA_SSL_KEY_PASSWORD",
    kind=optional(TEXT),
    default=None,
    secret=True,
    summary="Password of that private key.",
)
SSL_CHECK_HOSTNAME = Setting(
    name="KAFKA_SSL_CHECK_HOSTNAME",
    kind=BOOLEAN,
    default=True,
    summary="Whether a broker's certificate must name its host.",
)
REPLY_TOPICS = Setting[tuple[str, ...]](
    name="KAFKA_REPLY_TOPICS",
    kind=PATTERNS,
    default=(),
    summary="Topics beside the reply topic to which a direct producer may have answers sent.",
    unset="only `llm.replies` and `llm.replies.*` (with the prefix as set)",
)
GROUP_INSTANCE_ID = Setting[str | None](
    name="KAFKA_GROUP_INSTANCE_ID",
    kind=optional(TEXT),
    default=None,
    summary="Kafka's `group.instance.id` of this worker or sink: unlike any other's, the same "
    "after a restart, which then moves no partitions.",
    unset="`serve` sets one with the embedded broker; otherwise each is a dynamic member",
)

TOPIC_PREFIX = Setting(
    name="SLUICE_TOPIC_PREFIX",
    kind=TOPIC_PREFIX_KIND,
    default="llm.",
    summary="How all topics and consumer groups begin; differs where gateways share a cluster.",
)
PARTITIONS = Setting(
    name="SLUICE_PARTITIONS",
    kind=integer(1, 10_000),
    default=8,
    summary="Partitions of the requests and of the exchanges: the most workers that share them.",
)
REPLY_PARTITIONS = Setting(
    name="SLUICE_REPLY_PARTITIONS",
    kind=integer(1, 4096),
    default=16,
    summary="Partitions of the replies: the most ingress processes.",
)
REPLICATION_FACTOR = Setting[int | None](
    name="SLUICE_REPLICATION_FACTOR",
    kind=optional(integer(1, 100)),
    default=None,
    summary="Copies of each new topic.",
    unset="3, or as many as there are brokers",
)
RETENTION = Retention()
_KEEP = duration(60, 3650 * 86_400)
RETENTION_REQUESTS = Setting(
    name="SLUICE_RETENTION_REQUESTS",
    kind=_KEEP,
    default=RETENTION.requests_ms / 1000,
    summary="How long requests are kept.",
)
RETENTION_REPLIES = Setting(
    name="SLUICE_RETENTION_REPLIES",
    kind=_KEEP,
    default=RETENTION.replies_ms / 1000,
    summary="How long replies are kept.",
)
RETENTION_EXCHANGES = Setting(
    name="SLUICE_RETENTION_EXCHANGES",
    kind=_KEEP,
    default=RETENTION.exchanges_ms / 1000,
    summary="How long exchanges are kept in Kafka; a store that is away longer loses some.",
)
RETENTION_CONTROL = Setting(
    name="SLUICE_RETENTION_CONTROL",
    kind=_KEEP,
    default=RETENTION.control_ms / 1000,
    summary="How long cancellations and heartbeats are kept.",
)
RETENTION_DEAD_LETTERS = Setting(
    name="SLUICE_RETENTION_DEAD_LETTERS",
    kind=_KEEP,
    default=RETENTION.dead_letters_ms / 1000,
    summary="How long dead letters are kept.",
)

BROKER_PORT = Setting[int | None](
    name="SLUICE_BROKER_PORT",
    kind=optional(PORT_KIND),
    default=None,
    summary="Port of the embedded broker.",
    unset="the one of the last start, or a free one below 32768",
)
BROKER_FSYNC_MS = Setting(
    name="SLUICE_BROKER_FSYNC_MS",
    kind=integer(-1, 3_600_000),
    default=-1,
    summary="Milliseconds between the embedded broker's fsyncs; 0: before every acknowledgement, "
    "-1: never (a process may die, the machine may not).",
)
BROKER_MAX_CONNECTIONS = Setting(
    name="SLUICE_BROKER_MAX_CONNECTIONS",
    kind=integer(10, 100_000),
    default=1000,
    summary="Connections that the embedded broker takes.",
)
BROKER_REQUEST_MEMORY = Setting(
    name="SLUICE_BROKER_REQUEST_MEMORY",
    kind=size(16 << 20, 64 << 30),
    default=64 << 20,
    summary="Memory of the embedded broker for large requests that are being read.",
)
BROKER_RESPONSE_MEMORY = Setting(
    name="SLUICE_BROKER_RESPONSE_MEMORY",
    kind=size(16 << 20, 64 << 30),
    default=64 << 20,
    summary="Memory of the embedded broker for responses that slow readers have not taken yet.",
)
BROKER_TAIL_MEMORY = Setting(
    name="SLUICE_BROKER_TAIL_MEMORY",
    kind=size(1 << 20, 64 << 30),
    default=32 << 20,
    summary="Memory of the embedded broker for the newest records.",
)

KAFKA_GROUP = Group(
    "Kafka",
    (
        *(BOOTSTRAP_SERVERS, SECURITY_PROTOCOL, SASL_MECHANISM, SASL_USERNAME, SASL_PASSWORD),
        *(SSL_CAFILE, SSL_CERTFILE, SSL_KEYFILE, SSL_KEY_PASSWORD, SSL_CHECK_HOSTNAME),
        *(REPLY_TOPICS, GROUP_INSTANCE_ID),
    ),
)
TOPICS_GROUP = Group(
    "Topics",
    (
        *(TOPIC_PREFIX, PARTITIONS, REPLY_PARTITIONS, REPLICATION_FACTOR, RETENTION_REQUESTS),
        *(RETENTION_REPLIES, RETENTION_EXCHANGES, RETENTION_CONTROL, RETENTION_DEAD_LETTERS),
    ),
    "`sluice topics create` and every role at its start make the topics that are missing and set "
    "retention and record size on all.",
)
BROKER_GROUP = Group(
    "The embedded broker",
    (
        *(BROKER_PORT, BROKER_FSYNC_MS, BROKER_MAX_CONNECTIONS, BROKER_REQUEST_MEMORY),
        *(BROKER_RESPONSE_MEMORY, BROKER_TAIL_MEMORY),
    ),
)
