"""PostgreSQL: what is its own beside the contract."""

from __future__ import annotations

import pytest

from streams.caches.vectors.base import VectorError
from streams.caches.vectors.pgvector import PgVector


def test_the_table_is_a_plain_name() -> None:
    """It stands in statements, where it cannot be a parameter."""
    PgVector("postgresql://", "semantic_2")
    with pytest.raises(VectorError, match="plain"):
        PgVector("postgresql://", "a; drop table b")
