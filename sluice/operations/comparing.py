"""A replay's surroundings: the topic of its answers, and the prices by which it is compared."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.clock import Clock
from schemas.kafka import KafkaConfig
from sluice import topics
from sluice.operations.comparison import Comparison, compared
from sluice.operations.prices import prices
from sluice.operations.replay import Pair
from sluice.settings import Settings, configs, kafka as rows


def shadow(kafka: KafkaConfig) -> str:
    """The topic to which the answers go, and not to those who asked first."""
    return f"{kafka.topics.replies}.replay"


async def make_shadow(settings: Settings, kafka: KafkaConfig) -> None:
    """See that it exists. TopicsError, or what says that the log is away."""
    replies = next(
        each for each in configs.topic_table(settings) if each.name == kafka.topics.replies
    )
    wanted = replace(replies, name=shadow(kafka), partitions=1)
    await topics.ensure(kafka, [wanted], settings[rows.REPLICATION_FACTOR])


async def compare(
    settings: Settings, model: str, pairs: Sequence[Pair], clock: Clock
) -> Comparison:
    """What came of a run."""
    both = [each for pair in pairs for each in (pair.before, pair.after) if each is not None]
    known = await prices(both, configs.instances(settings), settings.tables.metadata, clock.time())
    return compared(model, pairs, known.of)
