"""Checks of Kafka: connection, security, topics."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import KafkaError
from typing_extensions import override

from schemas.kafka import KafkaConfig
from sluice import topics
from sluice.doctor.finding import Finding
from sluice.settings import Settings, configs, kafka as kafka_rows


async def check_kafka(settings: Settings) -> list[Finding]:
    """The cluster with its security, then the topics."""
    servers = configs.bootstrap_servers(settings)
    if servers is None:
        return [Finding("Kafka", "ok", "embedded: `sluice serve` will start its own broker")]
    kafka = configs.kafka_config(settings, servers)
    embedded = settings[kafka_rows.BOOTSTRAP_SERVERS] is None
    heard = _Overheard()
    try:
        with heard.listening():
            described = await topics.describe(kafka, configs.topic_table(settings))
    except topics.TopicsError as error:
        return [Finding("Kafka", "wrong", str(error), "Give this user the rights that it lacks.")]
    except (KafkaError, OSError, ssl.SSLError, TimeoutError) as error:
        if embedded:
            detail = f"embedded, not running now (it was at {servers})"
            return [Finding("Kafka", "note", detail, "Start `sluice serve`.")]
        reason = f"{topics.describe_error(error)} {heard.last}".strip()
        detail = f"{servers} over {kafka.security_protocol}: {reason}"
        return [Finding("Kafka", "wrong", detail, _mend(kafka, reason))]
    kind = "embedded broker" if embedded else f"Kafka over {kafka.security_protocol}"
    return [Finding("Kafka", "ok", f"{kind} at {servers}"), *_check_topics(settings, described)]


class _Overheard(logging.Handler):
    """aiokafka says in its log alone why it could not connect."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()

    @contextmanager
    def listening(self) -> Iterator[None]:
        logger = logging.getLogger("aiokafka")
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)


def _mend(kafka: KafkaConfig, reason: str) -> str:
    if "Authentication" in reason or "Sasl" in reason:
        return "Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD."
    if "Authorization" in reason:
        return "Give this user the rights to describe the cluster and its topics."
    if kafka.security_protocol == "PLAINTEXT":
        return (
            "Check KAFKA_BOOTSTRAP_SERVERS and that the brokers run; if they ask for a password or "
            "for TLS, set KAFKA_SECURITY_PROTOCOL."
        )
    return (
        "Check KAFKA_BOOTSTRAP_SERVERS (each listener has its own port), KAFKA_SECURITY_PROTOCOL, "
        "and with SSL KAFKA_SSL_CAFILE; the brokers' log may say more."
    )


def _check_topics(settings: Settings, described: list[topics.Description]) -> list[Finding]:
    wanted = {topic.name: topic.partitions for topic in configs.topic_table(settings)}
    missing = [topic.name for topic in described if not topic.partitions]
    if len(missing) == len(wanted):
        mend = "Run `sluice topics create`, or start a role: it makes them."
        return [Finding("topics", "note", "there are none yet", mend)]
    found = [
        Finding("topics", "wrong", f"{name} is missing", "Run `sluice topics create`.")
        for name in missing
    ]
    for topic in described:
        if topic.partitions and topic.partitions != wanted[topic.name]:
            detail = f"{topic.name} has {topic.partitions} partitions, not {wanted[topic.name]}"
            mend = "Set SLUICE_PARTITIONS and SLUICE_REPLY_PARTITIONS to what stands there."
            found.append(Finding("topics", "wrong", detail, mend))
    return found or [Finding("topics", "ok", f"all {len(wanted)} are as they should be")]
