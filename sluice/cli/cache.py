"""`sluice cache purge`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from schemas.clock import SystemClock
from schemas.control import Purge, encode
from sluice.cli.connecting import kafka_or_exit, run
from sluice.cli.output import fail, json_option, print_json, settings_or_exit

if TYPE_CHECKING:
    from schemas.kafka import KafkaConfig


@click.group()
def cache() -> None:
    """Forget kept answers."""


@cache.command()
@click.option("--key", help="The one of this X-Cache-Key.")
@click.option("--tag", help="Those of this tag (X-Cache-Tags).")
@click.option("--model", help="Those of this model, as asked for or as `instance/model`.")
@click.option("--user-path", help="Those of this user path and the ones below.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@json_option
def purge(
    key: str | None,
    tag: str | None,
    model: str | None,
    user_path: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Forget those of which all that is said holds. The workers do it as they read of it."""
    asked = Purge(SystemClock().time(), key, tag, model, user_path)
    if everything == any((key, tag, model, user_path)):
        fail("say which answers: --key, --tag, --model or --user-path, or --all")
    kafka = kafka_or_exit(settings_or_exit())
    run(_sent(kafka, asked), kafka)
    if as_json:
        print_json(asked)
    else:
        click.echo("The workers are told.")


async def _sent(kafka: KafkaConfig, asked: Purge) -> None:
    from aiokafka import TopicPartition

    from sluice.operations import log as logs

    async with logs.opened(kafka) as log:
        await log.partitions(kafka.topics.control)
        value, headers = encode(asked)
        await log.send(TopicPartition(kafka.topics.control, 0), value, None, headers)
