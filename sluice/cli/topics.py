"""`sluice topics create` and `sluice topics describe`."""

from __future__ import annotations

import click

from schemas.kafka import KafkaConfig
from schemas.topics import Topic
from sluice.cli.connecting import kafka_or_exit, run
from sluice.cli.output import fail, json_option, print_json, print_table, settings_or_exit
from sluice.settings import Settings, kafka as rows
from sluice.settings.configs import topic_table
from sluice.settings.kinds import show_duration, show_size


@click.group()
def topics() -> None:
    """Create or describe the Kafka topics."""


@topics.command()
@json_option
def create(as_json: bool) -> None:
    """Make the topics that are missing; set retention and record size on all. May be repeated."""
    from sluice import topics as admin

    settings = settings_or_exit()
    kafka, wanted = _target(settings)
    changes = run(admin.ensure(kafka, wanted, settings[rows.REPLICATION_FACTOR]), kafka)
    if as_json:
        print_json(changes)
    else:
        print_table(
            ("TOPIC", "PARTITIONS", ""),
            [(change.topic, str(change.partitions), change.action) for change in changes],
        )


@topics.command()
@json_option
def describe(as_json: bool) -> None:
    """Partitions, end offsets and retention of every topic."""
    from sluice import topics as admin

    kafka, wanted = _target(settings_or_exit())
    found = run(admin.describe(kafka, wanted), kafka)
    if as_json:
        print_json(found)
        return
    print_table(
        ("TOPIC", "PARTITIONS", "RECORDS", "RETENTION", "MAX RECORD", "END OFFSETS"),
        [
            (
                topic.name,
                str(topic.partitions) if topic.partitions else "missing",
                str(topic.records),
                _shown(topic.retention_ms),
                "" if topic.max_message_bytes is None else show_size(topic.max_message_bytes),
                " ".join(map(str, topic.end_offsets)),
            )
            for topic in found
        ],
    )
    if any(not topic.partitions for topic in found):
        fail("topics are missing: run `sluice topics create`")


def _shown(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return "for ever" if milliseconds < 0 else show_duration(milliseconds / 1000)


def _target(settings: Settings) -> tuple[KafkaConfig, list[Topic]]:
    return kafka_or_exit(settings), topic_table(settings)
