"""How every client of ours connects to the log, under Kafka's own setting names."""

from __future__ import annotations

import ssl
from typing import Any, Literal

from msgspec import Struct

from schemas.topics import MAX_EXCHANGE_BYTES, Topics

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class MissingPartition(Exception):
    """A partition that this process must read does not exist."""


class KafkaConfig(Struct, frozen=True, kw_only=True):
    """Where the log is and how to speak to it."""

    bootstrap_servers: str
    topics: Topics = Topics()
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_key_password: str | None = None
    ssl_check_hostname: bool = True

    def ssl_context(self) -> ssl.SSLContext | None:
        """A context if the protocol needs one; OSError or ssl.SSLError if a file of it cannot be read."""
        if not self.security_protocol.endswith("SSL"):
            return None
        context = ssl.create_default_context(cafile=self.ssl_cafile)
        context.check_hostname = self.ssl_check_hostname
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, self.ssl_key_password)
        return context

    def client_options(self, client_id: str) -> dict[str, Any]:
        """Keyword arguments that every aiokafka client takes."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": client_id,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password
        if (context := self.ssl_context()) is not None:
            options["ssl_context"] = context
        return options

    def consumer_options(self, client_id: str) -> dict[str, Any]:
        """Options of a consumer that reads for ever.

        aiokafka's fetcher looks for work every 200 ms, which costs an idle process more than the
        rest. It cannot do without: a seek between two of its steps wakes nobody (seen as assignments
        that took the whole time that stands here).
        """
        return self.client_options(client_id) | {"consumer_timeout_ms": 1000}

    def producer_options(self, client_id: str) -> dict[str, Any]:
        """Options of a producer whose records are acknowledged before anything is promised.

        aiokafka keeps one open batch per partition and one request in flight per broker: its default
        of 16 KiB a batch would be the throughput per round trip.
        """
        return self.client_options(client_id) | {
            "acks": "all",
            "linger_ms": 0,
            "max_batch_size": 512 << 10,
            "max_request_size": MAX_EXCHANGE_BYTES,  # the topic's own limit decides
            "request_timeout_ms": 15_000,
        }
