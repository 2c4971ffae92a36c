"""What the commands that use the log share: where it is, what went wrong with it, how far they are."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from schemas.kafka import KafkaConfig
from sluice.cli.output import fail
from sluice.settings import Settings
from sluice.settings.configs import bootstrap_servers, kafka_config

T = TypeVar("T")


def kafka_or_exit(settings: Settings) -> KafkaConfig:
    """How to reach the log; says what to set, with exit code 1, if nobody says where it is."""
    servers = bootstrap_servers(settings)
    if servers is None:
        fail(
            "KAFKA_BOOTSTRAP_SERVERS is not set, and no embedded broker has run in "
            f"{settings.data_dir}: set it, or start `sluice serve` or `sluice broker` first"
        )
    return kafka_config(settings, servers)


def run(work: Coroutine[Any, Any, T], kafka: KafkaConfig) -> T:
    """The work's result; one line and exit code 1 if the log cannot be used."""
    from aiokafka.errors import KafkaError

    from sluice.topics import TopicsError, describe_error

    try:
        return asyncio.run(work)
    except TopicsError as error:
        fail(str(error))
    except (KafkaError, OSError, TimeoutError) as error:
        fail(f"Kafka at {kafka.bootstrap_servers} cannot be used: {describe_error(error)}")


@contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while the block runs, if that is a terminal; yields what moves it."""
    hidden = not sys.stderr.isatty() or not length
    with click.progressbar(
        length=length, label=label, file=sys.stderr, hidden=hidden, width=0
    ) as bar:
        yield bar.update
