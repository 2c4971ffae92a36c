"""Topic settings: Kafka's names, checked as Kafka checks them."""

import pytest

from sluice.broker.errors import Code, KafkaError
from sluice.broker.topic_config import DEFAULTS, TopicConfig, topic_config


def test_defaults_are_those_of_the_table() -> None:
    """Without settings a topic has the defaults that describe_configs tells."""
    assert topic_config({}) == TopicConfig()
    assert topic_config(dict(DEFAULTS)) == TopicConfig()
    assert TopicConfig().max_message_bytes == 1_048_588


def test_settings_are_taken_over() -> None:
    """Numbers, ratios and policies mean what they say."""
    config = topic_config(
        {"cleanup.policy": "compact,delete", "retention.ms": "-1", "max.message.bytes": "16777216"}
    )
    assert (config.compact, config.delete, config.retention_ms) == (True, True, -1)
    assert config.max_message_bytes == 16 << 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no.such", "1"),
        ("retention.ms", None),
        ("retention.ms", "-2"),
        ("retention.ms", "1.5"),
        ("retention.ms", str(1 << 63)),
        ("segment.bytes", "1000"),
        ("cleanup.policy", "compact,burn"),
        ("min.cleanable.dirty.ratio", "2"),
        ("compression.type", "brotli"),
        ("preallocate", "maybe"),
        ("message.timestamp.type", "LogAppendTime"),
    ],
)
def test_bad_settings_are_named(name: str, value: str | None) -> None:
    """What Kafka refuses, or what this broker could not do, is INVALID_CONFIG with the name."""
    with pytest.raises(KafkaError, match=name) as caught:
        topic_config({name: value})
    assert caught.value.code == Code.INVALID_CONFIG
