"""Where the tests' real services listen, and what happens where they do not."""

import atexit
import os
import random
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from deploy.services.base import Service
from deploy.services.kafka import QUICK_START, Kafka
from deploy.services.ports import claim
from deploy.services.postgres import DATABASE, USER
from deploy.services.probes import (
    kafka_has_broker,
    mongodb_answers,
    postgres_answers,
    redis_answers,
    weaviate_answers,
)
from deploy.services.supervisor import SERVICES, Running
from deploy.services.terminal import ServiceError as ServiceError

ROOT = Path(__file__).resolve().parents[1]
ENDPOINTS = ROOT / ".services" / "env"
# Recordings and data sets, which are no part of the project.
SHARED = Path(os.environ.get("SHARED_DIR") or ROOT.parent / "shared")
# Below 32768: above it outgoing connections take ports at random.
FIRST_PORT, LAST_PORT = 20000, 32000

# Held until this process ends: a port is given once, whether or not the test comes to use it.
_claims = ExitStack()
atexit.register(_claims.close)  # else the interpreter warns of open files behind pytest's last line


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def missing(reason: str) -> NoReturn:
    """An absent service skips its tests on a developer's machine, and fails them in CI."""
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def endpoints() -> dict[str, str]:
    """What `make services` wrote down; the environment's own values come first."""
    found: dict[str, str] = {}
    if ENDPOINTS.exists():
        pairs = (line.partition("=") for line in ENDPOINTS.read_text().splitlines())
        found = {name: value for name, _, value in pairs}
    return found | {name: os.environ[name] for name in NAMES if os.environ.get(name)}


NAMES = (
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_SASL_BOOTSTRAP_SERVERS",
    "KAFKA_SASL_TEST_USERNAME",
    "KAFKA_SASL_TEST_PASSWORD",
    "KAFKA_SSL_BOOTSTRAP_SERVERS",
    "KAFKA_SSL_TEST_CAFILE",
    "KAFKA_SASL_SSL_BOOTSTRAP_SERVERS",
    "REDIS_URL",
    "MONGODB_URL",
    "POSTGRES_URL",
    "WEAVIATE_URL",
    "WEAVIATE_GRPC",
)
PROBES = {
    "KAFKA_BOOTSTRAP_SERVERS": ("Kafka", kafka_has_broker),
    "REDIS_URL": ("Redis", redis_answers),
    "MONGODB_URL": ("MongoDB", mongodb_answers),
    "POSTGRES_URL": ("PostgreSQL", partial(postgres_answers, user=USER, database=DATABASE)),
    "WEAVIATE_URL": ("Weaviate", weaviate_answers),
}


def answers(name: str, address: str) -> bool:
    return PROBES[name][1](int(address.rpartition(":")[2].partition("/")[0]))


def endpoint(name: str) -> str:
    """The address of a running service; skips or fails the test where it does not answer."""
    title = PROBES[name][0]
    address = endpoints().get(name, "")
    if not address:
        missing(f"{title} is not running: make services")
    if not answers(name, address):
        missing(f"{title} does not answer at {address}: make services")
    return address


def sasl_settings(mechanism: str = "PLAIN") -> dict[str, str]:
    """Kafka's settings, as environment variables, for the listener that asks for a password.

    Mechanisms: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.
    """
    endpoint("KAFKA_BOOTSTRAP_SERVERS")
    found = endpoints()
    if "KAFKA_SASL_BOOTSTRAP_SERVERS" not in found:
        missing("Kafka has no listener with a password here: make services")
    return {
        "KAFKA_BOOTSTRAP_SERVERS": found["KAFKA_SASL_BOOTSTRAP_SERVERS"],
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": mechanism,
        "KAFKA_SASL_USERNAME": found["KAFKA_SASL_TEST_USERNAME"],
        "KAFKA_SASL_PASSWORD": found["KAFKA_SASL_TEST_PASSWORD"],
    }


def ssl_settings() -> dict[str, str]:
    """Kafka's settings, as environment variables, for the listener with TLS."""
    endpoint("KAFKA_BOOTSTRAP_SERVERS")
    found = endpoints()
    if "KAFKA_SSL_BOOTSTRAP_SERVERS" not in found:
        missing("Kafka has no listener with TLS here: make services")
    return {
        "KAFKA_BOOTSTRAP_SERVERS": found["KAFKA_SSL_BOOTSTRAP_SERVERS"],
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_SSL_CAFILE": found["KAFKA_SSL_TEST_CAFILE"],
    }


def sasl_ssl_settings() -> dict[str, str]:
    """Kafka's settings, as environment variables, for the listener with TLS that asks for a password."""
    found = endpoints()
    if "KAFKA_SASL_SSL_BOOTSTRAP_SERVERS" not in found:
        missing("Kafka has no listener with TLS and a password here: make services")
    return {
        **sasl_settings(),
        **ssl_settings(),
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_BOOTSTRAP_SERVERS": found["KAFKA_SASL_SSL_BOOTSTRAP_SERVERS"],
    }


def free_port() -> int:
    """A port that nobody listens on and that no other test, here or in another process, is given."""
    for _ in range(1000):
        port = random.randint(FIRST_PORT, LAST_PORT)
        held = claim(port)
        if held is not None:
            _claims.enter_context(held)
            return port
    raise RuntimeError(f"no free port between {FIRST_PORT} and {LAST_PORT}")


SHORT_LIVED: Mapping[str, Service] = {**SERVICES, "kafka": Kafka(QUICK_START)}


class OwnService:
    """A service for one test alone, which may kill and restart it; its port never changes.

    `name` is kafka, redis or mongodb. Skips or fails the test where it cannot be had.
    """

    def __init__(self, name: str, home: Path) -> None:
        service: Service = SHORT_LIVED[name]
        self._running = Running(service, home)
        self._ports: Mapping[str, int] = {port.name: free_port() for port in service.ports}

    @property
    def endpoints(self) -> dict[str, str]:
        """As in .services/env: KAFKA_BOOTSTRAP_SERVERS, REDIS_URL, MONGODB_URL …"""
        return self._running.endpoints

    @property
    def pid(self) -> int:
        return self._running.record.pid

    def start(self) -> None:
        """Blocks until it answers: from a coroutine call it by asyncio.to_thread()."""
        self._running.start(self._ports)

    def stop(self) -> None:
        self._running.stop()

    def kill(self) -> None:
        """kill -9. The MongoDB-protocol server may lose its last 100 ms: stop() that one."""
        self._running.kill()

    def erase(self) -> None:
        self._running.stop()
        self._running.erase()
