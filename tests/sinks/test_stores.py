"""The table of stores."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

from sinks.config import StorageType
from sinks.stores import SINKS


def test_every_storage_type_has_a_sink() -> None:
    """STORAGE_TYPE names exactly what is in the table."""
    assert set(SINKS) == set(get_args(StorageType))


def test_a_store_that_is_not_used_costs_nothing() -> None:
    """A process with the SQLite sink never loads MongoDB's client, nor any other role Kafka's and SQLite's."""
    for modules, absent in (("sinks.runner", "pymongo"), ("sinks.config", "aiokafka sqlite3")):
        code = f"import sys, {modules}; print([m for m in {absent.split()!r} if m in sys.modules])"
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert found.stdout == "[]\n", found.stderr
