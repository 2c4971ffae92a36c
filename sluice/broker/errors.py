"""The error codes of Kafka's protocol that this broker answers with."""

from __future__ import annotations

from typing import Final


class Code:
    """Numbers as in Kafka's `Errors`; plain integers because every response packs some."""

    UNKNOWN_SERVER_ERROR: Final = -1
    NONE: Final = 0
    OFFSET_OUT_OF_RANGE: Final = 1
    CORRUPT_MESSAGE: Final = 2
    UNKNOWN_TOPIC_OR_PARTITION: Final = 3
    MESSAGE_TOO_LARGE: Final = 10
    OFFSET_METADATA_TOO_LARGE: Final = 12
    COORDINATOR_NOT_AVAILABLE: Final = 15
    NOT_COORDINATOR: Final = 16
    INVALID_TOPIC: Final = 17
    INVALID_REQUIRED_ACKS: Final = 21
    ILLEGAL_GENERATION: Final = 22
    INCONSISTENT_GROUP_PROTOCOL: Final = 23
    INVALID_GROUP_ID: Final = 24
    UNKNOWN_MEMBER_ID: Final = 25
    INVALID_SESSION_TIMEOUT: Final = 26
    REBALANCE_IN_PROGRESS: Final = 27
    UNSUPPORTED_VERSION: Final = 35
    TOPIC_ALREADY_EXISTS: Final = 36
    INVALID_PARTITIONS: Final = 37
    INVALID_REPLICATION_FACTOR: Final = 38
    INVALID_CONFIG: Final = 40
    INVALID_REQUEST: Final = 42
    POLICY_VIOLATION: Final = 44
    OUT_OF_ORDER_SEQUENCE_NUMBER: Final = 45
    INVALID_PRODUCER_EPOCH: Final = 47
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Final = 53
    KAFKA_STORAGE_ERROR: Final = 56
    NON_EMPTY_GROUP: Final = 68
    GROUP_ID_NOT_FOUND: Final = 69
    UNSUPPORTED_COMPRESSION_TYPE: Final = 76
    MEMBER_ID_REQUIRED: Final = 79
    FENCED_INSTANCE_ID: Final = 82
    INVALID_RECORD: Final = 87


class KafkaError(Exception):
    """A request, or one partition of it, that is answered with an error code."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class FolderInUse(Exception):
    """The data folder belongs to a broker that runs: stop that one or choose another folder."""


class StorageFailed(Exception):
    """An fsync failed, so what the disk holds is unknown: the process must end and recover anew."""
