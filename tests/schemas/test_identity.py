"""Keys and partitions."""

from collections import Counter

from schemas.identity import partition_of, record_key
from schemas.ids import new_id


def test_requests_spread_over_all_partitions() -> None:
    """Ids made in one millisecond do not crowd into one partition."""
    found = Counter(partition_of(record_key(new_id(5)), 8) for _ in range(8000))

    assert len(found) == 8
    assert min(found.values()) > 800


def test_the_partition_is_the_one_librdkafka_chooses() -> None:
    """CRC-32 of the key: a service with librdkafka's default meets our partitioning."""
    assert partition_of(b"123456789", 1000) == 0xCBF43926 % 1000
